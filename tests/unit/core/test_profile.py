"""Profiles: what their text may say, and what a certificate under them contains."""

from __future__ import annotations

import warnings
from dataclasses import replace
from datetime import UTC, timedelta, timezone
from ipaddress import ip_network

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certuary.core.certificate import AnyExtension, extension, key_usage_extension
from certuary.core.lints import lint_plan
from certuary.core.names import subject_text
from certuary.core.profile import (
    NamesAndKey,
    Profile,
    compile_profile,
    issuer_facts,
    parse_profile,
    plan_certificate,
)
from certuary.core.profile_config import KEYS, nearest
from certuary.errors import InvalidProfile, KeyRefused, ProfileRefused, Unavailable
from tests.unit.core.issuing import (
    MINIMAL,
    NOW,
    SERIAL,
    SHIPPED,
    address,
    asked,
    changed,
    compiled,
    dns,
    host,
    issuing,
    key_usage,
    mailbox,
    planned,
    public_key,
    purposes,
    subject,
    uri,
)

CLIENT_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH.dotted_string
SERVER_AUTH = ExtendedKeyUsageOID.SERVER_AUTH.dotted_string
CODE_SIGNING = ExtendedKeyUsageOID.CODE_SIGNING.dotted_string
BITS = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")


def found(plan_extensions: tuple[AnyExtension, ...], kind: type[x509.ExtensionType]) -> AnyExtension | None:
    matching = [each for each in plan_extensions if isinstance(each.value, kind)]
    assert len(matching) <= 1
    return matching[0] if matching else None


def usage_of(request: NamesAndKey, toml_text: str = MINIMAL) -> set[str]:
    given = found(planned(request, toml_text).extensions, x509.KeyUsage)
    assert given is not None
    return {bit for bit in BITS if getattr(given.value, bit)}


def purposes_of(request: NamesAndKey, toml_text: str = MINIMAL) -> list[str]:
    given = found(planned(request, toml_text).extensions, x509.ExtendedKeyUsage)
    assert given is not None
    assert isinstance(given.value, x509.ExtendedKeyUsage)
    return [oid.dotted_string for oid in given.value]


def refusing(toml_text: str = MINIMAL) -> str:
    return 'unasked_extensions = "refuse"\n' + toml_text


# --- the text ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_a_shipped_profile_is_valid_and_named_like_its_file(name: str) -> None:
    assert Profile.from_toml(SHIPPED[name]).name == name


def test_four_profiles_are_shipped_and_one_is_the_default() -> None:
    profiles = {name: Profile.from_toml(text) for name, text in SHIPPED.items()}
    assert sorted(profiles) == ["network-gear", "tls-client", "tls-device", "tls-server"]
    assert [name for name, profile in profiles.items() if profile.est_default] == ["tls-device"]


