"""Each lint refuses a plan that breaks its rule, and no other lint takes its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from certuary.core.certificate import AnyExtension, CertificatePlan, extension
from certuary.core.lints import LINTS, Finding, lint_plan
from tests.unit.core.issuing import asked, dns, key_usage, planned, purposes

SECOND = timedelta(seconds=1)


def without(plan: CertificatePlan, *kinds: type[x509.ExtensionType]) -> CertificatePlan:
    return replace(
        plan, extensions=tuple(each for each in plan.extensions if not isinstance(each.value, kinds))
    )


def with_instead(plan: CertificatePlan, new: AnyExtension) -> CertificatePlan:
    kept = without(plan, type(new.value))
    return replace(kept, extensions=(*kept.extensions, new))


def critical(plan: CertificatePlan, kind: type[x509.ExtensionType], *, value: bool = True) -> CertificatePlan:
    return replace(
        plan,
        extensions=tuple(
            x509.Extension(each.oid, value, each.value) if isinstance(each.value, kind) else each
            for each in plan.extensions
        ),
    )


def access(method: x509.ObjectIdentifier) -> AnyExtension:
    location = x509.UniformResourceIdentifier("http://a.example/")
    return extension(x509.AuthorityInformationAccess([x509.AccessDescription(method, location)]))


PLAN = planned(asked(alternative_names=dns("dev-1.example")))
RSA_PLAN = planned(asked(key="rsa-2048"))
ED25519_PLAN = planned(asked(key="ed25519"))
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")


@pytest.mark.parametrize("plan", [PLAN, RSA_PLAN, ED25519_PLAN])
def test_a_good_plan_has_no_findings(plan: CertificatePlan) -> None:
    assert lint_plan(plan) == ()


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        ("serial-number", replace(PLAN, serial=0)),
        ("serial-number", replace(PLAN, serial=-(1 << 100))),
        ("serial-number", replace(PLAN, serial=(1 << 63) - 1)),
        ("serial-number", replace(PLAN, serial=1 << 159)),
        ("validity", replace(PLAN, not_after=PLAN.issuer_not_after + SECOND)),
        ("validity", replace(PLAN, not_after=PLAN.not_before)),
        ("validity", replace(PLAN, not_after=PLAN.planned_at)),
        ("validity", replace(PLAN, not_after=PLAN.not_after.replace(microsecond=1))),
        ("backdate", replace(PLAN, not_before=PLAN.planned_at - timedelta(hours=1) - SECOND)),
        ("backdate", replace(PLAN, not_before=PLAN.planned_at + SECOND)),
        ("subject-alternative-name", without(PLAN, x509.SubjectAlternativeName)),
        ("subject-alternative-name", replace(PLAN, alternative_names=())),
        ("subject-alternative-name", replace(PLAN, subject=x509.Name([]))),
        ("subject-alternative-name", critical(PLAN, x509.SubjectAlternativeName)),
        ("subject-alternative-name", replace(RSA_PLAN, subject=x509.Name([]))),
        ("distinct-extensions", replace(PLAN, extensions=(*PLAN.extensions, PLAN.extensions[0]))),
        ("distinct-extensions", with_instead(PLAN, extension(UNKNOWN))),
        ("not-a-ca", with_instead(PLAN, extension(x509.BasicConstraints(ca=True, path_length=None)))),
        ("not-a-ca", with_instead(PLAN, key_usage("digital_signature", "key_cert_sign"))),
        ("not-a-ca", with_instead(PLAN, key_usage("digital_signature", "crl_sign"))),
        ("key-usage", without(PLAN, x509.KeyUsage)),
        ("key-usage", with_instead(PLAN, key_usage())),
        ("key-usage", with_instead(PLAN, key_usage("digital_signature", "key_encipherment"))),
        ("key-usage", with_instead(ED25519_PLAN, key_usage("digital_signature", "data_encipherment"))),
        ("key-usage", with_instead(RSA_PLAN, key_usage("key_agreement"))),
        ("extended-key-usage", without(PLAN, x509.ExtendedKeyUsage)),
        ("extended-key-usage", with_instead(PLAN, extension(x509.ExtendedKeyUsage([])))),
        ("extended-key-usage", with_instead(PLAN, purposes("1.3.6.1.5.5.7.3.2", "2.5.29.37.0"))),
        (
            "extended-key-usage",
            with_instead(PLAN, purposes(ExtendedKeyUsageOID.OCSP_SIGNING.dotted_string)),
        ),
        ("key-identifiers", without(PLAN, x509.AuthorityKeyIdentifier)),
        ("key-identifiers", without(PLAN, x509.SubjectKeyIdentifier)),
        ("key-identifiers", critical(PLAN, x509.AuthorityKeyIdentifier)),
        ("key-identifiers", critical(PLAN, x509.SubjectKeyIdentifier)),
        (
            "key-identifiers",
            with_instead(PLAN, extension(x509.AuthorityKeyIdentifier(None, [*dns("a.example")], 1))),
        ),
        ("authority-information", critical(PLAN, x509.AuthorityInformationAccess)),
        ("authority-information", critical(PLAN, x509.CRLDistributionPoints)),
        ("authority-information", with_instead(PLAN, access(AuthorityInformationAccessOID.OCSP))),
        (
            "authority-information",
            with_instead(PLAN, extension(x509.TLSFeature([x509.TLSFeatureType.status_request]))),
        ),
    ],
)
def test_a_broken_plan_is_found_by_the_lint_of_its_rule(rule: str, broken: CertificatePlan) -> None:
    assert [finding.rule for finding in lint_plan(broken)] == [rule]


@pytest.mark.parametrize(
    "good",
    [
        with_instead(ED25519_PLAN, key_usage("content_commitment")),
        with_instead(PLAN, key_usage("key_agreement")),
        with_instead(RSA_PLAN, key_usage("data_encipherment")),
        without(PLAN, x509.BasicConstraints, x509.CRLDistributionPoints, x509.AuthorityInformationAccess),
        replace(PLAN, not_before=PLAN.planned_at - timedelta(hours=1)),
        replace(PLAN, serial=1 << 63),
        replace(PLAN, serial=(1 << 159) - 1),
    ],
)
def test_a_plan_just_inside_the_rules_has_no_findings(good: CertificatePlan) -> None:
    assert lint_plan(good) == ()


def test_a_path_length_without_a_ca_is_found() -> None:
    # cryptography refuses to build one; a plan could still come from elsewhere.
    constraints = x509.BasicConstraints(ca=True, path_length=0)
    object.__setattr__(constraints, "_ca", False)
    assert [finding.rule for finding in lint_plan(with_instead(PLAN, extension(constraints)))] == ["not-a-ca"]


def test_a_finding_names_its_rule_and_its_clause() -> None:
    finding = lint_plan(without(PLAN, x509.KeyUsage))[0]
    assert finding == Finding(rule="key-usage", clause="RFC 5280 section 4.2.1.3", detail="there is none")
    assert str(finding) == "key-usage: there is none (RFC 5280 section 4.2.1.3)"


def test_every_lint_has_a_rule_of_its_own_and_cites_its_clause() -> None:
    rules = [lint.RULE for lint in LINTS]
    assert len(set(rules)) == len(rules)
    for lint in LINTS:
        assert lint.RULE.replace("-", "_") == lint.__name__.rpartition(".")[2]
        assert lint.CLAUSE.startswith("RFC 5280 section ")
        assert lint.__doc__ is not None
        assert "RFC 5280 section" in lint.__doc__


def test_the_checks_are_plain_functions_of_the_plan() -> None:
    checks: list[Callable[..., str]] = [lint.check for lint in LINTS]
    by_type = {type(each.value): each for each in PLAN.extensions}
    assert [check(PLAN, by_type) for check in checks] == [""] * len(LINTS)
