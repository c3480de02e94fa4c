"""Records in memory: the contract of `services.ports.RecordStore` without a database, for unit tests."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from certuary.core.mark import Marker
from certuary.errors import AlreadyExists, AlreadyRevoked, NotFound
from certuary.services.ports import (
    APPLICATION_SOURCE,
    AuditRow,
    CertificateRow,
    ConfigDelta,
    CrlRow,
    ManifestPartRow,
    ManifestRow,
    OrderOutcome,
    ProfileVersionRow,
    Record,
    RecordKind,
    RecordTransaction,
    RevocationsSeen,
    SignedOrder,
    Subject,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
INSTANCE = "8a4f2b0e-0000-4000-8000-000000000001"
MARKER = Marker(b"the key of the marks", INSTANCE)

FED_KINDS: tuple[RecordKind, ...] = ("authority", "group", "profile", "label", "application")
"""Those that the processes read; users are not among them."""

_UNIQUE: Mapping[RecordKind, tuple[str, ...]] = {
    "authority": ("name",),
    "group": ("code", "name"),
    "profile": ("name",),
    "label": ("name",),
    "application": ("name", "username"),
    "user": ("name",),
    "switch": ("name",),
    "approval": ("name",),
    "property": ("property_key",),
}


class FixedClock:
    def __init__(self, now: datetime = NOW) -> None:
        self.moment = now

    def now(self) -> datetime:
        return self.moment


class MemoryRecords:
    """Also the transaction: leaving it with an exception puts everything back."""

    def __init__(self) -> None:
        self.revision = 0
        self.rows: dict[tuple[RecordKind, int | str], Record] = {}
        self.gone: dict[tuple[RecordKind, int | str], Record] = {}
        self.head: ManifestRow | None = None
        self.parts: dict[tuple[str, int], tuple[int, ManifestPartRow]] = {}
        """With the revision of each."""
        self.problems: dict[Subject, str] = {}
        self.dropped_authenticators: list[int] = []
        self.factor_digests: dict[int, tuple[str, ...]] = {}
        """Of the rows of second factors, by user."""
        self.certificates: list[CertificateRow] = []
        self.profile_versions: list[ProfileVersionRow] = []
        self.orders: dict[str, SignedOrder] = {}
        self.outcomes: dict[str, OrderOutcome] = {}
        self.audit: list[AuditRow] = []
        self.fail_at_commit: Exception | None = None

    def instance(self) -> str:
        return INSTANCE

    def transaction(self) -> AbstractContextManager[RecordTransaction]:
        return self._transaction()

    @contextmanager
    def _transaction(self) -> Iterator[RecordTransaction]:
        before = copy.copy(self.__dict__)
        self.rows, self.gone, self.parts = dict(self.rows), dict(self.gone), dict(self.parts)
        self.certificates, self.audit = list(self.certificates), list(self.audit)
        self.problems = dict(self.problems)
        self.orders, self.outcomes = dict(self.orders), dict(self.outcomes)
        try:
            yield cast(RecordTransaction, self)
            if self.fail_at_commit is not None:
                raise self.fail_at_commit
        except BaseException:
            self.__dict__.update({**before, "fail_at_commit": None})
            raise

    def find(self, kind: RecordKind, **match: object) -> Record | None:
        if match.keys() == {"id"}:
            return self.rows.get((kind, cast(int | str, match["id"])))
        return next((record for record in self.all(kind) if _matches(record, match)), None)

    def find_ever(self, kind: RecordKind, record_id: int) -> Record | None:
        return self.rows.get((kind, record_id)) or self.gone.get((kind, record_id))

    def all(self, kind: RecordKind) -> tuple[Record, ...]:
        found = [record for record in self.rows.values() if record.kind == kind]
        return tuple(sorted(found, key=lambda record: str(record.values[_UNIQUE[kind][-1]])))

    def is_told_of(self, kind: RecordKind, name: str) -> bool:
        return any(row.target == f"{kind}:{name}" for row in self.audit)

    def retired(self, kind: RecordKind) -> tuple[Record, ...]:
        return tuple(record for record in self.gone.values() if record.kind == kind)

    def create(self, kind: RecordKind, values: Mapping[str, object]) -> Record:
        self._refuse_taken(kind, values, None)
        self.revision += 1
        number = 1 + sum(1 for known, _ in (*self.rows, *self.gone) if known == kind)
        record_id = str(values["property_key"]) if kind == "property" else number
        record = Record(kind=kind, id=record_id, revision=self.revision, values=dict(values))
        self.rows[kind, record_id] = record
        return record

    def update(self, kind: RecordKind, record_id: int | str, values: Mapping[str, object]) -> Record:
        if (kind, record_id) not in self.rows:
            raise NotFound(f"there is no {kind} with number {record_id}")
        self._refuse_taken(kind, values, record_id)
        self.revision += 1
        old = self.rows[kind, record_id]
        self.rows[kind, record_id] = replace(old, revision=self.revision, values={**old.values, **values})
        return self.rows[kind, record_id]

    def retire(self, kind: RecordKind, record_id: int | str) -> None:
        self.revision += 1
        record = self.rows.pop((kind, record_id))
        self.gone[kind, record_id] = replace(record, removed_at=NOW, revision=self.revision)

    def manifest(self) -> ManifestRow | None:
        return self.head

    def manifest_part(self, kind: str, number: int) -> ManifestPartRow | None:
        found = self.parts.get((kind, number))
        return None if found is None else found[1]

    def manifest_parts(self) -> tuple[ManifestPartRow, ...]:
        return tuple(part for _, part in self.parts.values())

    def put_seal(self, kind: RecordKind, record_id: int, *, version: int, seal: str) -> None:
        rows = self.rows if (kind, record_id) in self.rows else self.gone
        self.revision += 1
        changes = {"version": version, "seal": seal, "revision": self.revision}
        rows[kind, record_id] = replace(rows[kind, record_id], **changes)  # type: ignore[arg-type]  # by name

    def touch(self, kind: RecordKind, record_id: int) -> None:
        self.revision += 1
        for rows in (self.rows, self.gone):
            if (kind, record_id) in rows:
                rows[kind, record_id] = replace(rows[kind, record_id], revision=self.revision)

    def touch_manifest(self) -> None:
        self.revision += 1
        self.parts = {name: (self.revision, part) for name, (_, part) in self.parts.items()}

    def rise_above(self, revision: int) -> None:
        self.revision = max(self.revision, revision)

    def problems_told(self) -> dict[Subject, str]:
        return dict(self.problems)

    def put_problem(self, subject: Subject, reason: str, found_at: datetime) -> None:
        self.problems[subject] = reason

    def remove_problem(self, subject: Subject) -> None:
        self.problems.pop(subject, None)

    def put_manifest(self, row: ManifestRow) -> None:
        self.revision += 1
        self.head = row

    def put_manifest_part(self, row: ManifestPartRow) -> None:
        self.revision += 1
        self.parts[row.kind, row.number] = self.revision, row

    def add_profile_version(self, row: ProfileVersionRow) -> int:
        values = {"current_version": row.number, "toml": row.toml, "version_id": row.number}
        self.update("profile", row.profile_id, values)
        self.profile_versions.append(row)
        return row.number

    def revoke_certificate(
        self, authority_id: int, serial: int, *, at: datetime, reason: str, marker: Marker
    ) -> CertificateRow:
        for index, row in enumerate(self.certificates):
            if (row.authority_id, row.serial) == (authority_id, serial):
                marker.check_certificate(row)
                if row.revoked_at is not None:
                    raise AlreadyRevoked("it is")
                self.revision += 1
                revoked = replace(
                    row,
                    revoked_at=at,
                    revocation_reason=reason,
                    revoked_revision=self.revision,
                    marker=marker,
                )
                self.certificates[index] = revoked
                return revoked
        raise NotFound("there is no such certificate")

    def add_certificate(self, row: CertificateRow) -> None:
        self.certificates.append(row)

    def application_certificates(self, application_id: int, now: datetime) -> tuple[tuple[int, int], ...]:
        return tuple(
            (row.authority_id, row.serial)
            for row in self.certificates
            if row.application_id == application_id
            and row.source == APPLICATION_SOURCE
            and row.revoked_at is None
            and row.not_after > now
        )

    def add_order(self, order: SignedOrder) -> None:
        self.orders[order.order.id] = order

    def undecided_orders(self, application_id: int) -> tuple[str, ...]:
        orders = (one.order for one in self.orders.values())
        return tuple(
            one.id for one in orders if one.application_id == application_id and one.id not in self.outcomes
        )

    def decide_order(self, outcome: OrderOutcome) -> bool:
        return self.outcomes.setdefault(outcome.order_id, outcome) is outcome

    def drop_authenticators(self, user_id: int) -> None:
        self.dropped_authenticators.append(user_id)

    def add_audit(self, row: AuditRow) -> None:
        self.audit.append(row)

    def _refuse_taken(self, kind: RecordKind, values: Mapping[str, object], own: int | str | None) -> None:
        for column in _UNIQUE[kind]:
            taken = self.find(kind, **{column: values[column]}) if column in values else None
            if taken is not None and taken.id != own:
                raise AlreadyExists(f"there is already a {kind} with {column} {values[column]!r}")


class MemoryFeed:
    """`services.ports.ConfigFeed` over records in memory."""

    def __init__(self, records: MemoryRecords) -> None:
        self._records = records

    def read(self, since: int) -> ConfigDelta:
        records = self._records
        if since and since == records.revision:
            return ConfigDelta(revision=since, records=(), retired=(), properties={}, revoked=())
        return ConfigDelta(
            revision=records.revision,
            records=tuple(one for kind in FED_KINDS for one in records.all(kind) if one.revision > since),
            retired=tuple(
                (kind, int(one.id))
                for kind in FED_KINDS
                for one in records.retired(kind)
                if one.revision > since > 0
            ),
            properties={},
            revoked=(),
            manifest=records.head,
            parts=tuple(part for revision, part in records.parts.values() if revision > since),
            part_names=frozenset(records.parts),
            counts={kind: len(records.all(kind)) for kind in FED_KINDS},
        )


class MemoryRowWatch:
    """`services.watch_seals.RowWatch` over records in memory."""

    def __init__(self, records: MemoryRecords) -> None:
        self._records = records

    def moment(self) -> AbstractContextManager[None]:
        return nullcontext()

    def revision(self) -> int:
        return self._records.revision

    def manifest(self) -> ManifestRow | None:
        return self._records.head

    def manifest_parts(self) -> tuple[ManifestPartRow, ...]:
        return self._records.manifest_parts()

    def fingerprints(self, kind: RecordKind) -> Mapping[int, int]:
        return {
            int(record.id): hash(repr((record.version, record.seal, record.values)))
            for record in self._records.all(kind)
        }

    def factor_digests(self) -> Mapping[int, tuple[str, ...]]:
        return self._records.factor_digests

    def by_ids(self, kind: RecordKind, ids: Iterable[int]) -> tuple[Record, ...]:
        wanted = frozenset(ids)
        return tuple(record for record in self._records.all(kind) if record.id in wanted)


class MemoryLeases:
    """`services.ports.LeaseStore`: a lease lasts until it is released."""

    def __init__(self) -> None:
        self.held: dict[str, str] = {}

    def acquire(self, name: str, holder: str, *, seconds: int) -> bool:
        return self.held.setdefault(name, holder) == holder

    def release(self, name: str, holder: str) -> None:
        if self.held.get(name) == holder:
            del self.held[name]


class MemoryCrls:
    """`services.ports.CrlStore` over lists, to be altered as plain SQL would."""

    def __init__(self) -> None:
        self.rows: list[CrlRow] = []
        self.certificate_rows: list[CertificateRow] = []
        self.audit: list[AuditRow] = []
        self.revision = 1

    def latest(self, authority_id: int, *, below: int | None = None) -> CrlRow | None:
        rows = [row for row in self.rows if row.authority_id == authority_id]
        wanted = [row for row in rows if below is None or row.number < below]
        return max(wanted, key=lambda row: row.number, default=None)

    def latest_number(self, authority_id: int) -> int | None:
        return max((row.number for row in self.rows if row.authority_id == authority_id), default=None)

    def current_revision(self) -> int:
        return self.revision

    def has_revocation_after(self, authority_id: int, revision: int) -> bool:
        return any((row.revoked_revision or 0) > revision for row in self._of(authority_id))

    def revocations_seen(self) -> RevocationsSeen:
        revisions = [row.revoked_revision for row in self.certificate_rows if row.revoked_revision]
        dates = [row.revoked_at for row in self.certificate_rows if row.revoked_at]
        return RevocationsSeen(
            rows=max(len(revisions), len(dates)),
            revoked=len(dates),
            sum_of_revisions=sum(revisions),
            newest_revision=max(revisions, default=0),
        )

    def revoked_serials(self, authority_id: int, *, since: datetime) -> Iterator[int]:
        for row in self._of(authority_id):
            if row.revoked_at is not None and (row.not_after >= since or row.revoked_at >= since):
                yield row.serial

    def certificates(self, authority_id: int, serials: Sequence[int]) -> Iterator[CertificateRow]:
        return (row for row in self._of(authority_id) if row.serial in serials)

    def add(self, row: CrlRow, audit: AuditRow) -> None:
        if any((known.authority_id, known.number) == (row.authority_id, row.number) for known in self.rows):
            raise AlreadyExists("that number is taken")
        self.rows.append(row)
        self.audit.append(audit)

    def alter(self, serial: int, /, **changes: Any) -> None:
        """As plain SQL would: the mark stays what it was."""
        rows = self.certificate_rows
        self.certificate_rows = [replace(row, **changes) if row.serial == serial else row for row in rows]

    def _of(self, authority_id: int) -> list[CertificateRow]:
        return [row for row in self.certificate_rows if row.authority_id == authority_id]


def marked_certificate(serial: int, **changes: Any) -> CertificateRow:
    """Of authority 2 and application 1, unrevoked, valid for 90 days; its DER is none."""
    values: dict[str, Any] = {
        "authority_id": 2,
        "serial": serial,
        "profile_version_id": 1,
        "application_id": 1,
        "subject": "CN=dev-1",
        "subject_key": "cn=dev-1",
        "alternative_names": "[]",
        "key_hash": "ab" * 32,
        "not_before": NOW - timedelta(days=1),
        "not_after": NOW + timedelta(days=90),
        "der": b"0",
        "source": "est",
        "replaces": None,
        "issued_at": NOW,
    }
    return CertificateRow(**values | changes, marker=MARKER)


def revoked_certificate(serial: int, revision: int = 2, **changes: Any) -> CertificateRow:
    revocation = {"revoked_at": NOW, "revocation_reason": "superseded", "revoked_revision": revision}
    return marked_certificate(serial, **revocation | changes)


def _matches(record: Record, match: Mapping[str, object]) -> bool:
    return all(
        (record.id if key == "id" else record.values.get(key)) == value for key, value in match.items()
    )


def nothing_listed(authority_id: int, serial: int) -> bool:
    """As `services.listed_revocations` answers where nothing was revoked."""
    return False