def test_what_a_profile_leaves_out_has_a_safe_default() -> None:
    profile = Profile.from_toml(MINIMAL)
    assert profile.authority == "issuing"
    assert not profile.est_default
    assert profile.backdate == timedelta(minutes=5)
    assert profile.key_reuse == "allow"
    assert profile.unasked_extensions == "drop"
    assert profile.basic_constraints
    assert profile.crl_pointer
    assert profile.ca_pointer
    assert not profile.subject.drop_unlisted
    assert not profile.alternative_names.wildcards
    assert profile.alternative_names.maximum == 10


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ('lifetime = "90d"', 'lifetme = "90d"', 4, "did you mean 'validity.lifetime'"),
        ("[key_usage]", "[key_usge]", 16, "did you mean 'key_usage'"),
        ('name = "minimal"', 'nmae = "minimal"', 1, "did you mean 'name'"),
        ('lifetime = "90d"', 'lifetime = "3 months"', 4, '"90d"'),
        ('lifetime = "90d"', 'lifetime = "0d"', 4, "from 1m to 3660d"),
        ('lifetime = "90d"', 'lifetime = "4000d"', 4, "from 1m to 3660d"),
        ('lifetime = "90d"', 'lifetime = "90d"\nbackdate = "61m"', 5, "from 0s to 1h"),
        ('lifetime = "90d"', "lifetime = 90", 4, "text in quotes"),
        ('lifetime = "90d"', "", 3, "this key is needed"),
        ('"ec-p256"', '"ec-p265"', 7, "did you mean 'ec-p256'"),
        ('"rsa-2048+"', '"rsa-1024+"', 7, "did you mean 'rsa-"),
        ('allow = ["ec-p256", "rsa-2048+", "ed25519"]', "allow = []", 7, "at least one"),
        ('allow = ["ec-p256", "rsa-2048+", "ed25519"]', 'allow = "ec-p256"', 7, "list of texts"),
        (
            '["ec-p256", "rsa-2048+", "ed25519"]',
            '[\n  "ec-p256",\n  "ec-p384",\n  "ec-p999",\n]',
            10,
            "'ec-p999'",
        ),
        ('["ec-p256", "rsa-2048+", "ed25519"]', '["ec-p256", "ec-p256"]', 7, "twice"),
        ('required = ["CN"]', 'required = ["cn"]', 10, "did you mean 'CN'"),
        ('required = ["CN"]', 'required = ["CN", "O"]', 11, "O is required already"),
        ('required = ["CN"]', 'required = ["CN"]\nfixed = { O = "" }', 11, "text in quotes"),
        ('required = ["CN"]', 'required = ["CN"]\nfixed = { O = 7 }', 11, "text in quotes"),
        ('required = ["CN"]', 'required = ["CN"]\nfixed = { Org = "x" }', 11, "did you mean 'O'"),
        ('required = ["CN"]', 'required = ["CN"]\nfixed = "x"', 11, "table"),
        ('required = ["CN"]', 'required = ["CN"]\nfixed = { C = "de" }', 11, "two capital letters"),
        ('required = ["CN"]', 'required = ["CN"]\nfixed = { OU = "a\\u0007" }', 11, "control character"),
        ('required = ["CN"]', 'required = ["CN"]\nfixed = { title = " a" }', 11, "blank"),
        ('required = ["CN"]', f'required = ["CN"]\nfixed = {{ CN = "{"ü" * 40}" }}', 11, "64"),
        ('required = ["CN"]', 'required = ["CN"]\nunlisted = "keep"', 11, "'keep'"),
        ('"uri"]', '"uri"]\nmax = 101', 15, "from 0 to 100"),
        ('"uri"]', '"uri"]\nmax = true', 15, "whole number"),
        ('"uri"]', '"uri"]\nwildcards = 1', 15, "true or false"),
        ('"ip", "email", "uri"]', '"ip"]\nrequired = ["uri"]', 15, "uri is not in allow"),
        ('"uri"]', '"uri"]\nrequired = ["dns", "ip"]\nmax = 1', 16, "fewer"),
        ('"keyEncipherment"', '"keyCertSign"', 17, "cannot make certificate authorities"),
        ('"keyEncipherment"', '"cRLSign"', 17, "cannot make certificate authorities"),
        ('"keyEncipherment"', '"keyAgrement"', 17, "did you mean 'keyAgreement'"),
        ('"digitalSignature", "keyEncipherment"', '"keyEncipherment"', 17, "type ec"),
        ('"digitalSignature", "keyEncipherment"', "", 17, "at least one"),
        ('"clientAuth", "serverAuth"', "", 20, "at least one"),
        ('"clientAuth"', '"clientauth"', 20, "did you mean 'clientAuth'"),
        ('"clientAuth"', '"anyExtendedKeyUsage"', 20, "unrestricted"),
        ('"clientAuth"', '"2.5.29.37.0"', 20, "unrestricted"),
        ('"clientAuth"', '"OCSPSigning"', 20, "answer for this authority"),
        ('"clientAuth"', '"1.3.6.1.5.5.7.3.9"', 20, "answer for this authority"),
        ('"clientAuth"', '"1.40.1"', 20, "did you mean"),
        ('"clientAuth"', '"3.1"', 20, "did you mean"),
        (
            'name = "minimal"',
            'name = "minimal"\ncertificate_policies = ["2.5"]\nmust_staple = true',
            3,
            "OCSP",
        ),
        ('name = "minimal"', 'name = "minimal"\nocsp = "auto"', 2, "no OCSP responder"),
        ('name = "minimal"', 'name = "minimal"\ntls_feature = true', 2, "no server could staple"),
        ('name = "minimal"', 'name = "minimal"\npointers.ocsp = "auto"', 2, "no OCSP responder"),
        ('name = "minimal"', 'name = "minimal"\npointers.must_staple = true', 2, "no server could staple"),
        ('name = "minimal"', 'name = "minimal"\npointers.crl = "http://x/"', 2, "did you mean 'auto'"),
        ('name = "minimal"', 'name = "minimal"\nbasic_constraints.ca = true', 2, "cannot make certificate"),
        ('name = "minimal"', 'name = "minimal"\ncertificate_policies = ["x"]', 2, "object identifier"),
        ('name = "minimal"', 'name = "minimal"\ncertificate_policies = ["1.2.03"]', 2, "object identifier"),
        ('name = "minimal"', 'name = "minimal"\nauthority = "../root"', 2, "a-z, 0-9"),
        ('name = "minimal"', 'name = "123"', 1, "has a letter"),
        ('name = "minimal"', "", 1, "this key is needed"),
        ('name = "minimal"', 'name = "minimal"\nkey_reuse = "never"', 2, "there is no 'never'"),
        ('name = "minimal"', 'name = "minimal"\nvalidity = 7', 4, "not TOML"),
        ('name = "minimal"', 'name = "minimal"\npointers = 7', 2, "write [pointers]"),
        ('name = "minimal"', 'name = "minimal"\ndescription = "a\\u001b"', 2, "printable"),
        ('name = "minimal"', 'name = "minimal"\n"a\\u001b" = 1', 1, "a\\x1b: there is no such key"),
        ('name = "minimal"', 'name = "minimal"\nname = "again"', 2, "not TOML"),
    ],
)
def test_a_mistake_is_refused_with_its_line_and_what_is_right(
    old: str, new: str, line: int, says: str
) -> None:
    with pytest.raises(InvalidProfile) as refusal:
        Profile.from_toml(changed(MINIMAL, old, new))
    assert str(refusal.value).startswith(f"invalid-profile: line {line}: ")
    assert says in str(refusal.value)


