"""The lines to paste: of the application's own names, and safe whatever it is called."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from cryptography import x509

from certuary.core.profile import Profile
from certuary.core.subject_rule import SubjectRule
from certuary.portal.endpoints import Endpoints
from certuary.portal.enrol_lines import enrol_lines
from certuary.portal.example_request import example_request
from certuary.services.ports import Record
from tests.memory_records import MemoryRecords

URL = "https://ca.example:8443/.well-known/est"


def lines(**values: object) -> tuple[str, ...]:
    columns: dict[str, object] = {
        "name": "line-1",
        "username": "line-1",
        "labels": [],
        "subject_rule": "",
        "profile_ids": [],
        "group_id": 1,
    }
    record = Record(kind="application", id=1, revision=1, values={**columns, **values})
    return enrol_lines(record, MemoryRecords(), URL)


@pytest.mark.parametrize(
    ("rule", "subject", "name"),
    [
        ("", "/CN=device-1", ""),
        ("CN=dev-*,O=Acme", "/CN=dev-1/O=acme", ""),
        ("dns=.plant.example", "/CN=device-1.plant.example", "device-1.plant.example"),
        ("CN=dev-*; dns=host.example", "/CN=dev-1", "host.example"),
    ],
)
def test_the_request_asks_for_a_name_that_the_rule_permits(rule: str, subject: str, name: str) -> None:
    request = lines(subject_rule=rule)[2]
    assert f"-subj {subject} " in request
    assert (f"subjectAltName=DNS:{name}" in request) == bool(name)


def test_a_label_is_the_last_part_of_the_address() -> None:
    assert f"{URL}/plant/simpleenroll" in lines(labels=["plant"])[2]


@pytest.mark.parametrize("username", ["a'; rm -rf ~ #", 'a"b', "a b", "$(id)", "`id`"])
def test_a_username_cannot_leave_its_quotes(username: str) -> None:
    netrc = lines(username=username)[1]
    words = shlex.split(netrc, comments=True)
    escaped = username.replace('"', '\\"')
    assert f'machine ca.example login "{escaped}"' in words


PROFILES = Path(str(files("certuary") / "profiles"))
REQUIRES_ALL = """
name = "all"
authority = "issuing"
[validity]
lifetime = "90d"
[keys]
allow = ["rsa-3072+"]
[subject]
required = ["CN", "C", "O", "serialNumber"]
fixed = { OU = "Plant" }
common_name = "listed"
[alternative_names]
allow = ["dns", "ip", "email", "uri"]
required = ["ip", "uri", "email", "dns"]
[key_usage]
allow = ["digitalSignature"]
[extended_key_usage]
allow = ["clientAuth"]
"""
NO_NAMES = REQUIRES_ALL.replace('required = ["ip", "uri", "email", "dns"]', "")


CONTRADICT_A_LISTED_NAME = (
    "CN=x+y,O=Acme\\, Inc; dns=host.example",
    "CN=back\\\\slash; dns=host.example",
    "CN=zoë-*,C=DE; dns=.plant.example",
)


RULES = (
    "",
    "CN=device-*,O=A/B Acme; dns=.plant.example",
    *CONTRADICT_A_LISTED_NAME,
    "ip=10.0.0.0/24; dns=.plant.example",
    "dns=.plant.example",
)


def shipped(profile: str) -> Profile:
    return Profile.from_toml((PROFILES / f"{profile}.toml").read_text())


def pairs() -> Iterator[tuple[str, str]]:
    """Each shipped profile with each rule, but where no request fits both."""
    for profile in ("tls-client", "tls-device", "tls-server", "network-gear"):
        listed = shipped(profile).subject.common_name_listed
        yield from ((profile, rule) for rule in RULES if not (listed and rule in CONTRADICT_A_LISTED_NAME))


@pytest.mark.parametrize(("profile", "rule"), list(pairs()))
def test_the_request_is_one_that_profile_and_rule_take(profile: str, rule: str, tmp_path: Path) -> None:
    check(shipped(profile), rule, tmp_path)


@pytest.mark.parametrize("toml", [REQUIRES_ALL, NO_NAMES])
def test_the_request_has_whatever_the_profile_requires(toml: str, tmp_path: Path) -> None:
    check(Profile.from_toml(toml), "", tmp_path)


def test_a_server_is_called_by_its_name() -> None:
    assert example_request(shipped("tls-server"), None).subject == "/CN=device-1.example.com"


def check(profile: Profile, rule: str, folder: Path) -> None:
    """Made by openssl, as the pasted line makes it."""
    read = SubjectRule.parse(rule) if rule else None
    example = example_request(profile, read)
    arguments = ["-subj", example.subject, "-utf8"]
    if example.extension:
        arguments += ["-addext", example.extension]
    key = f"-newkey {example.key}".split()
    command = ["openssl", "req", "-new", *key, "-nodes", "-keyout", "k.pem", *arguments, "-out", "r.pem"]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    csr = x509.load_pem_x509_csr((folder / "r.pem").read_bytes())
    names: tuple[x509.GeneralName, ...] = ()
    for extension in csr.extensions:
        assert isinstance(extension.value, x509.SubjectAlternativeName)
        names = tuple(extension.value)
    profile.alternative_names.accept(names)
    profile.subject.accept(csr.subject, names)
    if read is not None:
        read.check(csr.subject, names)


def test_the_request_goes_where_the_application_may_enrol() -> None:
    """Its label selects a profile that wants a DNS name."""
    records = MemoryRecords()
    toml = (PROFILES / "tls-server.toml").read_text()
    records.rows["profile", 4] = Record(
        kind="profile", id=4, revision=1, values={"name": "tls-server", "toml": toml}
    )
    records.rows["label", 1] = Record(kind="label", id=1, revision=1, values={"name": "web", "profile_id": 4})
    values = {"name": "a", "username": "a", "labels": ["web"], "profile_ids": [], "group_id": 1}
    application = Record(
        kind="application", id=1, revision=1, values={**values, "subject_rule": "dns=.plant.example"}
    )
    request = enrol_lines(application, records, URL)[2]
    assert f"{URL}/web/simpleenroll" in request
    assert "subjectAltName=DNS:device-1.plant.example" in request
    assert [one.label for one in Endpoints.read(records).of(application.values)] == ["web"]
    elsewhere = {**application.values, "profile_ids": [3]}
    assert Endpoints.read(records).of(elsewhere) == ()
