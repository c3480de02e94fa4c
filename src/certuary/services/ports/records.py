"""The records that people change, their manifest, and the feed by which processes learn of changes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import InitVar, dataclass, field
from datetime import datetime
from typing import Final, Literal, NamedTuple, Protocol

from certuary.core.mark import Marker
from certuary.services.ports.audit import AuditRow
from certuary.services.ports.issuance import CertificateRow
from certuary.services.ports.orders import OrderOutcome, SignedOrder

RecordKind = Literal[
    "authority", "group", "profile", "label", "application", "user", "switch", "approval", "property"
]


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
    "switch",
    "approval",
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

    def application_certificates(self, application_id: int, now: datetime) -> tuple[tuple[int, int], ...]:
        """(authority id, serial) of those that speak for the application, unexpired and unrevoked. As the database has
        them: a row whose mark does not hold may be among them, and one without a serial number is not."""
        ...

    def add_order(self, order: SignedOrder) -> None:
        """Those that expired an hour ago go."""
        ...

    def undecided_orders(self, application_id: int) -> tuple[str, ...]: ...

    def decide_order(self, outcome: OrderOutcome) -> bool:
        """False when it is decided already; waits for whoever is about to."""
        ...

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

    def is_told_of(self, kind: RecordKind, name: str) -> bool:
        """Whether the audit log tells of a record of that name, be it removed or renamed since."""
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