def test_a_profile_needs_some_name() -> None:
    text = changed(MINIMAL, '[subject]\nrequired = ["CN"]\n', "")
    text = "\n".join(line for line in text.splitlines() if not line.startswith("optional"))
    with pytest.raises(InvalidProfile, match="needs a name"):
        Profile.from_toml(changed(text, '["dns", "ip", "email", "uri"]', "[]"))
    with pytest.raises(InvalidProfile, match="needs a name"):
        Profile.from_toml(changed(text, '"email", "uri"]', '"email", "uri"]\nmax = 0'))


def test_a_listed_common_name_needs_names_to_be_listed_among() -> None:
    text = changed(MINIMAL, 'required = ["CN"]', 'required = ["CN"]\ncommon_name = "listed"')
    with pytest.raises(InvalidProfile, match="needs dns or ip"):
        Profile.from_toml(changed(text, '"dns", "ip", ', ""))


def test_a_key_usage_that_no_allowed_key_has_is_refused() -> None:
    text = changed(MINIMAL, '["ec-p256", "rsa-2048+", "ed25519"]', '["ec-p256", "ed25519"]')
    with pytest.raises(InvalidProfile, match=r"line 17: key_usage\.allow: keyEncipherment: no key"):
        Profile.from_toml(text)


def test_an_unknown_oid_is_a_purpose_and_zero_is_a_backdate() -> None:
    text = changed(MINIMAL, '"clientAuth"', '"1.3.6.1.4.1.99999.1"')
    profile = Profile.from_toml(changed(text, 'lifetime = "90d"', 'lifetime = "90d"\nbackdate = "0m"'))
    assert profile.purposes[0].dotted_string == "1.3.6.1.4.1.99999.1"
    assert profile.backdate == timedelta(0)


def test_an_object_identifier_too_long_for_der_is_refused() -> None:
    long = "1.2." + ".".join(["9" * 19] * 15)
    with pytest.raises(InvalidProfile, match="did you mean"):
        Profile.from_toml(changed(MINIMAL, '"clientAuth"', f'"{long}"'))


def test_reading_keeps_what_the_text_says() -> None:
    config = parse_profile(changed(MINIMAL, "[subject]", '[subject]\nfixed = { C = "DE", OU = "Plant" }'))
    assert config.name == "minimal"
    assert config.keys == ("ec-p256", "rsa-2048+", "ed25519")
    assert config.subject_fixed == (("C", "DE"), ("OU", "Plant"))
    assert config.purposes == (CLIENT_AUTH, SERVER_AUTH)


def test_a_word_that_is_written_with_escapes_is_refused_with_the_line_of_its_key() -> None:
    with pytest.raises(InvalidProfile, match=r"line 7: keys\.allow: there is no 'ec-p9'"):
        Profile.from_toml(changed(MINIMAL, '"ec-p256"', r'"\u0065c-p9"'))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a" * 40_000, "line 1: a profile is at most"),
        ("a = 1\n# " + "b" * 2_000, "line 2: a line is at most"),
        ("a = '\ud800'", "line 1: .* surrogate"),
        ("a = " + "[" * 1_900, "line 1: not a profile: nested"),
        ("a = " + "1" * 1_900 + "\nb = ", "line 2: not TOML"),
    ],
)
def test_a_text_that_is_no_toml_is_refused(text: str, says: str) -> None:
    with pytest.raises(InvalidProfile, match=says):
        parse_profile(text)


def test_the_nearest_word_ignores_case() -> None:
    assert nearest("SERVERAUTH", ["clientAuth", "serverAuth"]) == "serverAuth"
    assert nearest("", KEYS["validity"]) in KEYS["validity"]


# --- the plan ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["ec-p256", "rsa-2048", "ed25519"])
def test_a_plan_has_exactly_the_extensions_of_its_profile(key: str) -> None:
    plan = planned(asked(alternative_names=dns("dev-1.example"), key=key))
    assert [type(each.value).__name__ for each in plan.extensions] == [
        "KeyUsage",
        "ExtendedKeyUsage",
        "BasicConstraints",
        "AuthorityKeyIdentifier",
        "CRLDistributionPoints",
        "AuthorityInformationAccess",
        "SubjectKeyIdentifier",
        "SubjectAlternativeName",
    ]
    assert lint_plan(plan) == ()
    assert plan.issuer == issuing().subject
    assert plan.public_key == public_key(key)
    assert plan.serial == SERIAL


def test_the_pointers_lead_to_the_status_listener() -> None:
    plan = planned()
    points = found(plan.extensions, x509.CRLDistributionPoints)
    access = found(plan.extensions, x509.AuthorityInformationAccess)
    assert points is not None
    assert access is not None
    assert "http://ca.example:8080/crl/issuing.crl" in str(points.value)
    assert "http://ca.example:8080/ca/issuing.crt" in str(access.value)


