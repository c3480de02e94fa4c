"""What the services need from the outside, as small protocols; the promises are in the docstrings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import InitVar, dataclass, field
from datetime import datetime
from typing import Final, Literal, NamedTuple, Protocol

from certuary.core.audit_chain import Head
from certuary.core.certificate import SigningKey
from certuary.core.checkpoint import SignedCheckpoint
from certuary.core.mark import Marker


class Clock(Protocol):
    def now(self) -> datetime:
        """The time, in UTC, zone-aware."""
        ...


class KeyStore(Protocol):
    """Where private keys and secrets live. Every failure is a `KeyStoreDown` or a `ConfigError`.

    A key has a role ("root", "issuing", "tls", "operator", "checkpoint"), a secret too ("secret", "mark", "audit",
    "portal"); a
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
    """A certificate as the database keeps it. `id` is None before it is committed.

    Made, or replaced, with a `marker` it carries a fresh mark. Whoever believes a row that was read checks its mark.
    """

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
    revoked_revision: int | None = None
    mark: bytes | None = None
    id: int | None = None
    marker: InitVar[Marker | None] = None

    def __post_init__(self, marker: Marker | None) -> None:
        if marker is not None:
            object.__setattr__(self, "mark", marker.certificate(self))


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
class StoredEvent:
    """An event as the database has it. Without `seq` it belongs to no chain.

    `number` rises with each event; a gap is a transaction that was undone.
    """

    number: int
    stream: str
    seq: int | None
    previous: bytes
    hash: bytes
    event: AuditRow


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
    and "version_id". `version` and `seal` are those of a sealed kind; `removed_at` is set when it is retired. One that
    is `unreadable` holds what no record does; its values are None, but for what people call it.
    """

    kind: RecordKind
    id: int | str
    revision: int
    values: Mapping[str, object]
    version: int = 0
    seal: str = ""
    removed_at: datetime | None = None
    unreadable: bool = False


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileVersionRow:
    """What a profile said at one version. Made with a `marker` it carries its mark."""

    profile_id: int
    number: int
    toml: str
    created_at: datetime
    created_by: str
    mark: bytes | None = None
    marker: InitVar[Marker | None] = None

    def __post_init__(self, marker: Marker | None) -> None:
        if marker is not None:
            object.__setattr__(self, "mark", marker.profile_version(self))


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

    def add_profile_version(self, row: ProfileVersionRow) -> int:
        """It becomes the profile's current one."""
        ...

    def revoke_certificate(
        self, authority_id: int, serial: int, *, at: datetime, reason: str, marker: Marker
    ) -> CertificateRow:
        """`NotFound`, `InvalidMark`, or `AlreadyRevoked` (then nothing is written).

        A fresh mark takes the place of one that held, and of no other: it would vouch for what was altered.
        """
        ...

    def add_certificate(self, row: CertificateRow) -> None: ...

    def drop_authenticators(self, user_id: int) -> None:
        """Delete the rows of a user's second factors, if there are any."""
        ...

    def add_audit(self, row: AuditRow) -> None:
        """As the next event of the stream that the store was opened with; an error without one."""
        ...


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
    """A published CRL. It holds every revocation with a revision up to `covers_revision`.

    Made with a `marker` it carries its mark.
    """

    authority_id: int
    number: int
    covers_revision: int
    this_update: datetime
    next_update: datetime
    der: bytes
    mark: bytes | None = None
    marker: InitVar[Marker | None] = None

    def __post_init__(self, marker: Marker | None) -> None:
        if marker is not None:
            object.__setattr__(self, "mark", marker.crl(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationsSeen:
    """Numbers that move when a revocation is made, erased or forged; cheap, whatever the number of certificates."""

    rows: int
    revoked: int
    sum_of_revisions: int
    newest_revision: int


class CrlStore(Protocol):
    """CRLs and what goes into them. Blocking; a failure of the database is `DatabaseDown`."""

    def latest(self, authority_id: int, *, below: int | None = None) -> CrlRow | None:
        """The one with the highest number (below a number). As the database has it: its mark may not hold."""
        ...

    def latest_number(self, authority_id: int) -> int | None:
        """The newest CRL's number, without reading the CRL."""
        ...

    def current_revision(self) -> int:
        """Every change with a revision up to this one is visible to the next read."""
        ...

    def has_revocation_after(self, authority_id: int, revision: int) -> bool: ...

    def revocations_seen(self) -> RevocationsSeen:
        """Of all authorities."""
        ...

    def revoked_serials(self, authority_id: int, *, since: datetime) -> Iterable[int]:
        """Of what the database says is revoked and expires, or was revoked, at or after `since`. Streamed."""
        ...

    def certificates(self, authority_id: int, serials: Sequence[int]) -> Iterator[CertificateRow]:
        """Those that are there, whole, in no order. Streamed."""
        ...

    def add(self, row: CrlRow, audit: AuditRow) -> None:
        """In one transaction. `AlreadyExists` when another node has published that number."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableRow:
    """A row with a value of another type than its column's, as SQLite lets plain SQL write one."""

    id: int


class MarkedRows(Protocol):
    """All rows that carry a mark, as the database has them, in pages: the memory they take does not grow.

    Blocking; a failure of the database is `DatabaseDown`.
    """

    def count_certificates(self) -> int:
        """About how many there are, to tell how far a long look has come."""
        ...

    def certificates(self) -> Iterator[CertificateRow | UnreadableRow]: ...

    def crls(self) -> Iterator[CrlRow | UnreadableRow]: ...

    def profile_versions(self) -> Iterator[ProfileVersionRow | UnreadableRow]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRow:
    """What a node's status process says of the node: the verdict of `/readyz`, and since when."""

    name: str
    hostname: str
    version: str
    ready: bool
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    started_at: datetime
    seen_at: datetime


class NodeStore(Protocol):
    def put(self, row: NodeRow) -> None:
        """In the place of what the node said before. `DatabaseDown`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestRows:
    """The highest numbers that are visible. Below them a transaction may still be open that has a lower one."""

    certificate_id: int
    enrolment_id: int


class CountStore(Protocol):
    """The dashboard's counts. Each call commits on its own; `DatabaseDown`."""

    def newest_rows(self) -> NewestRows: ...

    def commits_in_order(self) -> bool:
        """Whether a row's number tells when it was committed."""
        ...

    def count_slice(self, settled: NewestRows, *, size: int) -> bool:
        """Count up to `size` rows of each table, none beyond `settled`. Whether that was all there is.

        Two processes that count at once add nothing twice: only one finds the position where it read it.
        """
        ...

    def has_moved_application(self) -> bool:
        """Whether an application is in another group than the one under which it was counted."""
        ...

    def recount(self) -> None:
        """Forget every count: the next slices make them anew."""
        ...

    def prune(self) -> None:
        """Days that no page shows any more."""
        ...


class LeaseStore(Protocol):
    """Who does what only one process may do at a time. `DatabaseDown` when that cannot be known."""

    def acquire(self, name: str, holder: str, *, seconds: int) -> bool:
        """Take or prolong a lease; False while somebody else holds it."""
        ...

    def release(self, name: str, holder: str) -> None:
        """Give it back; nothing happens when it is somebody else's."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedStream:
    """A stream and its last event, as the database has it."""

    stream: str
    head: Head


class AuditStreamStore(Protocol):
    """Which process writes which stream. Blocking; a failure of the database is `DatabaseDown`."""

    def open(self, stream: str, *, node: str, process: str, at: datetime) -> None:
        """Nothing happens when it is there."""
        ...

    def left_open(self, node: str, process: str) -> tuple[ClosedStream, ...]:
        """The streams of that process that nobody has closed, its present one among them."""
        ...

    def mark_closed(self, stream: str, *, by: str) -> None: ...


class CheckpointStore(Protocol):
    """Checkpoints, and what goes into them. Blocking; a failure of the database is `DatabaseDown`."""

    def newest_event(self) -> int:
        """The highest number of an event; 0 when there is none."""
        ...

    def streams_since(self, number: int) -> frozenset[str]:
        """Streams with an event of a higher number."""
        ...

    def open_streams(self) -> frozenset[str]:
        """Streams that nobody has closed."""
        ...

    def heads(self, streams: Iterable[str]) -> Mapping[str, Head]:
        """The last event of each stream that has one."""
        ...

    def latest(self) -> SignedCheckpoint | None: ...

    def after(self, number: int) -> tuple[SignedCheckpoint, ...]:
        """The next ones, in their order: some hundreds at most."""
        ...

    def all(self) -> Iterable[SignedCheckpoint]:
        """In their order; streamed."""
        ...

    def add(self, checkpoint: SignedCheckpoint) -> None:
        """`AlreadyExists` when another node has written that number. The oldest ones go."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyChangeRow:
    """A property changed by plain SQL, as a trigger recorded it; `before` and `after` should be JSON."""

    id: int
    at: datetime
    operation: str
    key: str
    before: str | None
    after: str | None
    database_user: str


class PropertyChangeStore(Protocol):
    """What plain SQL did to properties. Blocking; a failure of the database is `DatabaseDown`."""

    def pending(self) -> tuple[PropertyChangeRow, ...]:
        """In their order: some hundreds at most. One cheap statement when there is none."""
        ...

    def settle(self, changes: Mapping[int, AuditRow]) -> int:
        """Replace changes, by number, with their events, in one transaction; how many nobody else had settled."""
        ...

    def is_silenced(self) -> bool:
        """Whether the triggers are told to record nothing, by a transaction that is over."""
        ...

    def end_silence(self, audit: AuditRow) -> None:
        """Let them record again, with that event; nothing when another node has done it."""
        ...
