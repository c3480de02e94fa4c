from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from certuary.core.profile import Profile
from certuary.errors import AlreadyExists, BadRequest, ConfigError, Conflict, DatabaseDown
from certuary.keystore.memory import MemoryKeyStore
from certuary.services import initialise as module
from certuary.services.change_deps import ChangeDeps
from certuary.services.first_start import (
    chain_path,
    first_start_path,
    is_initialised,
    netrc_path,
    root_path,
    write_secrets,
)
from certuary.services.initialise import (
    InitialiseDeps,
    NewHome,
    initialise,
    load_pepper,
    shipped_profiles,
)
from certuary.services.listener_certificate import listener_path, load_listener
from certuary.services.passwords import Passwords
from certuary.services.snapshot import GROUP_PROPERTY, PROFILE_PROPERTY
from tests.memory_records import MARKER, FixedClock, MemoryCrls, MemoryRecords


class Home:
    def __init__(self, home: Path) -> None:
        self.keys = MemoryKeyStore()
        self.records = MemoryRecords()
        self.crls = MemoryCrls()
        self.steps: list[str] = []
        self.new = NewHome(
            home=home,
            organization="Acme",
            hostnames=("ca.example",),
            key_type="ec-p256",
            admin_name="admin",
            admin_password=None,
            est_url="https://localhost:8443/.well-known/est",
            portal_url="https://localhost:8444/",
            status_url="http://localhost:8080",
        )

    def initialise(self, **changes: Any) -> None:
        deps = InitialiseDeps(
            keys=self.keys,
            keys_dir=self.new.home,
            changes=ChangeDeps(
                records=self.records,
                clock=FixedClock(),
                marker=lambda: MARKER,
                request_id="r1",
            ),
            crls=self.crls,
            progress=self.steps.append,
        )
        initialise(replace(self.new, **changes), deps)

    def secret_of(self, label: str) -> str:
        lines = first_start_path(self.new.home).read_text().splitlines()
        index = next(number for number, line in enumerate(lines) if line.startswith(label))
        return lines[index + 1].split()[-1]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_a_new_home_has_authorities_that_sign_each_other(home: Home) -> None:
    home.initialise()
    root = x509.load_pem_x509_certificate(root_path(home.new.home).read_bytes())
    issuing, root_again = x509.load_pem_x509_certificates(chain_path(home.new.home).read_bytes())
    assert root_again == root
    assert root.subject.rfc4514_string() == "CN=Acme Root CA,O=Acme"
    root.verify_directly_issued_by(root)
    issuing.verify_directly_issued_by(root)
    records = {record.values["name"]: record for record in home.records.all("authority")}
    assert records["issuing"].values["issuer_id"] == records["root"].id


def test_est_is_enabled_and_the_first_application_is_allowed_from_this_machine_only(home: Home) -> None:
    home.initialise()
    properties = {row.id: row.values["property_value"] for row in home.records.all("property")}
    assert properties == {PROFILE_PROPERTY: "tls-device", GROUP_PROPERTY: "GRP_001"}
    (application,) = home.records.all("application")
    assert application.values["networks"] == ["127.0.0.0/8", "::1/128"]
    group = home.records.find("group", code="GRP_001")
    assert group is not None
    assert application.values["group_id"] == group.id


def test_the_passwords_of_first_start_verify(home: Home) -> None:
    home.initialise()
    passwords = Passwords(load_pepper(home.keys))
    (user,), (application,) = home.records.all("user"), home.records.all("application")
    assert passwords.verify(str(user.values["password_hash"]), home.secret_of("CA Administrator"))
    assert passwords.verify(str(application.values["password_hash"]), home.secret_of("Application"))
    assert user.values["role"] == "ca-administrator"
    assert user.values["must_change_password"] is True


def test_a_password_that_the_administrator_brought_is_used(home: Home) -> None:
    home.initialise(admin_name="olga", admin_password="brought along")
    (user,) = home.records.all("user")
    assert user.values["name"] == "olga"
    assert user.values["must_change_password"] is False
    assert Passwords(load_pepper(home.keys)).verify(str(user.values["password_hash"]), "brought along")
    assert "brought along" not in first_start_path(home.new.home).read_text()


def test_every_authority_has_its_first_crl_and_the_listener_its_certificate(home: Home) -> None:
    home.initialise()
    assert sorted((row.authority_id, row.number) for row in home.crls.rows) == [(1, 1), (2, 1)]
    identity = load_listener(listener_path(home.new.home), home.keys)
    assert identity is not None
    assert [row.serial for row in home.records.certificates] == [identity.certificate.serial_number]