def test_pointers_basic_constraints_and_policies_follow_the_profile() -> None:
    head = (
        'basic_constraints.include = false\npointers = { crl = "none", ca = "none" }\n'
        'certificate_policies = ["1.3.6.1.4.1.99999.2"]\n'
    )
    plan = planned(toml_text=head + MINIMAL)
    assert found(plan.extensions, x509.CRLDistributionPoints) is None
    assert found(plan.extensions, x509.AuthorityInformationAccess) is None
    assert found(plan.extensions, x509.BasicConstraints) is None
    policies = found(plan.extensions, x509.CertificatePolicies)
    assert policies is not None
    assert "1.3.6.1.4.1.99999.2" in str(policies.value)


def test_an_issuer_without_a_status_address_gives_no_pointers() -> None:
    facts = issuer_facts(issuing(), name="issuing", status_url="")
    ready = compile_profile(Profile.from_toml(MINIMAL), facts)
    plan = plan_certificate(asked(), ready, serial=SERIAL, now=NOW)
    assert found(plan.extensions, x509.CRLDistributionPoints) is None


def test_criticality_follows_the_profile() -> None:
    text = changed(MINIMAL, '"keyEncipherment"]', '"keyEncipherment"]\ncritical = false')
    text = changed(text, '"serverAuth"]', '"serverAuth"]\ncritical = true')
    plan = planned(toml_text="basic_constraints.critical = false\n" + text)
    for kind, critical in (
        (x509.KeyUsage, False),
        (x509.ExtendedKeyUsage, True),
        (x509.BasicConstraints, False),
    ):
        given = found(plan.extensions, kind)
        assert given is not None
        assert given.critical is critical


def test_a_certificate_is_valid_from_the_backdate_for_the_lifetime() -> None:
    plan = planned()
    start = NOW.replace(microsecond=0)
    assert (plan.not_before, plan.not_after) == (start - timedelta(minutes=5), start + timedelta(days=90))
    elsewhere = plan_certificate(
        asked(), compiled(), serial=SERIAL, now=NOW.astimezone(timezone(timedelta(hours=-3)))
    )
    assert elsewhere.not_after == plan.not_after
    assert elsewhere.not_after.tzinfo is UTC


def test_a_certificate_stays_within_its_issuers_time() -> None:
    ready = compiled()
    end = ready.issuer.not_after
    late = plan_certificate(asked(), ready, serial=SERIAL, now=end - timedelta(days=1))
    assert late.not_after == end
    begin = ready.issuer.not_before
    early = plan_certificate(asked(), ready, serial=SERIAL, now=begin + timedelta(seconds=10))
    assert early.not_before == begin
    with pytest.raises(Unavailable, match="authority-expired"):
        plan_certificate(asked(), ready, serial=SERIAL, now=end)


# --- keys -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "bits"),
    [
        ("ec-p256", {"digital_signature"}),
        ("ed25519", {"digital_signature"}),
        ("rsa-2048", {"digital_signature", "key_encipherment"}),
    ],
)
def test_the_key_usage_is_what_the_profile_allows_and_the_key_can_do(key: str, bits: set[str]) -> None:
    assert usage_of(asked(key=key)) == bits


def test_only_an_ec_key_agrees_on_keys() -> None:
    text = changed(MINIMAL, '"keyEncipherment"', '"keyAgreement", "contentCommitment"')
    assert usage_of(asked(), text) == {"digital_signature", "key_agreement", "content_commitment"}
    assert usage_of(asked(key="rsa-2048"), text) == {"digital_signature", "content_commitment"}


@pytest.mark.parametrize(
    ("allow", "key", "taken"),
    [
        ('"ec-p256"', "ec-p256", True),
        ('"ec-p256"', "ec-p384", False),
        ('"ec-p384", "ec-p521"', "ec-p521", True),
        ('"ec-p256"', "rsa-2048", False),
        ('"ec-p256"', "ed25519", False),
        ('"ed25519"', "ed25519", True),
        ('"rsa-2048+"', "ec-p256", False),
        ('"rsa-3072+"', "rsa-2048", False),
        ('"rsa-2048+"', "rsa-2048", True),
        ('"rsa-3072+", "rsa-2048+"', "rsa-2048", True),
        ('"rsa-2048+"', "rsa-3072", True),
    ],
)
def test_only_the_allowed_keys_are_taken(allow: str, key: str, *, taken: bool) -> None:
    text = changed(MINIMAL, '"ec-p256", "rsa-2048+", "ed25519"', allow)
    text = changed(text, '"digitalSignature", "keyEncipherment"', '"digitalSignature"')
    if taken:
        assert planned(asked(key=key), text).public_key == public_key(key)
        return
    with pytest.raises(KeyRefused) as refusal:
        planned(asked(key=key), text)
    assert refusal.value.rule == "key-type-not-allowed"


def test_a_curve_that_nobody_lists_is_refused() -> None:
    request = replace(asked(), public_key=ec.generate_private_key(ec.BrainpoolP256R1()).public_key())
    with pytest.raises(KeyRefused, match="brainpoolP256r1"):
        planned(request)


# --- extensions of the request ----------------------------------------------------------------------------------


def test_a_requested_key_usage_narrows_the_profiles() -> None:
    assert usage_of(asked(key="rsa-2048", extensions=[key_usage("digital_signature")])) == {
        "digital_signature"
    }
    assert usage_of(asked(key="rsa-2048", extensions=[key_usage("key_encipherment")])) == {"key_encipherment"}


