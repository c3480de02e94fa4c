"""Records that people change: find them, and change several in one transaction with one new revision.

A transaction holds the lock on `config_revision` from its first statement, so transactions follow one another
and a revision is visible only when every lower one is. Uniqueness is looked up under that lock, so that a
refusal can name the column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from django.db.models import Model, UniqueConstraint

from certuary.core.mark import Marker
from certuary.core.values import serial_to_text
from certuary.errors import AlreadyExists, AlreadyRevoked, NotFound
from certuary.services.ports import (
    AuditRow,
    CertificateRow,
    ManifestPartRow,
    ManifestRow,
    OrderOutcome,
    ProfileVersionRow,
    Record,
    RecordKind,
    RecordTransaction,
    SignedOrder,
    Subject,
)
from certuary.store import authenticators, certificate_rows, manifests, orders, record_rows
from certuary.store.audit import events_about
from certuary.store.certificates import application_certificates
from certuary.store.database import read
from certuary.store.event_stream import EventStream, EventWriter, no_chain
from certuary.store.models import (
    Certificate,
    ConfigRevision,
    Instance,
    ProfileVersion,
    Property,
    RecordProblem,
)

_REVOCATION = ("revoked_at", "revocation_reason", "revoked_revision", "mark")


class DjangoRecordStore:
    """`services.ports.RecordStore`. Each thread that calls it has its own connection.

    Events go to `events`, which one thread at a time may use; without one, none can be written.
    """

    def __init__(self, events: EventStream | None = None) -> None:
        self._events = events or EventStream(no_chain)

    def instance(self) -> str:
        return read(lambda: Instance.objects.values_list("uuid", flat=True).get(id=1))

    def problems_told(self) -> dict[Subject, str]:
        return read(_problems_told)

    def manifest(self) -> ManifestRow | None:
        return read(manifests.head)

    def manifest_part(self, kind: str, number: int) -> ManifestPartRow | None:
        return read(lambda: manifests.part(kind, number))

    def transaction(self) -> AbstractContextManager[RecordTransaction]:
        return _transaction(self._events)

    def find(self, kind: RecordKind, **match: object) -> Record | None:
        return read(lambda: _find(kind, match))

    def find_ever(self, kind: RecordKind, record_id: int) -> Record | None:
        return read(lambda: _find_ever(kind, record_id))

    def all(self, kind: RecordKind) -> tuple[Record, ...]:
        return tuple(read(lambda: record_rows.select(kind)))

    def is_told_of(self, kind: RecordKind, name: str) -> bool:
        return bool(events_about((f"{kind}:{name}",), limit=1))

    def retired(self, kind: RecordKind) -> tuple[Record, ...]:
        return tuple(read(lambda: record_rows.select(kind, removed_at__isnull=False)))


@contextmanager
def _transaction(events: EventStream) -> Iterator[RecordTransaction]:
    with events.transaction() as writer:
        yield DjangoRecordTransaction(ConfigRevision.objects.select_for_update().get(id=1), writer)


class DjangoRecordTransaction:
    """`services.ports.RecordTransaction`. An audit event alone raises no revision."""

    def __init__(self, revision: ConfigRevision, events: EventWriter) -> None:
        self._config = revision
        self._events = events
        self._changed = False

    def create(self, kind: RecordKind, values: Mapping[str, object]) -> Record:
        if kind == "property":
            return self._create_property(values)
        row = record_rows.MODELS[kind](**_known(kind, values))
        row.created_at = values.get("created_at") or datetime.now(UTC)  # type: ignore[attr-defined]  # of Record
        if kind == "profile":
            row.current_version = values.get("current_version", 0)  # type: ignore[attr-defined]  # of Profile
        self._save(kind, row)
        return _existing(kind, row.pk)

    def update(self, kind: RecordKind, record_id: int | str, values: Mapping[str, object]) -> Record:
        if kind == "property":
            return self._update_property(str(record_id), values)
        row = _locked(kind, record_id)
        for column, value in _known(kind, values).items():
            setattr(row, column, value)
        self._save(kind, row)
        return _existing(kind, record_id)

    def retire(self, kind: RecordKind, record_id: int | str) -> None:
        if kind == "property":
            with self._property_change():
                Property.objects.filter(property_key=record_id).delete()
            return
        row = _locked(kind, record_id)
        row.removed_at = datetime.now(UTC)  # type: ignore[attr-defined]  # of Record
        row.revision = self._revision()  # type: ignore[attr-defined]  # of Record
        row.save(update_fields=["removed_at", "revision"])

    def find(self, kind: RecordKind, **match: object) -> Record | None:
        return _find(kind, match)

    def find_ever(self, kind: RecordKind, record_id: int) -> Record | None:
        return _find_ever(kind, record_id)

    def manifest(self) -> ManifestRow | None:
        return manifests.head()

    def manifest_part(self, kind: str, number: int) -> ManifestPartRow | None:
        return manifests.part(kind, number)

    def put_seal(self, kind: RecordKind, record_id: int, *, version: int, seal: str) -> None:
        rows = record_rows.MODELS[kind]._default_manager.filter(pk=record_id)
        rows.update(version=version, seal=seal, revision=self._revision())

    def put_manifest(self, row: ManifestRow) -> None:
        self._revision()
        manifests.put_head(row)

    def put_manifest_part(self, row: ManifestPartRow) -> None:
        manifests.put_part(row, self._revision())

    def touch(self, kind: RecordKind, record_id: int) -> None:
        record_rows.MODELS[kind]._default_manager.filter(pk=record_id).update(revision=self._revision())

    def rise_above(self, revision: int) -> None:
        self._config.value = max(self._config.value, revision)

    def touch_manifest(self) -> None:
        manifests.touch_parts(self._revision())

    def problems_told(self) -> dict[Subject, str]:
        return _problems_told()

    def put_problem(self, subject: Subject, reason: str, found_at: datetime) -> None:
        RecordProblem.objects.update_or_create(
            kind=subject.kind, record=subject.name, defaults={"reason": reason, "found_at": found_at}
        )

    def remove_problem(self, subject: Subject) -> None:
        RecordProblem.objects.filter(kind=subject.kind, record=subject.name).delete()

    def add_profile_version(self, row: ProfileVersionRow) -> int:
        version = ProfileVersion.objects.create(
            profile_id=row.profile_id,
            number=row.number,
            toml=row.toml,
            created_at=row.created_at,
            created_by=row.created_by,
            mark=row.mark,
        )
        self.update("profile", row.profile_id, {"current_version": row.number})
        return version.pk

    def revoke_certificate(
        self, authority_id: int, serial: int, *, at: datetime, reason: str, marker: Marker
    ) -> CertificateRow:
        rows = Certificate.objects.select_for_update()
        row = rows.filter(authority_id=authority_id, serial=serial_to_text(serial)).first()
        if row is None:
            raise NotFound(f"there is no certificate with serial number {serial_to_text(serial)}")
        before = certificate_rows.from_model(row)
        # First: what was altered may say that it is revoked.
        marker.check_certificate(before)
        if row.revoked_at is not None:
            raise AlreadyRevoked(f"certificate {serial_to_text(serial)} was revoked at {row.revoked_at}")
        revoked = replace(
            before, revoked_at=at, revocation_reason=reason, revoked_revision=self._revision(), marker=marker
        )
        for column in _REVOCATION:
            setattr(row, column, getattr(revoked, column))
        row.save(update_fields=_REVOCATION)
        return revoked

    def add_certificate(self, row: CertificateRow) -> None:
        Certificate.objects.create(**certificate_rows.to_columns(row))

    def application_certificates(self, application_id: int, now: datetime) -> tuple[tuple[int, int], ...]:
        return application_certificates(application_id, now)

    def add_order(self, order: SignedOrder) -> None:
        orders.add(order)

    def undecided_orders(self, application_id: int) -> tuple[str, ...]:
        return orders.undecided(application_id)

    def decide_order(self, outcome: OrderOutcome) -> bool:
        return orders.decide(outcome)

    def drop_authenticators(self, user_id: int) -> None:
        authenticators.drop(user_id)

    def add_audit(self, row: AuditRow) -> None:
        self._events.add(row)

    def _revision(self) -> int:
        """The new revision, taken once."""
        if not self._changed:
            self._changed = True
            self._config.value += 1
            self._config.save(update_fields=["value"])
        return self._config.value

    def _save(self, kind: RecordKind, row: Model) -> None:
        _refuse_taken(kind, row)
        row.revision = self._revision()  # type: ignore[attr-defined]  # of Record
        row.save()

    def _create_property(self, values: Mapping[str, object]) -> Record:
        key = str(values["property_key"])
        if Property.objects.filter(property_key=key).exists():
            raise AlreadyExists(f"there is already a property {key!r}")
        with self._property_change():
            Property(**_known("property", values)).save(force_insert=True)
        return _existing("property", key)

    def _update_property(self, key: str, values: Mapping[str, object]) -> Record:
        with self._property_change():
            if not Property.objects.filter(property_key=key).update(**_known("property", values)):
                raise NotFound(f"there is no property {key!r}")
        return _existing("property", key)

    @contextmanager
    def _property_change(self) -> Iterator[None]:
        """Tell the triggers that the service writes the audit event. Seen by this transaction only.

        Who told them so for good is found out by a job, so that is left as it was.
        """
        self._revision()
        ConfigRevision.objects.update(service_is_writing=True)
        yield
        ConfigRevision.objects.update(service_is_writing=self._config.service_is_writing)


def _problems_told() -> dict[Subject, str]:
    rows = RecordProblem.objects.values_list("kind", "record", "reason")
    return {Subject(kind, record): reason for kind, record, reason in rows}


def _find(kind: RecordKind, match: Mapping[str, object]) -> Record | None:
    found = record_rows.select(kind, **match)
    return found[0] if found else None


def _find_ever(kind: RecordKind, record_id: int) -> Record | None:
    return _find(kind, {"id": record_id}) or _find(kind, {"id": record_id, "removed_at__isnull": False})


def _existing(kind: RecordKind, record_id: int | str) -> Record:
    found = _find(kind, {"id": record_id})
    assert found is not None
    return found


def _locked(kind: RecordKind, record_id: int | str) -> Model:
    rows = record_rows.MODELS[kind]._default_manager.select_for_update()
    row: Model | None = rows.filter(pk=record_id, removed_at__isnull=True).first()
    if row is None:
        raise NotFound(f"there is no {kind} with number {record_id}")
    return row


def _known(kind: RecordKind, values: Mapping[str, object]) -> dict[str, Any]:
    unknown = values.keys() - set(record_rows.columns(kind))
    if unknown:
        raise ValueError(f"a record of kind {kind!r} has no column {', '.join(sorted(unknown))}")
    return dict(values)


def _refuse_taken(kind: RecordKind, row: Model) -> None:
    for constraint in row._meta.constraints:
        assert isinstance(constraint, UniqueConstraint)
        match: dict[str, Any] = {column: getattr(row, column) for column in constraint.fields}
        if constraint.condition is not None:
            match["removed_at__isnull"] = True
        if type(row)._default_manager.filter(**match).exclude(pk=row.pk).exists():
            named = ", ".join(
                f"{column} {value!r}" for column, value in match.items() if column != "removed_at__isnull"
            )
            raise AlreadyExists(f"there is already a record of kind {kind} with {named}")
