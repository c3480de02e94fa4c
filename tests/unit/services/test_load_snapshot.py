"""From records and properties to the snapshot that requests use."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certuary.core.certificate import SigningKey
from certuary.core.values import parse_network
from certuary.services.load_snapshot import SnapshotLoader
from certuary.services.ports import ConfigDelta, Record, RecordKind
from certuary.services.record_gate import Key
from certuary.services.snapshot import (
    CACERTS_AUTHENTICATION_PROPERTY,
    GROUP_PROPERTY,
    PROFILE_PROPERTY,
    Snapshot,
)
from certuary.services.trusted_feed import TrustedDelta
from tests.unit.core.issuing import MINIMAL, issuing, root, signing_key

DEFAULT_TOML = 'est_default = true\nauthority = "issuing"\n' + MINIMAL
OTHER_TOML = 'authority = "issuing"\n' + MINIMAL.replace('name = "minimal"', 'name = "other"')


class MemoryFeed:
    """`ConfigFeed` over records in memory; `change` raises the revision as the database does."""

    def __init__(self, *records: Record) -> None:
        self.revision = 1
        self.records = list(records)
        self.retired: list[tuple[int, RecordKind, int]] = []
        self.revoked: list[tuple[int, int, int]] = []
        self.blocked: str | None = None
        self.distrusted: dict[Key, str] = {}
        self.properties = {
            PROFILE_PROPERTY: ("minimal", "Active"),
            GROUP_PROPERTY: ("GRP_001", "Active"),
        }

    def change(self, record: Record) -> None:
        self.revision += 1
        kept = [each for each in self.records if (each.kind, each.id) != (record.kind, record.id)]
        self.records = [*kept, make(record.kind, record.id, record.values, self.revision)]

    def retire(self, kind: RecordKind, record_id: int) -> None:
        self.revision += 1
        self.records = [each for each in self.records if (each.kind, each.id) != (kind, record_id)]
        self.retired.append((self.revision, kind, record_id))

    def revoke(self, authority_id: int, serial: int) -> None:
        self.revision += 1
        self.revoked.append((self.revision, authority_id, serial))

    def read(self, since: int) -> TrustedDelta:
        delta = ConfigDelta(
            revision=self.revision,
            records=tuple(each for each in self.records if each.revision > since),
            retired=tuple(each[1:] for each in self.retired if each[0] > since > 0),
            properties=dict(self.properties),
            revoked=tuple(each[1:] for each in self.revoked if each[0] > since > 0),
        )
        return TrustedDelta(delta=delta, blocked=self.blocked, distrusted=self.distrusted)


def make(kind: RecordKind, record_id: int | str, values: Any, revision: int = 1) -> Record:
    return Record(kind=kind, id=record_id, revision=revision, values=dict(values))


def authority(record_id: int, certificate: x509.Certificate, name: str, issuer_id: int | None) -> Record:
    der = certificate.public_bytes(Encoding.DER)
    values = {"name": name, "certificate_der": der, "key_name": name, "issuer_id": issuer_id}
    return make("authority", record_id, values)


def profile(record_id: int, name: str, toml: str) -> Record:
    values = {"name": name, "toml": toml, "version_id": record_id + 100, "current_version": 3}
    return make("profile", record_id, values)


def application(record_id: int = 1, **changes: Any) -> Record:
    values: dict[str, Any] = {
        "name": f"app-{record_id}", "username": f"user-{record_id}", "password_hash": "$argon2id$",
        "group_id": 1, "networks": ["192.0.2.0/24", "::ffff:198.51.100.1/128"], "profile_ids": [1, 2],
        "labels": ["plant"], "enabled": True, "expires_at": None, "subject_rule": "",
    }  # fmt: skip
    return make("application", record_id, values | changes)


def home() -> MemoryFeed:
    return MemoryFeed(
        authority(1, root(), "root", None),
        authority(2, issuing(), "issuing", 1),
        make("group", 1, {"code": "GRP_001", "name": "first"}),
        profile(1, "minimal", DEFAULT_TOML),
        profile(2, "other", OTHER_TOML),
        make("label", 1, {"name": "plant", "profile_id": 2}),
        application(),
    )


def load_signer(key_name: str) -> SigningKey | None:
    return signing_key("issuing") if key_name == "issuing" else None


def loader(feed: MemoryFeed) -> SnapshotLoader:
    return SnapshotLoader(feed, load_signer, "http://ca.example:8080")


def refreshed(each: SnapshotLoader) -> Snapshot:
    snapshot = each.refresh()
    assert snapshot is not None
    return snapshot


def test_a_complete_configuration_enables_est() -> None:
    each = loader(home())
    snapshot = each.load()
    assert snapshot.disabled_reason is None
    assert (snapshot.default_profile_id, snapshot.default_group_id) == (1, 1)
    assert snapshot.cacerts_authentication == "default"
    assert each.problems == ()


def test_a_profile_comes_with_its_version_and_its_authority() -> None:
    active = loader(home()).load().profiles[1]
    assert (active.version_id, active.version, active.profile.name) == (101, 3, "minimal")
    assert active.authority.signer is signing_key("issuing")
    assert active.compiled.issuer.crl_url == "http://ca.example:8080/crl/issuing.crl"


def test_a_chain_runs_from_the_authority_to_its_root() -> None:
    authorities = loader(home()).load().authorities
    ders = {name: certificate.public_bytes(Encoding.DER) for name, certificate in
            (("root", root()), ("issuing", issuing()))}  # fmt: skip
    assert authorities[2].chain == (ders["issuing"], ders["root"])
    assert authorities[1].chain == (ders["root"],)
    assert authorities[1].signer is None


def test_authorities_that_issued_each_other_have_an_end() -> None:
    feed = home()
    feed.change(authority(1, root(), "root", 2))
    assert len(loader(feed).load().authorities[2].chain) == 2


def test_an_application_is_parsed_whole() -> None:
    feed = home()
    expiry = datetime(2027, 1, 1, tzinfo=UTC)
    feed.change(application(subject_rule="CN=dev-*", expires_at=expiry))
    found = loader(feed).load().applications["user-1"]
    assert found.networks == (parse_network("192.0.2.0/24"), parse_network("198.51.100.1"))
    assert (found.profile_ids, found.labels) == (frozenset({1, 2}), frozenset({"plant"}))
    assert str(found.subject_rule) == "CN=dev-*"
    assert found.expires_at == expiry


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({GROUP_PROPERTY: ("GRP_001", "Active")}, f"property {PROFILE_PROPERTY} is missing or not Active"),
        ({PROFILE_PROPERTY: ("1", "Active")}, f"property {GROUP_PROPERTY} is missing or not Active"),
        (
            {PROFILE_PROPERTY: ("minimal", "Inactive"), GROUP_PROPERTY: ("1", "Active")},
            f"property {PROFILE_PROPERTY} is missing or not Active",
        ),
        (
            {PROFILE_PROPERTY: (" ", "Active"), GROUP_PROPERTY: ("1", "Active")},
            f"property {PROFILE_PROPERTY} is missing or not Active",
        ),
        (
            {PROFILE_PROPERTY: ("tls", "Active"), GROUP_PROPERTY: ("1", "Active")},
            f"property {PROFILE_PROPERTY} names 'tls', which does not exist",
        ),
        (
            {PROFILE_PROPERTY: ("minimal", "Active"), GROUP_PROPERTY: ("GRP_9", "Active")},
            f"property {GROUP_PROPERTY} names 'GRP_9', which does not exist",
        ),
        (
            {PROFILE_PROPERTY: ("other", "Active"), GROUP_PROPERTY: ("1", "Active")},
            f"property {PROFILE_PROPERTY} names a profile that does not say est_default = true",
        ),
    ],
)
def test_est_is_disabled_and_says_what_is_missing(
    properties: dict[str, tuple[str, str]], reason: str
) -> None:
    feed = home()
    feed.properties = properties
    assert loader(feed).load().disabled_reason == reason


@pytest.mark.parametrize("spelled", [("1", "Active"), ("minimal", "active"), (" minimal ", " ACTIVE ")])
def test_a_property_may_name_the_profile_by_number_and_be_typed_by_hand(spelled: tuple[str, str]) -> None:
    feed = home()
    feed.properties[PROFILE_PROPERTY] = spelled
    assert loader(feed).load().disabled_reason is None


def test_a_name_goes_before_a_number() -> None:
    feed = home()
    feed.change(profile(2, "1", OTHER_TOML))
    feed.properties[PROFILE_PROPERTY] = ("1", "Active")
    assert loader(feed).load().default_profile_id == 2


def test_without_the_authoritys_key_est_is_disabled() -> None:
    snapshot = SnapshotLoader(home(), lambda name: None, "").load()
    assert snapshot.disabled_reason == "the key of authority 'issuing' cannot be opened"


def test_a_default_profile_that_cannot_be_used_disables_est_and_is_explained() -> None:
    feed = home()
    feed.change(profile(1, "minimal", "nonsense ="))
    each = loader(feed)
    assert each.load().disabled_reason == f"property {PROFILE_PROPERTY} names a profile that cannot be used"
    assert each.problems[0].startswith("profile 'minimal' cannot be used: invalid-profile")


@pytest.mark.parametrize(
    "record",
    [
        application(networks=["10.0.0.0/99"]),
        application(networks="10.0.0.0/8"),
        application(networks=[7]),
        application(profile_ids=["1"]),
        application(profile_ids=[True]),
        application(enabled=1),
        application(group_id=True),
        application(subject_rule="nonsense"),
        application(password_hash=None),
        application(expires_at="tomorrow"),
        make("label", 1, {"name": "plant", "profile_id": 77}),
        make("group", 7, {"code": None, "name": "x"}),
        make("authority", 7, {"name": "x", "certificate_der": b"no", "key_name": "x", "issuer_id": None}),
        make("profile", 7, {"name": "x", "toml": MINIMAL, "version_id": None, "current_version": 1}),
        profile(7, "x", MINIMAL.replace("\n", '\nauthority = "nobody"\n', 1)),
    ],
)
def test_a_record_that_cannot_be_used_is_left_out_and_named(record: Record) -> None:
    feed = home()
    each = loader(feed)
    each.load()
    feed.change(record)
    snapshot = refreshed(each)
    name = record.values["name"]
    assert [
        problem for problem in each.problems if problem.startswith(f"{record.kind} {name!r} cannot be used")
    ]
    used: dict[str, set[object]] = {
        "application": set(snapshot.applications_by_id),
        "label": set(snapshot.labels),
        "group": set(snapshot.groups),
        "authority": set(snapshot.authorities),
        "profile": set(snapshot.profiles),
    }
    assert used[record.kind].isdisjoint({record.id, name})


def test_a_record_that_was_put_right_is_used_and_its_problem_forgotten() -> None:
    feed = home()
    feed.change(application(networks=["nowhere"]))
    each = loader(feed)
    assert each.load().applications == {}
    feed.change(application())
    assert list(refreshed(each).applications) == ["user-1"]
    assert each.problems == ()


def test_nothing_new_gives_no_snapshot() -> None:
    each = loader(home())
    each.load()
    assert each.refresh() is None


def test_a_property_changed_by_sql_alone_gives_a_snapshot() -> None:
    feed = home()
    each = loader(feed)
    each.load()
    del feed.properties[PROFILE_PROPERTY]
    assert refreshed(each).disabled_reason is not None


def test_an_older_snapshot_stays_as_it_was() -> None:
    feed = home()
    each = loader(feed)
    before = each.load()
    feed.change(application(enabled=False))
    feed.change(application(2))
    after = refreshed(each)
    assert before.applications["user-1"].enabled
    assert not after.applications["user-1"].enabled
    assert set(after.applications) == {"user-1", "user-2"}
    assert set(before.applications) == {"user-1"}


def test_a_renamed_user_no_longer_signs_in_by_the_old_name() -> None:
    feed = home()
    each = loader(feed)
    each.load()
    feed.change(application(username="renamed"))
    assert list(refreshed(each).applications) == ["renamed"]


def test_retired_records_are_gone() -> None:
    feed = home()
    each = loader(feed)
    each.load()
    feed.retire("application", 1)
    feed.retire("label", 1)
    feed.retire("profile", 2)
    snapshot = refreshed(each)
    assert (snapshot.applications, snapshot.applications_by_id, snapshot.labels) == ({}, {}, {})
    assert list(snapshot.profiles) == [1]


def test_a_label_whose_profile_is_retired_is_gone_too() -> None:
    feed = home()
    each = loader(feed)
    each.load()
    feed.retire("profile", 2)
    assert refreshed(each).labels == {}
    assert each.problems == ("label 'plant' cannot be used: invalid-value: its profile cannot be used",)


def test_an_older_database_is_read_whole() -> None:
    feed = home()
    feed.change(application(2))
    each = loader(feed)
    each.load()
    feed.revision = 1
    feed.records = [record for record in feed.records if record.id != 2 or record.kind != "application"]
    snapshot = refreshed(each)
    assert set(snapshot.applications) == {"user-1"}
    assert snapshot.revision == 1


def test_revocations_are_handed_over_once() -> None:
    feed = home()
    each = loader(feed)
    each.load()
    feed.revoke(2, 0xABC)
    refreshed(each)
    assert each.take_revoked() == ((2, 0xABC),)
    assert each.take_revoked() == ()


@pytest.mark.parametrize(
    ("value", "expected"), [("required", "required"), ("none", "none"), ("nobody", "required")]
)
def test_cacerts_authentication_is_read_and_a_misspelling_is_the_strict_choice(
    value: str, expected: str
) -> None:
    feed = home()
    feed.properties[CACERTS_AUTHENTICATION_PROPERTY] = (value, "Active")
    each = loader(feed)
    assert each.load().cacerts_authentication == expected
    assert len(each.problems) == (value == "nobody")