def test_a_requested_key_usage_never_widens_the_profiles() -> None:
    wide = key_usage("digital_signature", "data_encipherment", "key_encipherment")
    assert usage_of(asked(extensions=[wide])) == {"digital_signature"}
    with pytest.raises(ProfileRefused) as refusal:
        planned(asked(extensions=[wide]), refusing())
    assert refusal.value.rule == "key-usage"


@pytest.mark.parametrize("text", [MINIMAL, refusing()])
@pytest.mark.parametrize("bits", [(), ("key_agreement",), ("key_encipherment",)])
def test_a_requested_key_usage_of_which_nothing_is_left_is_refused(text: str, bits: tuple[str, ...]) -> None:
    with pytest.raises(ProfileRefused) as refusal:
        planned(asked(extensions=[key_usage(*bits)]), text)
    assert refusal.value.rule == "key-usage"


@pytest.mark.parametrize("bit", ["key_cert_sign", "crl_sign"])
@pytest.mark.parametrize("text", [MINIMAL, refusing()])
def test_a_request_for_the_key_usage_of_a_ca_is_refused(text: str, bit: str) -> None:
    with pytest.raises(ProfileRefused) as refusal:
        planned(asked(extensions=[key_usage("digital_signature", bit)]), text)
    assert refusal.value.rule == "ca-not-allowed"


def test_requested_purposes_narrow_the_profiles_and_never_widen_them() -> None:
    assert purposes_of(asked()) == [CLIENT_AUTH, SERVER_AUTH]
    assert purposes_of(asked(extensions=[purposes(SERVER_AUTH)])) == [SERVER_AUTH]
    assert purposes_of(asked(extensions=[purposes(SERVER_AUTH)]), refusing()) == [SERVER_AUTH]
    assert purposes_of(asked(extensions=[purposes(CODE_SIGNING, SERVER_AUTH)])) == [SERVER_AUTH]
    with pytest.raises(ProfileRefused, match=CODE_SIGNING):
        planned(asked(extensions=[purposes(CODE_SIGNING, SERVER_AUTH)]), refusing())


@pytest.mark.parametrize("text", [MINIMAL, refusing()])
def test_requested_purposes_of_which_nothing_is_left_are_refused(text: str) -> None:
    for wanted in (purposes(CODE_SIGNING), purposes("2.5.29.37.0"), extension(x509.ExtendedKeyUsage([]))):
        with pytest.raises(ProfileRefused) as refusal:
            planned(asked(extensions=[wanted]), text)
        assert refusal.value.rule == "extended-key-usage"


def test_a_narrowed_extension_keeps_the_profiles_criticality() -> None:
    wanted = [key_usage("digital_signature", critical=False), purposes(SERVER_AUTH, critical=True)]
    plan = planned(asked(extensions=wanted))
    assert plan.extensions[0] == key_usage_extension({"digital_signature"})
    assert not plan.extensions[1].critical


@pytest.mark.parametrize("text", [MINIMAL, refusing()])
@pytest.mark.parametrize("critical", [True, False])
def test_a_request_for_a_ca_certificate_is_refused(text: str, *, critical: bool) -> None:
    wanted = extension(x509.BasicConstraints(ca=True, path_length=0), critical=critical)
    with pytest.raises(ProfileRefused) as refusal:
        planned(asked(extensions=[wanted]), text)
    assert refusal.value.rule == "ca-not-allowed"


@pytest.mark.parametrize("text", [MINIMAL, refusing()])
def test_what_a_request_repeats_of_ours_is_replaced_by_ours(text: str) -> None:
    harmless = [
        extension(x509.BasicConstraints(ca=False, path_length=None), critical=True),
        extension(x509.SubjectKeyIdentifier(b"x" * 20)),
    ]
    assert planned(asked(extensions=harmless), text).extensions == planned(asked(), text).extensions


