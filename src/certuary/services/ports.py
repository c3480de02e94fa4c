"""What the services need from the outside, as small protocols; the promises are in the docstrings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, NamedTuple, Protocol

from certuary.core.certificate import SigningKey


class Clock(Protocol):
    def now(self) -> datetime:
        """The time, in UTC, zone-aware."""
        ...


class KeyStore(Protocol):
    """Where private keys and secrets live. Every failure is a `KeyStoreDown` or a `ConfigError`.

    A key has a role ("root", "issuing", "tls", "operator", "checkpoint"), a secret too ("secret", "mark", "audit"); a
    process opens the roles it was given and no other.
    """

    def generate_key(self, name: str, *, role: str, key_type: str) -> SigningKey:
        """Make, store and return a key. `AlreadyExists` when the name is taken; durable when it returns."""
        ...

    def load_key(self, name: str, *, role: str) -> SigningKey:
        """`NotFound` when there is none of that name, `KeyStoreDown` when it cannot be opened."""
        ...

    def put_secret(self, name: str, value: bytes, *, role: str = "secret") -> None:
        """Store a symmetric secret, such as the pepper. `AlreadyExists` when the name is taken."""
        ...

    def load_secret(self, name: str, *, role: str = "secret") -> bytes: ...

    def seal(self, name: str, value: bytes, *, role: str) -> bytes:
        """Encrypt bytes that are kept outside the store; `unseal` opens them under the same name and role only."""
        ...

    def unseal(self, name: str, sealed: bytes, *, role: str) -> bytes:
        """`KeyStoreDown` when they are damaged or were sealed under another name, role or store."""
        ...

    def names(self) -> tuple[tuple[str, str], ...]:
        """(name, role) of each key and secret, sorted."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRow:
    """A certificate as the database keeps it. `id` is None before it is committed."""

    authority_id: int
    serial: int
    profile_version_id: int | None
    application_id: int | None
    subject: str
    subject_key: str
    alternative_names: str
    key_hash: str
    not_before: datetime
    not_after: datetime
    der: bytes
    source: str
    replaces: str | None
    issued_at: datetime
    revoked_at: datetime | None = None
    revocation_reason: str | None = None
    id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentRow:
    """One request and its outcome: "issued" or "refused" (then `reason` is the rule)."""

    request_id: str
    at: datetime
    operation: str
    outcome: str
    reason: str
    application_id: int | None
    profile_version_id: int | None
    label: str
    address: str
    serial: int | None
    csr_der: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """`kind` is a dotted word such as "enrolment.issued"; `detail` is JSON text and holds no secret."""

    at: datetime
    kind: str
    actor_kind: str
    actor: str
    target: str
    request_id: str
    address: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchItem:
    """What one request commits, in one transaction: all of it or nothing."""

    audit: AuditRow
    enrolment: EnrolmentRow | None = None
    certificate: CertificateRow | None = None


class IssuanceWriter(Protocol):
    """The unit of work of the issuance path: many items, one commit.

    The future resolves to None only after the commit; else it raises `DatabaseDown`, and nothing of the item is
    stored. `submit` never blocks; past its bound it raises `Unavailable`.
    """

    def submit(self, item: BatchItem) -> Future[None]: ...


class CertificateReader(Protocol):
    """Lookups on the issuance path. Blocking; called from a reader thread. `DatabaseDown` when they cannot be had."""

    def by_serial(self, authority_id: int, serial: int) -> CertificateRow | None: ...

    def newest_valid(
        self, application_id: int, subject_key: str, alternative_names: str, now: datetime
    ) -> CertificateRow | None:
        """The newest unrevoked, unexpired certificate of the application with exactly these names."""
        ...

    def by_key_hash(self, key_hash: str) -> tuple[CertificateRow, ...]: ...


