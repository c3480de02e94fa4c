"""From a request's octets to a certificate, or to the refusal that its first fault deserves."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from certuary.core import der, oids
from certuary.core.blocklist import HASH_OCTETS, RECORD_OCTETS, Blocklist
from certuary.core.lints.finding import Finding
from certuary.core.names import certificate_alternative_names
from certuary.core.subject_rule import SubjectRule
from certuary.core.values import key_hash, serial_to_text
from certuary.errors import (
    BadProofOfPossession,
    BadRequest,
    CertuaryError,
    KeyRefused,
    KeyReused,
    LinkingFailed,
    MalformedBody,
    MalformedCsr,
    NothingToRenew,
    NotPermitted,
    ProfileRefused,
    SubjectChanged,
    SubjectRefused,
)
from certuary.services import enrol as enrol_module
from certuary.services.authenticate import Caller
from certuary.services.enrol import EnrolDeps, EnrolRequest, Issued, enrol, needs_database, refusal_item
from certuary.services.ports import CertificateRow
from certuary.services.snapshot import ActiveProfile
from tests.memory_records import MARKER
from tests.request_maker import KEY, attribute, attributes, info, name, request, spki, usual_request
from tests.unit.core.issuing import MINIMAL, SERIAL, changed, issuing
from tests.unit.services.builders import identity, snapshot
from tests.unit.services.enrolling import (
    PLANT,
    active,
    by_certificate,
    by_password,
    deps,
    enrol_request,
    issued_row,
)

SAN = (x509.DNSName("dev-1.example"), x509.DNSName("alias.example"))
UNIQUE = b"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c"
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())


def run(
    asked: EnrolRequest,
    caller: Caller | None = None,
    *,
    profile: ActiveProfile | None = None,
    with_deps: EnrolDeps | None = None,
) -> Issued:
    world = snapshot(labels={"plant": PLANT})
    return enrol(asked, caller or by_password(), world, profile or active(), with_deps or deps())


def certificate_of(issued: Issued) -> x509.Certificate:
    return x509.load_der_x509_certificate(issued.certificate_der)


def row_of(issued: Issued) -> CertificateRow:
    assert issued.item.certificate is not None
    return issued.item.certificate


def encoded(request_der: bytes) -> bytes:
    return base64.b64encode(request_der)


def change_of_subject(
    subject: x509.Name | None,
    alternative_names: tuple[x509.GeneralName, ...] = (),
    *,
    asked_for: str = "dev-1",
) -> bytes:
    """A request whose ChangeSubjectName (RFC 6402 section 2.8) has these parts."""
    parts = [subject.public_bytes()] if subject is not None else []
    if alternative_names:
        parts.append(x509.SubjectAlternativeName(alternative_names).public_bytes())
    change = attribute(oids.CHANGE_SUBJECT_NAME, der.tlv(der.SEQUENCE, *parts))
    old = name((x509.NameOID.COMMON_NAME, asked_for)).public_bytes()
    return encoded(request(info(subject_der=old, attributes=attributes(change))))


# What is issued, and what is committed with it


def test_a_request_becomes_a_certificate_of_its_key_and_names() -> None:
    issued = run(enrol_request(encoded(usual_request(alternative_names=SAN))))
    certificate = certificate_of(issued)
    assert certificate.public_key() == KEY.public_key()
    assert certificate.subject.rfc4514_string() == "CN=dev-1"
    assert set(certificate_alternative_names(certificate)) == set(SAN)
    certificate.verify_directly_issued_by(issuing())


def test_the_row_describes_the_certificate() -> None:
    issued = run(enrol_request(encoded(usual_request(alternative_names=SAN))))
    certificate, row = certificate_of(issued), row_of(issued)
    assert row.der == issued.certificate_der
    assert row.serial == certificate.serial_number
    assert (row.not_before, row.not_after) == (
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )
    assert (row.authority_id, row.profile_version_id, row.application_id) == (2, 101, 1)
    assert row.key_hash == key_hash(spki(KEY))
    assert row.subject == "CN=dev-1"
    assert json.loads(row.alternative_names) == ["DNS:alias.example", "DNS:dev-1.example"]
    assert (row.source, row.replaces) == ("est", None)


def test_certificate_enrolment_and_audit_event_are_one_item() -> None:
    asked = usual_request()
    issued = run(enrol_request(encoded(asked)))
    item, serial = issued.item, row_of(issued).serial
    assert item.enrolment is not None
    assert (item.enrolment.outcome, item.enrolment.serial) == ("issued", serial)
    assert item.enrolment.csr_der == asked
    assert (item.audit.kind, item.audit.actor) == ("enrolment.issued", "plant")
    assert item.audit.target == f"certificate:{serial_to_text(serial)}"
    assert item.audit.request_id == item.enrolment.request_id == "request-1"
    detail = json.loads(item.audit.detail)
    assert (detail["subject"], detail["profile"], detail["version"]) == ("CN=dev-1", "minimal", 3)


def test_ignored_headers_and_the_client_certificate_are_in_the_audit_event() -> None:
    own = identity(subject=name((x509.NameOID.COMMON_NAME, "dev-1")), alternative_names=())
    asked = enrol_request(encoded(usual_request()), ignored_headers=("client-cert",))
    detail = json.loads(run(asked, by_certificate(own)).item.audit.detail)
    assert detail["ignored_headers"] == ["client-cert"]
    assert detail["client_certificate"] == serial_to_text(own.serial)


def test_the_certificate_has_the_serial_of_the_request() -> None:
    issued = run(enrol_request(encoded(usual_request()), serial=SERIAL + 5))
    assert certificate_of(issued).serial_number == row_of(issued).serial == SERIAL + 5


# Bad input


def broken_signature() -> bytes:
    good = usual_request()
    return good[:-1] + bytes([good[-1] ^ 1])


@pytest.mark.parametrize(
    ("body", "error", "rule"),
    [
        (b"", MalformedBody, "malformed-body"),
        (b"not base64!", MalformedBody, "malformed-body"),
        (encoded(b"\x30\x03\x02\x01\x00"), MalformedCsr, "malformed-csr"),
        (encoded(usual_request() + b"\x00"), MalformedCsr, "trailing-bytes"),
        (encoded(usual_request(rsa.generate_private_key(65537, 1024))), KeyRefused, "rsa-modulus-too-small"),
        (encoded(usual_request(ec.generate_private_key(ec.SECP192R1()))), KeyRefused, "curve-not-allowed"),
        (encoded(broken_signature()), BadProofOfPossession, "proof-of-possession"),
        (
            change_of_subject(name((x509.NameOID.COMMON_NAME, "dev-2"))),
            MalformedCsr,
            "change-subject-name",
        ),
    ],
)
def test_bad_input_is_refused_by_name(body: bytes, error: type[BadRequest], rule: str) -> None:
    with pytest.raises(error) as refused:
        run(enrol_request(body))
    assert refused.value.rule == rule


def test_a_key_on_the_blocklist_is_refused() -> None:
    listed = Blocklist(bytes.fromhex(key_hash(spki(KEY)))[:HASH_OCTETS].ljust(RECORD_OCTETS, b"\0"))
    with pytest.raises(KeyRefused, match="key-on-blocklist"):
        run(enrol_request(encoded(usual_request())), with_deps=deps(blocklist=listed))


def test_bad_input_is_told_before_what_the_application_may_not() -> None:
    with pytest.raises(BadProofOfPossession):
        run(enrol_request(encoded(broken_signature())), by_password(group_id=9))


# Linking (S-16, S-21)


def linked(unique: bytes) -> bytes:
    return encoded(usual_request(challenge=base64.b64encode(unique).decode()))


def test_a_challenge_password_of_this_connection_is_accepted() -> None:
    assert run(enrol_request(linked(UNIQUE), tls_unique=lambda: UNIQUE)).certificate_der


@pytest.mark.parametrize("unique", [None, UNIQUE[::-1]], ids=["TLS 1.3", "another connection"])
def test_a_challenge_password_that_cannot_be_verified_is_refused(unique: bytes | None) -> None:
    with pytest.raises(LinkingFailed):
        run(enrol_request(linked(UNIQUE), tls_unique=lambda: unique))


def test_a_registration_authority_passes_on_its_clients_challenge_password() -> None:
    ra = by_certificate(identity(is_ra=True))
    assert run(enrol_request(linked(UNIQUE)), ra).certificate_der


# Authorisation


@pytest.mark.parametrize(
    ("label", "changes"),
    [
        (None, {"group_id": 9}),
        (None, {"profile_ids": frozenset({5})}),
        ("plant", {}),
        ("plant", {"labels": frozenset({"plant"}), "profile_ids": frozenset({5})}),
    ],
)
def test_an_application_without_the_grant_is_refused(label: str | None, changes: dict[str, Any]) -> None:
    with pytest.raises(NotPermitted):
        run(enrol_request(encoded(usual_request()), label=label), by_password(**changes))


def test_an_application_with_the_label_is_served_under_it() -> None:
    asked = enrol_request(encoded(usual_request()), label="plant")
    issued = run(asked, by_password(labels=frozenset({"plant"})))
    assert issued.item.enrolment is not None
    assert issued.item.enrolment.label == "plant"


def test_names_outside_the_subject_rule_are_refused() -> None:
    caller = by_password(subject_rule=SubjectRule.parse("CN=dev-*; dns=.example"))
    assert run(enrol_request(encoded(usual_request(alternative_names=SAN))), caller).certificate_der
    with pytest.raises(SubjectRefused):
        run(enrol_request(encoded(usual_request(common_name="server-1"))), caller)
    foreign = (x509.DNSName("dev-1.example.org"),)
    with pytest.raises(SubjectRefused):
        run(enrol_request(encoded(usual_request(alternative_names=foreign))), caller)


def test_what_the_profile_adds_must_fit_the_subject_rule_too() -> None:
    adds = changed(MINIMAL, '"C", "O", "OU",', '"C", "OU",').replace(
        "[alternative_names]", '[subject.fixed]\nO = "Acme"\n\n[alternative_names]'
    )
    asked = enrol_request(encoded(usual_request()))
    assert "Acme" in row_of(run(asked, profile=active(adds))).subject
    with pytest.raises(SubjectRefused):
        run(asked, by_password(subject_rule=SubjectRule.parse("CN=dev-*")), profile=active(adds))


def test_a_client_certificate_alone_speaks_only_for_its_own_names() -> None:
    own = identity(subject=name((x509.NameOID.COMMON_NAME, "dev-1")), alternative_names=())
    assert run(enrol_request(encoded(usual_request())), by_certificate(own)).certificate_der
    other = enrol_request(encoded(usual_request(common_name="dev-2")))
    with pytest.raises(SubjectRefused):
        run(other, by_certificate(own))
    assert run(other, by_password(own)).certificate_der


def test_a_plan_that_a_lint_finds_fault_with_is_not_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = (Finding(rule="no-ca", clause="RFC 5280 section 4.2.1.9", detail="a CA certificate"),)
    monkeypatch.setattr(enrol_module, "lint_plan", lambda plan: found)
    with pytest.raises(ProfileRefused, match=r"RFC 5280 section 4\.2\.1\.9") as refused:
        run(enrol_request(encoded(usual_request())))
    assert refused.value.rule == "lint"


# Re-enrolment (S-30, S-31, S-32)


OWN = identity(subject=name((x509.NameOID.COMMON_NAME, "dev-1")), alternative_names=SAN)


@pytest.mark.parametrize("key", [KEY, OTHER_KEY], ids=["renew", "rekey"])
@pytest.mark.parametrize("names", [SAN, SAN[::-1]], ids=["same order", "another order"])
def test_a_client_certificate_is_renewed_under_its_own_names(
    key: ec.EllipticCurvePrivateKey, names: tuple[x509.GeneralName, ...]
) -> None:
    body = encoded(usual_request(key, alternative_names=names))
    issued = run(enrol_request(body, again=True), by_certificate(OWN))
    assert row_of(issued).replaces == serial_to_text(OWN.serial)
    assert json.loads(issued.item.audit.detail)["replaces"] == serial_to_text(OWN.serial)


@pytest.mark.parametrize(
    "body",
    [
        usual_request(common_name="dev-2", alternative_names=SAN),
        usual_request(alternative_names=SAN[:1]),
        usual_request(alternative_names=(*SAN, x509.DNSName("more.example"))),
        usual_request(),
    ],
    ids=["another CN", "one name less", "one name more", "no names"],
)
@pytest.mark.parametrize("password", [False, True], ids=["certificate", "certificate and password"])
def test_a_client_certificate_is_not_renewed_under_other_names(body: bytes, password: bool) -> None:
    caller = by_password(OWN) if password else by_certificate(OWN)
    with pytest.raises(SubjectChanged):
        run(enrol_request(encoded(body), again=True), caller)


def test_a_password_renews_the_newest_certificate_of_the_same_names() -> None:
    older, newer = issued_row(serial=1), issued_row(serial=2)
    issued = run(enrol_request(encoded(usual_request()), again=True), with_deps=deps(older, newer))
    assert row_of(issued).replaces == serial_to_text(2)


@pytest.mark.parametrize(
    "rows",
    [
        (),
        (issued_row("dev-2"),),
        (issued_row(application_id=9),),
        (issued_row(revoked_at=enrol_request(b"").now),),
    ],
    ids=["nothing", "other names", "another application's", "revoked"],
)
def test_a_password_renews_nothing_that_is_not_there(rows: tuple[CertificateRow, ...]) -> None:
    with pytest.raises(NothingToRenew):
        run(enrol_request(encoded(usual_request()), again=True), with_deps=deps(*rows))


def test_a_record_that_was_altered_is_not_renewed() -> None:
    row = replace(issued_row(application_id=9), application_id=1)
    with pytest.raises(NothingToRenew, match="was altered"):
        run(enrol_request(encoded(usual_request()), again=True), with_deps=deps(row))


def test_an_issued_certificate_s_row_carries_its_mark() -> None:
    MARKER.check_certificate(row_of(run(enrol_request(encoded(usual_request())))))


def test_a_registration_authority_renews_for_others() -> None:
    ra = by_certificate(identity(is_ra=True))
    issued = run(
        enrol_request(encoded(usual_request()), again=True), ra, with_deps=deps(issued_row(serial=5))
    )
    assert row_of(issued).replaces == serial_to_text(5)


def test_change_subject_name_replaces_subject_and_alternative_names() -> None:
    new = name((x509.NameOID.COMMON_NAME, "dev-2"))
    body = change_of_subject(new, (x509.DNSName("dev-2.example"),))
    certificate = certificate_of(run(enrol_request(body, again=True), with_deps=deps(issued_row())))
    assert certificate.subject == new
    assert certificate_alternative_names(certificate) == (x509.DNSName("dev-2.example"),)


def test_what_change_subject_name_leaves_out_is_gone() -> None:
    body = change_of_subject(None, (x509.DNSName("dev-2.example"),))
    with pytest.raises(ProfileRefused):  # the profile wants a CN, which is not kept
        run(enrol_request(body, again=True), with_deps=deps(issued_row()))
    without_cn = changed(MINIMAL, 'required = ["CN"]\noptional = [', 'optional = ["CN", ')
    issued = run(enrol_request(body, again=True), profile=active(without_cn), with_deps=deps(issued_row()))
    assert row_of(issued).subject == ""


def test_changed_names_are_held_against_the_subject_rule() -> None:
    caller = by_password(subject_rule=SubjectRule.parse("CN=dev-*"))
    body = change_of_subject(name((x509.NameOID.COMMON_NAME, "server-1")))
    with pytest.raises(SubjectRefused):
        run(enrol_request(body, again=True), caller, with_deps=deps(issued_row()))


def test_a_client_certificate_alone_changes_no_names() -> None:
    own = replace(OWN, alternative_names=())
    body = change_of_subject(name((x509.NameOID.COMMON_NAME, "dev-2")))
    with pytest.raises(SubjectRefused):
        run(enrol_request(body, again=True), by_certificate(own))


# Key reuse


def reusing(policy: str) -> ActiveProfile:
    return active(f'key_reuse = "{policy}"\n{MINIMAL}')


MINE = issued_row(spki_der=spki(KEY))


@pytest.mark.parametrize(
    ("policy", "row", "allowed"),
    [
        ("allow", MINE, True),
        ("refuse", MINE, False),
        ("refuse", issued_row(), True),
        ("same-names", MINE, True),
        ("same-names", issued_row("dev-2", spki_der=spki(KEY)), False),
        ("same-names", issued_row(spki_der=spki(KEY), application_id=9), False),
        ("same-names", replace(MINE, mark=None), False),
        ("same-names", replace(issued_row(spki_der=spki(KEY), application_id=9), application_id=1), False),
    ],
    ids=[
        "allowed",
        "refused",
        "another key",
        "same names",
        "other names",
        "another application",
        "a record without a mark",
        "a record that was altered",
    ],
)
def test_a_key_is_used_again_as_the_profile_allows(policy: str, row: CertificateRow, allowed: bool) -> None:
    asked = enrol_request(encoded(usual_request()))
    if allowed:
        assert run(asked, profile=reusing(policy), with_deps=deps(row)).certificate_der
        return
    with pytest.raises(KeyReused):
        run(asked, profile=reusing(policy), with_deps=deps(row))


@pytest.mark.parametrize(
    ("again", "caller", "policy", "expected"),
    [
        (False, by_password(), "allow", False),
        (False, by_password(), "same-names", True),
        (True, by_password(), "allow", True),
        (True, by_certificate(OWN), "allow", False),
        (True, by_certificate(OWN), "refuse", True),
        (True, by_certificate(identity(is_ra=True)), "allow", True),
    ],
)
def test_only_what_has_to_be_looked_up_needs_the_database(
    again: bool, caller: Caller, policy: str, expected: bool
) -> None:
    assert needs_database(enrol_request(b"", again=again).operation, caller, reusing(policy)) is expected


# Refusals are recorded


ASKED = usual_request()


@pytest.mark.parametrize(
    ("body", "kept"), [(encoded(ASKED), ASKED), (b"not base64!", None)], ids=["a request", "no request"]
)
def test_a_refused_enrolment_is_recorded_with_what_was_asked(body: bytes, kept: bytes | None) -> None:
    refusal: CertuaryError = KeyRefused("the RSA exponent is even", rule="rsa-exponent-even")
    item = refusal_item(enrol_request(body, label="plant"), by_password(), active(), refusal)
    assert item.certificate is None
    assert item.enrolment is not None
    assert (item.enrolment.outcome, item.enrolment.reason) == ("refused", "rsa-exponent-even")
    assert (item.enrolment.serial, item.enrolment.label) == (None, "plant")
    assert item.enrolment.csr_der == kept
    assert item.audit.kind == "enrolment.refused"
    assert json.loads(item.audit.detail)["rule"] == "rsa-exponent-even"