UNASKED = (
    extension(x509.TLSFeature([x509.TLSFeatureType.status_request])),
    extension(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2"), b"\x1e\x00")),
    extension(x509.NameConstraints([x509.DNSName("a.example")], None)),
    extension(x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.2.3.4"), None)])),
)


@pytest.mark.parametrize("unasked", UNASKED)
def test_an_unasked_extension_is_dropped_or_refused_as_the_profile_says(unasked: AnyExtension) -> None:
    request = asked(extensions=[unasked])
    assert planned(request).extensions == planned().extensions
    with pytest.raises(ProfileRefused) as refusal:
        planned(request, refusing())
    assert refusal.value.rule == "unasked-extension"


@pytest.mark.parametrize("text", [MINIMAL, refusing()])
@pytest.mark.parametrize("unasked", UNASKED)
def test_a_critical_extension_that_the_profile_does_not_take_is_always_refused(
    text: str, unasked: AnyExtension
) -> None:
    with pytest.raises(ProfileRefused) as refusal:
        planned(asked(extensions=[x509.Extension(unasked.oid, True, unasked.value)]), text)
    assert refusal.value.rule == "critical-extension"


# --- alternative names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *dns(
            "localhost",
            "a.example",
            "A-1.Example",
            "1.example",
            "xn--bcher-kva.example",
            "a" * 63 + ".example",
        ),
        address("10.0.0.1"),
        address("127.0.0.1"),
        address("2001:db8::1"),
        mailbox("ops+1@plant.example"),
        uri("urn:acme:device:1"),
        uri("https://a.example/x?y=z#w"),
        uri("spiffe://acme.example/plant/1"),
    ],
)
def test_a_well_formed_alternative_name_is_taken(name: x509.GeneralName) -> None:
    assert planned(asked(alternative_names=[name])).alternative_names == (name,)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        (host("*.example.com"), "wildcard"),
        (host("a b.example"), "dns-name"),
        (host("a_b.example"), "dns-name"),
        (host("-a.example"), "dns-name"),
        (host("a-.example"), "dns-name"),
        (host("a..example"), "dns-name"),
        (host("a.example."), "dns-name"),
        (host(""), "dns-name"),
        (host("a.*.example"), "dns-name"),
        (host("10.0.0.1"), "dns-name"),
        (host("a.example\x00.evil.test"), "dns-name"),
        (host("a.example\n"), "dns-name"),
        (host("bücher.example"), "dns-name"),
        (host("xn--a.example"), "dns-name"),
        (host("xn--.example"), "dns-name"),
        (host("xn--abc-.example"), "dns-name"),
        (host("xn--" + "z" * 50 + ".example"), "dns-name"),
        (host("ab--cd.example"), "dns-name"),
        (host("a" * 64 + ".example"), "dns-name"),
        (host(".".join(["a" * 60] * 5)), "dns-name"),
        (address("0.0.0.0"), "ip-address"),
        (address("255.255.255.255"), "ip-address"),
        (address("224.0.0.1"), "ip-address"),
        (address("::"), "ip-address"),
        (address("::ffff:10.0.0.1"), "ip-address"),
        (x509.IPAddress(ip_network("10.0.0.0/8")), "ip-address"),
        (mailbox("plant.example"), "email-address"),
        (mailbox("a b@plant.example"), "email-address"),
        (mailbox("a@b@plant.example"), "email-address"),
        (mailbox("a@plant.example\x00"), "email-address"),
        (mailbox("a" * 65 + "@plant.example"), "email-address"),
        (mailbox("Ops <ops@plant.example>"), "email-address"),
        (uri("/relative"), "uri"),
        (uri("http:"), "uri"),
        (uri("http://a b/"), "uri"),
        (uri("http://a.example/\x00"), "uri"),
        (uri("http://a.example/" + "a" * 2048), "uri"),
        (uri('http://a.example/"'), "uri"),
        (x509.DirectoryName(subject(("CN", "a"))), "alternative-name-kind"),
        (
            x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x01a"),
            "alternative-name-kind",
        ),
        (x509.RegisteredID(x509.ObjectIdentifier("1.2.3")), "alternative-name-kind"),
    ],
)
def test_a_malformed_or_foreign_alternative_name_is_refused(name: x509.GeneralName, rule: str) -> None:
    with pytest.raises(ProfileRefused) as refusal:
        planned(asked(alternative_names=[*dns("good.example"), name]))
    assert refusal.value.rule == rule


def test_a_kind_that_the_profile_does_not_list_is_refused() -> None:
    text = changed(MINIMAL, '["dns", "ip", "email", "uri"]', '["ip"]')
    with pytest.raises(ProfileRefused) as refusal:
        planned(asked(alternative_names=dns("a.example")), text)
    assert refusal.value.rule == "alternative-name-kind"


@pytest.mark.parametrize(
    ("name", "taken"), [("*.a.example", True), ("*.example", False), ("*.-.example", False)]
)
def test_a_wildcard_needs_the_profiles_leave_and_two_labels_below_it(name: str, *, taken: bool) -> None:
    text = changed(MINIMAL, '"uri"]', '"uri"]\nwildcards = true')
    request = asked(alternative_names=[host(name)])
    if taken:
        assert planned(request, text).alternative_names == request.alternative_names
        return
    with pytest.raises(ProfileRefused):
        planned(request, text)


def test_the_number_and_the_size_of_alternative_names_are_limited() -> None:
    planned(asked(alternative_names=dns(*(f"a{number}.example" for number in range(10)))))
    with pytest.raises(ProfileRefused) as refusal:
        planned(asked(alternative_names=dns(*(f"a{number}.example" for number in range(11)))))
    assert refusal.value.rule == "alternative-names-count"
    with pytest.raises(ProfileRefused) as refusal:
        planned(asked(alternative_names=[uri(f"urn:{number}:" + "a" * 2000) for number in range(5)]))
    assert refusal.value.rule == "alternative-names-size"


def test_a_required_kind_must_be_there() -> None:
    text = changed(MINIMAL, '"uri"]', '"uri"]\nrequired = ["dns"]')
    assert planned(asked(alternative_names=dns("a.example")), text)
    for names in ((), [address("10.0.0.1")]):
        with pytest.raises(ProfileRefused) as refusal:
            planned(asked(alternative_names=names), text)
        assert refusal.value.rule == "alternative-name-missing"


def test_a_name_asked_for_twice_is_in_the_certificate_once() -> None:
    names = dns("b.example", "a.example", "b.example")
    assert planned(asked(alternative_names=names)).alternative_names == dns("b.example", "a.example")