RecordKind = Literal["authority", "group", "profile", "label", "application", "user", "property"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A row that people change: its columns by name, as plain values (str, int, bool, None, datetime, bytes, list).

    `id` is the row's number, for a property its key. A profile's values include "toml": its current version's text,
    and "version_id". `version` and `seal` are those of a sealed kind; `removed_at` is set when it is retired.
    """

    kind: RecordKind
    id: int | str
    revision: int
    values: Mapping[str, object]
    version: int = 0
    seal: str = ""
    removed_at: datetime | None = None


SEALED_KINDS: Final[tuple[RecordKind, ...]] = (
    "authority",
    "group",
    "profile",
    "label",
    "application",
    "user",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestRow:
    """The manifest's head as the database keeps it: `core.manifest.Head` as its body, and the signature."""

    body: str
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestPartRow:
    kind: str
    number: int
    body: str


class ManifestSource(Protocol):
    def manifest(self) -> ManifestRow | None: ...

    def manifest_part(self, kind: str, number: int) -> ManifestPartRow | None: ...


class Subject(NamedTuple):
    """What a finding about seals names: a record by kind and name, or a part of the manifest."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


class RecordTransaction(ManifestSource, Protocol):
    """Several changes, one commit, one new revision. Leaving with an exception undoes all of it."""

    def create(self, kind: RecordKind, values: Mapping[str, object]) -> Record:
        """`AlreadyExists` when a unique column's value is taken by a record that is not retired."""
        ...

    def update(self, kind: RecordKind, record_id: int | str, values: Mapping[str, object]) -> Record: ...

    def retire(self, kind: RecordKind, record_id: int | str) -> None:
        """Mark as removed; a property's row is deleted."""
        ...

    def find(self, kind: RecordKind, **match: object) -> Record | None: ...

    def find_ever(self, kind: RecordKind, record_id: int) -> Record | None: ...

    def put_seal(self, kind: RecordKind, record_id: int, *, version: int, seal: str) -> None:
        """Also of a record that is retired."""
        ...

    def put_manifest(self, row: ManifestRow) -> None: ...

    def put_manifest_part(self, row: ManifestPartRow) -> None: ...

    def touch(self, kind: RecordKind, record_id: int) -> None:
        """Have every process read the row again. Nothing happens when it is gone."""
        ...

    def rise_above(self, revision: int) -> None:
        """Let the new revision be above that one, too: somebody set it back."""
        ...

    def touch_manifest(self) -> None:
        """The same for the manifest and all its parts."""
        ...

    def problems_told(self) -> dict[Subject, str]:
        """The findings about seals that have an audit event, each with its reason."""
        ...

    def put_problem(self, subject: Subject, reason: str, found_at: datetime) -> None: ...

    def remove_problem(self, subject: Subject) -> None: ...

    def add_profile_version(
        self, profile_id: int, *, number: int, toml: str, at: datetime, by: str
    ) -> int: ...

    def revoke_certificate(
        self, authority_id: int, serial: int, *, at: datetime, reason: str
    ) -> CertificateRow:
        """`NotFound`, or `AlreadyRevoked` (then nothing is written)."""
        ...

    def add_certificate(self, row: CertificateRow) -> None: ...

    def add_audit(self, row: AuditRow) -> None: ...


class RecordStore(ManifestSource, Protocol):
    """Records that are not retired. Blocking; a failure of the database is `DatabaseDown`."""

    def instance(self) -> str:
        """The installation's number, made with the tables."""
        ...

    def problems_told(self) -> dict[Subject, str]: ...

    def transaction(self) -> AbstractContextManager[RecordTransaction]: ...

    def find(self, kind: RecordKind, **match: object) -> Record | None: ...

    def find_ever(self, kind: RecordKind, record_id: int) -> Record | None:
        """By number, also when it is retired: what certificates and events point at."""
        ...

    def all(self, kind: RecordKind) -> tuple[Record, ...]:
        """Sorted by name (properties by key)."""
        ...

    def retired(self, kind: RecordKind) -> tuple[Record, ...]:
        """Those that were removed, sorted by name."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigDelta:
    """What changed after a revision, in one consistent read. `retired` are (kind, id) of records no longer there."""

    revision: int
    records: tuple[Record, ...]
    retired: tuple[tuple[RecordKind, int], ...]
    properties: Mapping[str, tuple[str, str]]
    revoked: tuple[tuple[int, int], ...]
    """(authority id, serial) of certificates revoked since; empty on the first read."""
    manifest: ManifestRow | None = None
    parts: tuple[ManifestPartRow, ...] = ()
    """Those that changed, like `records`."""
    part_names: frozenset[tuple[str, int]] | None = None
    """Kind and number of all parts that there are now; None when nothing changed."""
    counts: Mapping[RecordKind, int] = field(default_factory=dict)
    """How many records of each kind there are now; empty when nothing changed."""


class ConfigFeed(Protocol):
    def read(self, since: int) -> ConfigDelta:
        """Everything with a revision above `since` (0: everything that is not retired), all properties, the manifest.

        Three cheap statements when nothing changed.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedEntry:
    """One line of a CRL."""

    serial: int
    revoked_at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CrlRow:
    """A published CRL. It holds every revocation with a revision up to `covers_revision`."""

    authority_id: int
    number: int
    covers_revision: int
    this_update: datetime
    next_update: datetime
    der: bytes


class CrlStore(Protocol):
    """CRLs and what goes into them. Blocking; a failure of the database is `DatabaseDown`."""

    def latest(self, authority_id: int) -> CrlRow | None: ...

    def latest_number(self, authority_id: int) -> int | None:
        """The newest CRL's number, without reading the CRL."""
        ...

    def current_revision(self) -> int:
        """Every change with a revision up to this one is visible to the next read."""
        ...

    def has_revocation_after(self, authority_id: int, revision: int) -> bool: ...

    def revoked(self, authority_id: int, *, since: datetime) -> Iterable[RevokedEntry]:
        """In order of revocation: what expires, or was revoked, at or after `since`. Streamed."""
        ...

    def add(self, row: CrlRow, audit: AuditRow) -> None:
        """In one transaction. `AlreadyExists` when another node has published that number."""
        ...


class LeaseStore(Protocol):
    """Who does what only one process may do at a time. `DatabaseDown` when that cannot be known."""

    def acquire(self, name: str, holder: str, *, seconds: int) -> bool:
        """Take or prolong a lease; False while somebody else holds it."""
        ...

    def release(self, name: str, holder: str) -> None:
        """Give it back; nothing happens when it is somebody else's."""
        ...