def test_every_record_of_a_new_home_is_audited(home: Home) -> None:
    home.initialise()
    assert {event.actor for event in home.records.audit} == {"init"}
    assert {event.actor_kind for event in home.records.audit} == {"system"}
    kinds = [event.kind for event in home.records.audit]
    assert kinds.count("profile.added") == len(shipped_profiles())
    assert kinds.count("authority.added") == 2
    assert kinds[-1] == "listener.renewed"


def test_an_initialised_home_is_not_initialised_again(home: Home) -> None:
    home.initialise()
    with pytest.raises(AlreadyExists):
        home.initialise()


def test_a_home_whose_commit_failed_is_repeated_with_the_same_keys_and_new_passwords(home: Home) -> None:
    home.records.fail_at_commit = DatabaseDown("gone")
    with pytest.raises(DatabaseDown):
        home.initialise()
    assert not is_initialised(home.new.home)
    assert home.records.all("user") == ()
    left = {name: home.keys.load_key(name, role=name).public_key() for name in ("root", "issuing")}
    home.initialise()
    assert {name: home.keys.load_key(name, role=name).public_key() for name in left} == left
    passwords = Passwords(load_pepper(home.keys))
    (application,) = home.records.all("application")
    assert passwords.verify(str(application.values["password_hash"]), home.secret_of("Application"))


def test_a_repeated_attempt_with_another_type_of_key_is_refused(home: Home) -> None:
    home.records.fail_at_commit = DatabaseDown("gone")
    with pytest.raises(DatabaseDown):
        home.initialise()
    with pytest.raises(BadRequest, match="no ec-p384 key"):
        home.initialise(key_type="ec-p384")


@pytest.mark.parametrize("step", ["_publish_first_crl", "_issue_listener_certificate", "write_file"])
def test_a_home_that_was_interrupted_after_its_commit_is_finished_and_keeps_its_passwords(
    home: Home, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, step, fail)
        with pytest.raises(KeyboardInterrupt):
            home.initialise()
    assert not is_initialised(home.new.home)
    told = first_start_path(home.new.home).read_text()
    home.initialise()
    assert is_initialised(home.new.home)
    assert first_start_path(home.new.home).read_text() == told
    assert len(home.records.all("user")) == 1
    assert len(home.crls.rows) == 2
    assert len(home.records.certificates) == 1


def test_the_secrets_are_on_disk_before_the_records_are_committed(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(*_: object) -> None:
        assert home.records.all("user")
        assert not first_start_path(home.new.home).exists()
        write(*_)
        assert netrc_path(home.new.home).exists()
        raise KeyboardInterrupt

    write: Callable[..., None] = write_secrets
    monkeypatch.setattr(module, "write_secrets", look)
    with pytest.raises(KeyboardInterrupt):
        home.initialise()
    assert home.records.all("user") == ()


def test_a_database_of_another_installation_is_not_taken_over(home: Home, tmp_path: Path) -> None:
    home.initialise()
    stranger = Home(tmp_path / "other")
    (tmp_path / "other").mkdir()
    stranger.records = home.records
    with pytest.raises(Conflict, match="another installation"):
        stranger.initialise()
    for name in ("root", "issuing"):
        stranger.keys.generate_key(name, role=name, key_type="ec-p256")
    with pytest.raises(Conflict, match="another installation"):
        stranger.initialise()


def test_a_database_without_a_root_is_none_of_ours(home: Home) -> None:
    home.records.create("authority", {"name": "issuing"})
    with pytest.raises(Conflict, match="no authority 'root'"):
        home.initialise()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"key_type": "ec-p521"}, BadRequest),
        ({"organization": ""}, BadRequest),
        ({"organization": "x" * 65}, BadRequest),
        ({"admin_name": "a/b"}, BadRequest),
        ({"admin_password": "short"}, BadRequest),
        ({"hostnames": ("not a name",)}, ConfigError),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(
    home: Home, changes: dict[str, Any], problem: type[Exception]
) -> None:
    with pytest.raises(problem):
        home.initialise(**changes)
    assert home.keys.names() == ()
    assert list(home.new.home.iterdir()) == []


def test_four_profiles_are_shipped_and_one_is_the_default() -> None:
    profiles = [Profile.from_toml(toml) for toml in shipped_profiles()]
    assert [profile.name for profile in profiles] == [
        "network-gear",
        "tls-client",
        "tls-device",
        "tls-server",
    ]
    assert [profile.name for profile in profiles if profile.est_default] == ["tls-device"]