# --- subjects ---------------------------------------------------------------------------------------------------


def test_a_subject_keeps_its_order_its_spelling_and_its_encoding() -> None:
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Acme  GmbH", _ASN1Type.PrintableString),
            x509.NameAttribute(NameOID.COMMON_NAME, "Gerät 1"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "a"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "b"),
        ]
    )
    assert planned(asked(name)).subject.public_bytes() == name.public_bytes()


@pytest.mark.parametrize(
    ("oid", "value", "asked_type", "given_type"),
    [
        (NameOID.COMMON_NAME, "dev", _ASN1Type.T61String, _ASN1Type.UTF8String),
        (NameOID.COMMON_NAME, "dev", _ASN1Type.BMPString, _ASN1Type.UTF8String),
        (NameOID.COMMON_NAME, "dev*", _ASN1Type.PrintableString, _ASN1Type.UTF8String),
        (NameOID.COMMON_NAME, "dev", _ASN1Type.PrintableString, _ASN1Type.PrintableString),
        (NameOID.COUNTRY_NAME, "DE", _ASN1Type.UTF8String, _ASN1Type.PrintableString),
        (NameOID.SERIAL_NUMBER, "A1", _ASN1Type.UTF8String, _ASN1Type.PrintableString),
        (NameOID.EMAIL_ADDRESS, "a@b.example", _ASN1Type.UTF8String, _ASN1Type.IA5String),
        (NameOID.DOMAIN_COMPONENT, "plant", _ASN1Type.PrintableString, _ASN1Type.IA5String),
    ],
)
def test_an_encoding_that_a_ca_must_not_use_becomes_one_that_it_may(
    oid: x509.ObjectIdentifier, value: str, asked_type: _ASN1Type, given_type: _ASN1Type
) -> None:
    attribute = x509.NameAttribute(oid, value, asked_type)
    first = [] if oid == NameOID.COMMON_NAME else [x509.NameAttribute(NameOID.COMMON_NAME, "dev")]
    given = list(planned(asked(x509.Name([*first, attribute]))).subject)[-1]
    assert (given.oid, given.value, given._type) == (oid, value, given_type)


def test_an_rdn_of_several_attributes_stays_one() -> None:
    pair = [
        x509.NameAttribute(NameOID.SERIAL_NUMBER, "FTX1", _ASN1Type.PrintableString),
        x509.NameAttribute(NameOID.UNSTRUCTURED_NAME, "r1", _ASN1Type.BMPString),
    ]
    name = x509.Name(
        [
            x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COMMON_NAME, "r1")]),
            x509.RelativeDistinguishedName(pair),
        ]
    )
    given = planned(asked(name)).subject
    assert [len(rdn) for rdn in given.rdns] == [1, 2]
    assert given == name


@pytest.mark.parametrize(
    ("pairs", "rule"),
    [
        ([("O", "Acme")], "subject-attribute-missing"),
        ([("CN", "a"), ("UID", "0")], "subject-attribute"),
        ([("CN", "a"), ("CN", "b")], "subject-attribute"),
        ([("CN", "a"), ("O", "x" * 65)], "subject-value"),
        ([("CN", "a"), ("L", "x" * 129)], "subject-value"),
        ([("CN", "a\x00b")], "subject-value"),
        ([("CN", "a\nb")], "subject-value"),
        ([("CN", "a\u202eb")], "subject-value"),
        ([("CN", " a")], "subject-value"),
        ([("CN", "   ")], "subject-value"),
        ([("CN", "a"), ("O", "")], "subject-value"),
        ([("CN", "a"), ("C", "de")], "subject-value"),
        ([("CN", "a"), ("C", "D1")], "subject-value"),
        ([("CN", "a"), ("serialNumber", "1_2")], "subject-value"),
        ([("CN", "a"), ("DC", "a.b")], "subject-value"),
        ([("CN", "a"), *[("OU", f"{number}") for number in range(20)]], "subject-size"),
        ([("CN", "a"), *[("OU", f"{number:064}") for number in range(16)]], "subject-size"),
    ],
)
def test_a_subject_outside_the_profile_is_refused(pairs: list[tuple[str, str]], rule: str) -> None:
    with pytest.raises(ProfileRefused) as refusal:
        planned(asked(subject(*pairs)))
    assert refusal.value.rule == rule


def test_a_common_name_too_long_is_refused_however_it_is_encoded() -> None:
    # cryptography warns about what it reads, and refuses to write a CN of more than 64 octets of UTF-8.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        long = x509.NameAttribute(NameOID.COMMON_NAME, "a" * 65, _validate=False)
        wide = x509.NameAttribute(NameOID.COMMON_NAME, "ü" * 40, _ASN1Type.BMPString, _validate=False)
    for attribute, says in ((long, "1 to 64"), (wide, "UTF-8")):
        with pytest.raises(ProfileRefused, match=says):
            planned(asked(x509.Name([attribute])))


