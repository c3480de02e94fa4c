"""Records in memory: the contract of `services.ports.RecordStore` without a database, for unit tests."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

from certuary.errors import AlreadyExists, AlreadyRevoked, NotFound
from certuary.services.ports import (
    AuditRow,
    CertificateRow,
    CrlRow,
    ManifestPartRow,
    ManifestRow,
    Record,
    RecordKind,
    RecordTransaction,
    RevokedEntry,
    Subject,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
INSTANCE = "8a4f2b0e-0000-4000-8000-000000000001"

_UNIQUE: Mapping[RecordKind, tuple[str, ...]] = {
    "authority": ("name",),
    "group": ("code", "name"),
    "profile": ("name",),
    "label": ("name",),
    "application": ("name", "username"),
    "user": ("name",),
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
        self.parts: dict[tuple[str, int], ManifestPartRow] = {}
        self.problems: dict[Subject, str] = {}
        self.certificates: list[CertificateRow] = []
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
        try:
            yield cast(RecordTransaction, self)
            if self.fail_at_commit is not None:
                raise self.fail_at_commit
        except BaseException:
            self.__dict__.update({**before, "fail_at_commit": None})
            raise

    def find(self, kind: RecordKind, **match: object) -> Record | None:
        return next((record for record in self.all(kind) if _matches(record, match)), None)

    def find_ever(self, kind: RecordKind, record_id: int) -> Record | None:
        return self.rows.get((kind, record_id)) or self.gone.get((kind, record_id))

    def all(self, kind: RecordKind) -> tuple[Record, ...]:
        found = [record for record in self.rows.values() if record.kind == kind]
        return tuple(sorted(found, key=lambda record: str(record.values[_UNIQUE[kind][-1]])))

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
        self.gone[kind, record_id] = replace(self.rows.pop((kind, record_id)), removed_at=NOW)

    def manifest(self) -> ManifestRow | None:
        return self.head

    def manifest_part(self, kind: str, number: int) -> ManifestPartRow | None:
        return self.parts.get((kind, number))

    def put_seal(self, kind: RecordKind, record_id: int, *, version: int, seal: str) -> None:
        rows = self.rows if (kind, record_id) in self.rows else self.gone
        rows[kind, record_id] = replace(rows[kind, record_id], version=version, seal=seal)

    def touch(self, kind: RecordKind, record_id: int) -> None:
        self.revision += 1

    def touch_manifest(self) -> None:
        self.revision += 1

    def rise_above(self, revision: int) -> None:
        self.revision = max(self.revision, revision)

    def problems_told(self) -> dict[Subject, str]:
        return dict(self.problems)

    def put_problem(self, subject: Subject, reason: str, found_at: datetime) -> None:
        self.problems[subject] = reason

    def remove_problem(self, subject: Subject) -> None:
        del self.problems[subject]

    def put_manifest(self, row: ManifestRow) -> None:
        self.head = row

    def put_manifest_part(self, row: ManifestPartRow) -> None:
        self.parts[row.kind, row.number] = row

    def add_profile_version(self, profile_id: int, *, number: int, toml: str, at: datetime, by: str) -> int:
        self.update("profile", profile_id, {"current_version": number, "toml": toml, "version_id": number})
        return number

    def revoke_certificate(
        self, authority_id: int, serial: int, *, at: datetime, reason: str
    ) -> CertificateRow:
        for index, row in enumerate(self.certificates):
            if (row.authority_id, row.serial) == (authority_id, serial):
                if row.revoked_at is not None:
                    raise AlreadyRevoked("it is")
                self.certificates[index] = replace(row, revoked_at=at, revocation_reason=reason)
                return self.certificates[index]
        raise NotFound("there is no such certificate")

    def add_certificate(self, row: CertificateRow) -> None:
        self.certificates.append(row)

    def add_audit(self, row: AuditRow) -> None:
        self.audit.append(row)

    def _refuse_taken(self, kind: RecordKind, values: Mapping[str, object], own: int | str | None) -> None:
        for column in _UNIQUE[kind]:
            taken = self.find(kind, **{column: values[column]}) if column in values else None
            if taken is not None and taken.id != own:
                raise AlreadyExists(f"there is already a {kind} with {column} {values[column]!r}")


class MemoryCrls:
    """`services.ports.CrlStore`; it knows of no revocation."""

    def __init__(self) -> None:
        self.rows: list[CrlRow] = []

    def latest(self, authority_id: int) -> CrlRow | None:
        return next((row for row in reversed(self.rows) if row.authority_id == authority_id), None)

    def latest_number(self, authority_id: int) -> int | None:
        latest = self.latest(authority_id)
        return None if latest is None else latest.number

    def current_revision(self) -> int:
        return 0

    def has_revocation_after(self, authority_id: int, revision: int) -> bool:
        return False

    def revoked(self, authority_id: int, *, since: datetime) -> tuple[RevokedEntry, ...]:
        return ()

    def add(self, row: CrlRow, audit: AuditRow) -> None:
        self.rows.append(row)


def _matches(record: Record, match: Mapping[str, object]) -> bool:
    return all(
        (record.id if key == "id" else record.values.get(key)) == value for key, value in match.items()
    )
