"""Build the configuration snapshot, and keep it up to date by reading only what changed.

A record that cannot be believed, or used, is left out, and `problems` says why: one bad record stops nothing else. EST
is enabled only while the properties select a profile, a group and an authority that can all be used.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol, TypeVar

from certuary.errors import CertuaryError, InvalidValue
from certuary.services.parse_records import (
    LoadSigner,
    number,
    parse_application,
    parse_authority,
    parse_group,
    parse_label,
    parse_profile,
)
from certuary.services.ports import ConfigDelta, Record, RecordKind
from certuary.services.snapshot import (
    CACERTS_AUTHENTICATION_PROPERTY,
    GROUP_PROPERTY,
    PROFILE_PROPERTY,
    ActiveProfile,
    Application,
    Authority,
    Group,
    Label,
    Snapshot,
    is_active,
)
from certuary.services.trusted_feed import RECORDS_BETWEEN_YIELDS, TrustedDelta

T = TypeVar("T")

MANY_RECORDS = 1000
_CACERTS_CHOICES = ("default", "required", "none")


class TrustedSource(Protocol):
    """`services.trusted_feed.TrustedFeed`, as far as it is needed here."""

    def read(self, since: int) -> TrustedDelta: ...


class SnapshotLoader:
    """Called by one thread at a time; `take_revoked` and `problems` by any."""

    def __init__(self, feed: TrustedSource, load_signer: LoadSigner, status_url: str) -> None:
        self._feed = feed
        self._load_signer = load_signer
        self._status_url = status_url
        self._revoked: list[tuple[int, int]] = []
        self._lock = threading.Lock()
        self.problems: tuple[str, ...] = ()
        self._forget()

    def load(self) -> Snapshot:
        """Read everything. `DatabaseDown` when it cannot be read."""
        with _no_collection():
            trusted = self._feed.read(0)
            self._forget()
            return self._absorb(trusted)

    def refresh(self) -> Snapshot | None:
        """Read what changed; None when nothing did."""
        with _no_collection():
            trusted = self._feed.read(self._revision)
            delta = trusted.delta
            if delta.revision < self._revision:
                # An older database was put in place: what it no longer has, no delta tells.
                return self.load()
            is_same = delta.revision == self._revision and delta.properties == self._properties
            if is_same and not trusted.renewed:
                return None
            return self._absorb(trusted)

    def take_revoked(self) -> tuple[tuple[int, int], ...]:
        """(authority id, serial) of what was revoked since the last call."""
        with self._lock:
            taken, self._revoked = tuple(self._revoked), []
        return taken

    def _forget(self) -> None:
        self._revision = 0
        self._properties: Mapping[str, tuple[str, str]] = {}
        self._records: dict[RecordKind, dict[int, Record]] = {}
        self._authorities: dict[int, Authority] = {}
        self._profiles: dict[int, ActiveProfile] = {}
        self._applications: dict[int, Application] = {}
        self._problems: dict[tuple[str, object], str] = {}

    def _absorb(self, trusted: TrustedDelta) -> Snapshot:
        delta, self._blocked = trusted.delta, trusted.blocked
        kinds = {record.kind for record in delta.records} | {kind for kind, _ in delta.retired}
        self._take_records(delta)
        if kinds & {"authority", "profile"}:
            self._rebuild_profiles()
        with self._lock:
            self._revoked.extend(delta.revoked)
        self._revision, self._properties = delta.revision, delta.properties
        snapshot = self._snapshot()
        blocked = () if trusted.blocked is None else (trusted.blocked,)
        self.problems = (*blocked, *trusted.distrusted.values(), *self._problems.values())
        if len(delta.records) >= MANY_RECORDS:
            # It all stays; without this every later collection would walk it.
            gc.freeze()
        return snapshot

    def _take_records(self, delta: ConfigDelta) -> None:
        for kind, record_id in delta.retired:
            self._problems.pop((kind, record_id), None)
            self._applications.pop(record_id, None) if kind == "application" else None
            self._of(kind).pop(record_id, None)
        for count, record in enumerate(delta.records, start=1):
            if record.kind == "application":
                self._keep(self._applications, record, parse_application)
            else:
                self._of(record.kind)[number(record)] = record
            if count % RECORDS_BETWEEN_YIELDS == 0:
                time.sleep(0)  # thousands of records: let enrolments have the interpreter in between

    def _rebuild_profiles(self) -> None:
        """Profiles hold their authority, and authorities their issuers: few, so all are made anew."""
        self._authorities, self._profiles = {}, {}
        records = self._of("authority")
        for record in records.values():
            self._keep(
                self._authorities, record, lambda each: parse_authority(each, records, self._load_signer)
            )
        by_name = {authority.name: authority for authority in self._authorities.values()}
        for record in self._of("profile").values():
            self._keep(self._profiles, record, lambda each: parse_profile(each, by_name, self._status_url))

    def _keep(self, kept: dict[int, T], record: Record, parse: Callable[[Record], T]) -> None:
        """Parse into `kept`; a record that does not parse is in it no more."""
        self._problems.pop((record.kind, record.id), None)
        try:
            kept[number(record)] = parse(record)
        except CertuaryError as problem:
            kept.pop(number(record), None)
            name = record.values.get("name")
            self._problems[record.kind, record.id] = f"{record.kind} {name!r} cannot be used: {problem}"

    def _of(self, kind: RecordKind) -> dict[int, Record]:
        return self._records.setdefault(kind, {})

    def _snapshot(self) -> Snapshot:
        properties = {
            key: value.strip() for key, (value, status) in self._properties.items() if is_active(status)
        }
        profile = _named(properties.get(PROFILE_PROPERTY, ""), self._of("profile").values(), "name")
        group = _named(properties.get(GROUP_PROPERTY, ""), self._of("group").values(), "code")
        return Snapshot(
            revision=self._revision,
            authorities=self._authorities,
            profiles=self._profiles,
            labels=self._labels(),
            groups=self._groups(),
            applications={each.username: each for each in self._applications.values()},
            applications_by_id=dict(self._applications),
            properties=properties,
            disabled_reason=self._why_disabled(properties, profile, group),
            default_profile_id=None if profile is None else number(profile),
            default_group_id=None if group is None else number(group),
            cacerts_authentication=self._cacerts_authentication(properties),
        )

    def _groups(self) -> dict[int, Group]:
        groups: dict[int, Group] = {}
        for record in self._of("group").values():
            self._keep(groups, record, parse_group)
        return groups

    def _labels(self) -> dict[str, Label]:
        labels: dict[int, Label] = {}
        for record in self._of("label").values():
            self._keep(labels, record, self._parse_label)
        return {label.name: label for label in labels.values()}

    def _parse_label(self, record: Record) -> Label:
        label = parse_label(record)
        if label.profile_id not in self._profiles:
            raise InvalidValue("its profile cannot be used")
        return label

    def _cacerts_authentication(self, properties: Mapping[str, str]) -> str:
        choice = properties.get(CACERTS_AUTHENTICATION_PROPERTY, "default")
        key = ("property", CACERTS_AUTHENTICATION_PROPERTY)
        self._problems.pop(key, None)
        if choice in _CACERTS_CHOICES:
            return choice
        self._problems[key] = (
            f"property {CACERTS_AUTHENTICATION_PROPERTY} is {choice!r}, which is none of"
            f" {', '.join(_CACERTS_CHOICES)}; credentials are required"
        )
        # Whoever set it wanted something else than the default; the strict reading cannot be the unsafe one.
        return "required"

    def _why_disabled(
        self, properties: Mapping[str, str], profile: Record | None, group: Record | None
    ) -> str | None:
        """The sentence that every EST operation answers with; None while EST is enabled."""
        if self._blocked is not None:
            return (
                "the configuration in the database cannot be believed; the operator finds out why on /readyz"
            )
        for key, found in ((PROFILE_PROPERTY, profile), (GROUP_PROPERTY, group)):
            if not properties.get(key):
                return f"property {key} is missing or not Active"
            if found is None:
                return f"property {key} names {properties[key]!r}, which does not exist"
        assert profile is not None
        active = self._profiles.get(number(profile))
        if active is None:
            return f"property {PROFILE_PROPERTY} names a profile that cannot be used"
        if not active.profile.est_default:
            return f"property {PROFILE_PROPERTY} names a profile that does not say est_default = true"
        if active.authority.signer is None:
            return f"the key of authority {active.authority.name!r} cannot be opened"
        return None


@contextmanager
def _no_collection() -> Iterator[None]:
    """Garbage collection among thousands of new objects stops every thread for 100 ms, enrolments too."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _named(wanted: str, records: Iterable[Record], column: str) -> Record | None:
    """The record of that name (a group's is its code), else of that number."""
    by_text = {str(record.id): record for record in records}
    by_text |= {str(record.values[column]): record for record in by_text.values()}
    return by_text.get(wanted)
