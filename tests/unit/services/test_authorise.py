from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509

from certuary.core.subject_rule import SubjectRule
from certuary.errors import CertuaryError, EstDisabled, NotFound, NotPermitted, SubjectRefused
from certuary.services.authenticate import Caller
from certuary.services.authorise import check_grant, check_names, find_profile
from certuary.services.snapshot import Label
from tests.unit.services.builders import application, identity, name, snapshot


def usable(profile_id: int) -> Any:
    return SimpleNamespace(id=profile_id, authority=SimpleNamespace(signer=object()))


PLANT = Label(name="plant", profile_id=2)


def test_a_label_selects_its_profile_and_no_label_the_default() -> None:
    known = snapshot(profiles={1: usable(1), 2: usable(2)}, labels={"plant": PLANT})
    assert find_profile(known, None).id == 1
    assert find_profile(known, "plant").id == 2


@pytest.mark.parametrize(
    ("changes", "label", "error", "text"),
    [
        ({}, "lab", NotFound, "no such label"),
        ({"disabled_reason": "property x is missing"}, "lab", NotFound, "no such label"),
        ({"disabled_reason": "property x is missing"}, "plant", EstDisabled, "property x is missing"),
        ({"disabled_reason": "property x is missing"}, None, EstDisabled, "property x is missing"),
        ({"default_profile_id": None}, None, EstDisabled, "cannot be used"),
        ({"profiles": {}}, "plant", EstDisabled, "cannot be used"),
        (
            {"profiles": {2: SimpleNamespace(id=2, authority=SimpleNamespace(signer=None))}},
            "plant",
            EstDisabled,
            "cannot be used",
        ),
    ],
)
def test_without_a_usable_profile_nothing_is_served(
    changes: dict[str, object], label: str | None, error: type[CertuaryError], text: str
) -> None:
    known = {"profiles": {1: usable(1), 2: usable(2)}, "labels": {"plant": PLANT}} | changes
    with pytest.raises(error, match=text):
        find_profile(snapshot(**known), label)


@pytest.mark.parametrize(
    ("grants", "label", "profile_id", "rule"),
    [
        ({}, None, 1, None),
        ({"group_id": 2}, None, 1, "group-not-granted"),
        ({"profile_ids": frozenset({1})}, None, 1, None),
        ({"profile_ids": frozenset({2})}, None, 1, "profile-not-granted"),
        ({"labels": frozenset({"plant"})}, None, 1, "label-needed"),
        ({"labels": frozenset({"plant"}), "profile_ids": frozenset({1})}, None, 1, None),
        ({}, "plant", 2, "label-not-granted"),
        ({"labels": frozenset({"lab"})}, "plant", 2, "label-not-granted"),
        ({"labels": frozenset({"plant"})}, "plant", 2, None),
        ({"labels": frozenset({"plant"}), "group_id": 2}, "plant", 2, None),
        ({"labels": frozenset({"plant"}), "profile_ids": frozenset({2})}, "plant", 2, None),
        ({"labels": frozenset({"plant"}), "profile_ids": frozenset({1})}, "plant", 2, "profile-not-granted"),
    ],
)
def test_a_grant_is_needed_for_each_label_and_profile(
    grants: dict[str, object], label: str | None, profile_id: int, rule: str | None
) -> None:
    caller = Caller(application=application(**grants), certificate=None, by_password=True)
    if rule is None:
        check_grant(caller, snapshot(), label, usable(profile_id))
        return
    with pytest.raises(NotPermitted) as refused:
        check_grant(caller, snapshot(), label, usable(profile_id))
    assert refused.value.rule == rule


def _common_name(text: str) -> tuple[x509.NameAttribute[str]]:
    return (x509.NameAttribute(x509.NameOID.COMMON_NAME, text),)


def test_a_certificate_alone_speaks_only_for_its_own_names() -> None:
    caller = Caller(application=application(), certificate=identity(), by_password=False)
    check_names(caller, name("dev-1"), (x509.DNSName("DEV-1.example"),))
    with pytest.raises(SubjectRefused, match="exactly"):
        check_names(caller, name("DEV-1"), (x509.DNSName("dev-1.example"),))
    check_names(caller, name("DEV-1"), (x509.DNSName("dev-1.example"),), fixed=_common_name("DEV-1"))
    with pytest.raises(SubjectRefused, match="own subject"):
        check_names(caller, name("dev-2"), (x509.DNSName("dev-1.example"),))
    with pytest.raises(SubjectRefused, match="own subject"):
        check_names(caller, name("dev-1"), ())


@pytest.mark.parametrize("certificate", [None, identity(is_ra=True)])
def test_the_subject_rule_binds_whoever_chooses_names(certificate: Any) -> None:
    ruled = application(subject_rule=SubjectRule.parse("CN=dev-*"))
    caller = Caller(application=ruled, certificate=certificate, by_password=certificate is None)
    check_names(caller, name("dev-2"), ())
    with pytest.raises(SubjectRefused):
        check_names(caller, name("boss"), ())


def test_a_narrowed_subject_rule_binds_certificates_issued_before_it() -> None:
    narrowed = application(subject_rule=SubjectRule.parse("CN=other-*"))
    caller = Caller(application=narrowed, certificate=identity(), by_password=False)
    with pytest.raises(SubjectRefused):
        check_names(caller, name("dev-1"), (x509.DNSName("dev-1.example"),))