def test_a_value_that_is_not_a_text_is_refused() -> None:
    bits = x509.NameAttribute(NameOID.X500_UNIQUE_IDENTIFIER, b"\x00", _ASN1Type.BitString)
    ready = compiled()
    policy = replace(ready.profile.subject, allowed=frozenset({NameOID.X500_UNIQUE_IDENTIFIER}), required=())
    with pytest.raises(ProfileRefused, match="not a text"):
        policy.accept(x509.Name([bits]), ())


def test_unlisted_attributes_are_dropped_where_the_profile_says_so() -> None:
    text = changed(MINIMAL, 'required = ["CN"]', 'required = ["CN"]\nunlisted = "drop"')
    pair = x509.RelativeDistinguishedName(
        [x509.NameAttribute(NameOID.USER_ID, "0"), x509.NameAttribute(NameOID.COMMON_NAME, "a")]
    )
    alone = x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.TITLE, "Chief")])
    assert subject_text(planned(asked(x509.Name([alone, pair])), text).subject) == "CN=a"


def test_a_fixed_attribute_is_put_in_front_where_the_request_leaves_it_out() -> None:
    text = changed(
        MINIMAL, 'required = ["CN"]', 'required = ["CN", "ST"]\nfixed = { C = "DE", ST = "Bavaria" }'
    )
    assert subject_text(planned(asked(), text).subject) == "CN=dev-1,ST=Bavaria,C=DE"
    spelled = subject(("CN", "dev-1"), ("ST", "BAVARIA"), ("C", "DE"))
    assert subject_text(planned(asked(spelled), text).subject) == "C=DE,ST=Bavaria,CN=dev-1"
    with pytest.raises(ProfileRefused) as refusal:
        planned(asked(subject(("CN", "dev-1"), ("ST", "Saxony"))), text)
    assert refusal.value.rule == "subject-fixed"


def test_without_a_subject_the_alternative_name_is_critical_and_needed() -> None:
    text = changed(MINIMAL, 'required = ["CN"]', "required = []")
    empty = x509.Name([])
    plan = planned(asked(empty, dns("a.example")), text)
    given = found(plan.extensions, x509.SubjectAlternativeName)
    assert given is not None
    assert given.critical
    assert lint_plan(plan) == ()
    with pytest.raises(ProfileRefused) as refusal:
        planned(asked(empty), text)
    assert refusal.value.rule == "names-missing"


LISTED = changed(MINIMAL, 'required = ["CN"]', 'common_name = "listed"\nrequired = []')
LISTED = changed(LISTED, 'optional = ["C",', 'optional = ["CN", "C",')


@pytest.mark.parametrize(
    ("common_name", "names", "taken"),
    [
        ("A.example", dns("b.example", "a.EXAMPLE"), True),
        ("10.0.0.1", [address("10.0.0.1")], True),
        ("2001:DB8::1", [address("2001:db8::1")], True),
        ("10.0.0.2", [address("10.0.0.1")], False),
        ("c.example", dns("a.example"), False),
        ("Web server", dns("a.example"), False),
        ("a.example", [address("10.0.0.1")], False),
    ],
)
def test_a_listed_common_name_is_among_the_alternative_names(
    common_name: str, names: tuple[x509.GeneralName, ...], *, taken: bool
) -> None:
    request = asked(subject(("CN", common_name)), names)
    if taken:
        assert planned(request, LISTED)
        return
    with pytest.raises(ProfileRefused) as refusal:
        planned(request, LISTED)
    assert refusal.value.rule == "common-name-not-listed"


def test_a_listed_common_name_may_be_absent_and_is_checked_when_it_is_fixed() -> None:
    assert planned(asked(subject(("O", "Acme")), dns("a.example")), LISTED)
    fixed = changed(LISTED, "[subject]", '[subject]\nfixed = { CN = "b.example" }')
    with pytest.raises(ProfileRefused, match=r"b\.example"):
        planned(asked(subject(("O", "Acme")), dns("a.example")), fixed)


# --- the shipped ones -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "request_", "purposes_given"),
    [
        ("tls-device", asked(subject(("O", "Acme"), ("CN", "dev-1"))), [CLIENT_AUTH]),
        ("tls-client", asked(subject(("CN", "Ops")), [mailbox("ops@acme.example")]), [CLIENT_AUTH]),
        ("tls-server", asked(x509.Name([]), dns("a.example")), [SERVER_AUTH]),
        ("tls-server", asked(subject(("CN", "a.example")), dns("a.example"), key="rsa-2048"), [SERVER_AUTH]),
        (
            "network-gear",
            asked(subject(("serialNumber", "FTX1"), ("unstructuredName", "r1")), key="rsa-2048"),
            [CLIENT_AUTH, SERVER_AUTH, "1.3.6.1.5.5.7.3.17"],
        ),
    ],
)
def test_a_shipped_profile_issues_what_it_is_for(
    profile: str, request_: NamesAndKey, purposes_given: list[str]
) -> None:
    plan = planned(request_, SHIPPED[profile])
    assert purposes_of(request_, SHIPPED[profile]) == purposes_given
    assert lint_plan(plan) == ()


def test_a_tls_server_needs_a_dns_name() -> None:
    with pytest.raises(ProfileRefused) as refusal:
        planned(asked(subject(("CN", "a.example"))), SHIPPED["tls-server"])
    assert refusal.value.rule == "alternative-name-missing"
