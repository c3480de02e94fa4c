"""Profiles: what a certificate may contain, and the plan of one certificate (RFC 5280 section 4).

    TOML -parse_profile-> ProfileConfig -check_profile-> Profile -compile_profile-> CompiledProfile
    NamesAndKey + CompiledProfile -plan_certificate-> CertificatePlan

Nothing of a request reaches a plan unless the profile lets it. A requested key usage or extended key usage
can only narrow the profile's, and where nothing of it is left the request is refused: RFC 5272 section 3.1
forbids to turn the intent of a request round (S-33).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtensionOID

from certuary.core.alternative_names import AlternativeNamesPolicy
from certuary.core.certificate import (
    AnyExtension,
    CertificatePlan,
    SubjectKey,
    authority_key_identifier,
    extension,
    key_usage_extension,
    pointer_extensions,
    subject_key_identifier,
)
from certuary.core.profile_config import KeyReuse, ProfileConfig, Unasked, parse_profile
from certuary.core.subject_policy import SubjectPolicy
from certuary.errors import KeyRefused, ProfileRefused, Unavailable

__all__ = [
    "CompiledProfile",
    "IssuerFacts",
    "KeyReuse",
    "NamesAndKey",
    "Profile",
    "ProfileConfig",
    "check_profile",
    "compile_profile",
    "issuer_facts",
    "parse_profile",
    "plan_certificate",
]

_CURVES = {"ec-p256": "secp256r1", "ec-p384": "secp384r1", "ec-p521": "secp521r1"}
_BITS = {
    "digitalSignature": "digital_signature",
    "contentCommitment": "content_commitment",
    "keyEncipherment": "key_encipherment",
    "dataEncipherment": "data_encipherment",
    "keyAgreement": "key_agreement",
}
# What a key can do at all: RFC 3279 section 2.3.1, RFC 5480 section 3, RFC 8410 section 5.
_BITS_OF_FAMILY = {
    "rsa": {"digital_signature", "content_commitment", "key_encipherment", "data_encipherment"},
    "ec": {"digital_signature", "content_commitment", "key_agreement"},
    "ed25519": {"digital_signature", "content_commitment"},
}
_ALL_BITS = (*_BITS.values(), "key_cert_sign", "crl_sign")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A profile that was checked: every certificate made under it is one that we stand for."""

    name: str
    description: str
    authority: str
    est_default: bool
    lifetime: timedelta
    backdate: timedelta
    keys: tuple[str, ...]
    key_reuse: KeyReuse
    subject: SubjectPolicy
    alternative_names: AlternativeNamesPolicy
    basic_constraints: bool
    basic_constraints_critical: bool
    key_usage: frozenset[str]
    key_usage_critical: bool
    purposes: tuple[x509.ObjectIdentifier, ...]
    purposes_critical: bool
    policies: tuple[x509.ObjectIdentifier, ...]
    crl_pointer: bool
    ca_pointer: bool
    unasked_extensions: Unasked

    @classmethod
    def from_toml(cls, toml_text: str) -> Profile:
        return check_profile(parse_profile(toml_text))

    @property
    def key_families(self) -> tuple[str, ...]:
        """ "rsa", "ec", "ed25519": those of the allowed keys, in the profile's order."""
        return tuple(dict.fromkeys(_family(word) for word in self.keys))

    def usages_of(self, family: str) -> frozenset[str]:
        """The key usage bits that a key of this family gets, named as `x509.KeyUsage` names them."""
        return self.key_usage & _BITS_OF_FAMILY[family]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamesAndKey:
    """What a request asks for. `extensions` are all of its extensions but the subject alternative name."""

    subject: x509.Name
    alternative_names: tuple[x509.GeneralName, ...]
    public_key: SubjectKey
    spki_der: bytes
    extensions: tuple[AnyExtension, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerFacts:
    """What an issuer puts into the certificates it signs. "" for a URL leaves the pointer out."""

    subject: x509.Name
    not_before: datetime
    not_after: datetime
    aki: AnyExtension
    crl_url: str
    ca_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledProfile:
    """A profile and an issuer, with everything that all their certificates share made beforehand."""

    profile: Profile
    issuer: IssuerFacts
    shared: Mapping[str, tuple[AnyExtension, ...]]
    """Extensions by key family, key usage and extended key usage first."""
    curves: frozenset[str]
    smallest_rsa: int | None
    ed25519: bool


def issuer_facts(certificate: x509.Certificate, *, name: str, status_url: str) -> IssuerFacts:
    """`name` is the authority's; `status_url` leads to the status listener, without a slash at the end."""
    return IssuerFacts(
        subject=certificate.subject,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        aki=authority_key_identifier(certificate),
        crl_url=f"{status_url}/crl/{name}.crl" if status_url else "",
        ca_url=f"{status_url}/ca/{name}.crt" if status_url else "",
    )


def check_profile(config: ProfileConfig) -> Profile:
    """Check what only shows when the values are seen together; `InvalidProfile` names the line."""
    _check_key_usage(config)
    _check_names(config)
    return Profile(
        name=config.name,
        description=config.description,
        authority=config.authority,
        est_default=config.est_default,
        lifetime=config.lifetime,
        backdate=config.backdate,
        keys=config.keys,
        key_reuse=config.key_reuse,
        subject=SubjectPolicy.from_config(config),
        alternative_names=AlternativeNamesPolicy.from_config(config),
        basic_constraints=config.basic_constraints,
        basic_constraints_critical=config.basic_constraints_critical,
        key_usage=frozenset(_BITS[word] for word in config.key_usage),
        key_usage_critical=config.key_usage_critical,
        purposes=tuple(x509.ObjectIdentifier(dotted) for dotted in config.purposes),
        purposes_critical=config.purposes_critical,
        policies=tuple(x509.ObjectIdentifier(dotted) for dotted in config.certificate_policies),
        crl_pointer=config.crl_pointer,
        ca_pointer=config.ca_pointer,
        unasked_extensions=config.unasked_extensions,
    )


def _check_key_usage(config: ProfileConfig) -> None:
    bits = {_BITS[word] for word in config.key_usage}
    families = dict.fromkeys(_family(word) for word in config.keys)
    for family in families:
        if not bits & _BITS_OF_FAMILY[family]:
            raise config.source.error(
                "key_usage.allow", f"none of these can be done with a key of type {family}"
            )
    useless = bits - set().union(*(_BITS_OF_FAMILY[family] for family in families))
    for word in config.key_usage:
        if _BITS[word] in useless:
            raise config.source.error(
                "key_usage.allow", f"{word}: no key in keys.allow can do this", word=word
            )


def _check_names(config: ProfileConfig) -> None:
    for kind in config.san_required:
        if kind not in config.san_allow:
            raise config.source.error("alternative_names.required", f"{kind} is not in allow", word=kind)
    if len(config.san_required) > config.san_max:
        raise config.source.error("alternative_names.max", "fewer than alternative_names.required names")
    listed = {*config.subject_required, *config.subject_optional, *(word for word, _ in config.subject_fixed)}
    if not listed and not (config.san_allow and config.san_max):
        raise config.source.error(
            "subject", "a certificate needs a name: allow subject fields or alternative names"
        )
    for word in config.subject_optional:
        if word in config.subject_required:
            raise config.source.error("subject.optional", f"{word} is required already", word=word)
    if config.common_name_listed and not {"dns", "ip"} & set(config.san_allow):
        raise config.source.error(
            "subject.common_name", '"listed" needs dns or ip in alternative_names.allow'
        )


def _family(word: str) -> str:
    return word.partition("-")[0]


def compile_profile(profile: Profile, issuer: IssuerFacts) -> CompiledProfile:
    return CompiledProfile(
        profile=profile,
        issuer=issuer,
        shared={family: _shared_extensions(profile, issuer, family) for family in profile.key_families},
        curves=frozenset(_CURVES[word] for word in profile.keys if word in _CURVES),
        smallest_rsa=min((int(word[4:-1]) for word in profile.keys if word.startswith("rsa-")), default=None),
        ed25519="ed25519" in profile.keys,
    )


def _shared_extensions(profile: Profile, issuer: IssuerFacts, family: str) -> tuple[AnyExtension, ...]:
    found = [
        key_usage_extension(profile.usages_of(family), critical=profile.key_usage_critical),
        extension(x509.ExtendedKeyUsage(profile.purposes), critical=profile.purposes_critical),
    ]
    if profile.basic_constraints:
        constraints = x509.BasicConstraints(ca=False, path_length=None)
        found.append(extension(constraints, critical=profile.basic_constraints_critical))
    if profile.policies:
        policies = [x509.PolicyInformation(policy, None) for policy in profile.policies]
        found.append(extension(x509.CertificatePolicies(policies)))
    found.append(issuer.aki)
    crl_url = issuer.crl_url if profile.crl_pointer else ""
    ca_url = issuer.ca_url if profile.ca_pointer else ""
    return (*found, *pointer_extensions(crl_url, ca_url))


def plan_certificate(
    request: NamesAndKey, compiled: CompiledProfile, *, serial: int, now: datetime
) -> CertificatePlan:
    """Decide every field. Raises `ProfileRefused`, `KeyRefused`; `Unavailable` after the issuer's end."""
    profile = compiled.profile
    family = _key_family(request.public_key, compiled)
    names = profile.alternative_names.accept(request.alternative_names)
    subject = profile.subject.accept(request.subject, names)
    if not names and not subject.rdns:
        raise ProfileRefused(
            "a certificate without a subject needs a subject alternative name", rule="names-missing"
        )
    shared = compiled.shared[family]
    if request.extensions:
        shared = _narrowed(shared, request.extensions, profile)
    identifier = x509.SubjectKeyIdentifier(subject_key_identifier(request.spki_der))
    extensions = (*shared, x509.Extension(ExtensionOID.SUBJECT_KEY_IDENTIFIER, False, identifier))
    if names:
        # RFC 5280 section 4.2.1.6: critical exactly when it is the only name.
        alternative = x509.SubjectAlternativeName(names)
        extensions = (
            *extensions,
            x509.Extension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, not subject.rdns, alternative),
        )
    start = now.astimezone(UTC).replace(microsecond=0)
    issuer = compiled.issuer
    if start >= issuer.not_after:
        raise Unavailable(
            "the authority of this profile has expired", rule="authority-expired", retry_after=3600
        )
    return CertificatePlan(
        serial=serial,
        issuer=issuer.subject,
        subject=subject,
        alternative_names=names,
        public_key=request.public_key,
        not_before=max(start - profile.backdate, issuer.not_before),
        not_after=min(start + profile.lifetime, issuer.not_after),
        extensions=extensions,
        planned_at=start,
        issuer_not_after=issuer.not_after,
    )


def _key_family(public_key: SubjectKey, compiled: CompiledProfile) -> str:
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        curve = public_key.curve.name
        if curve in compiled.curves:
            return "ec"
        raise _key_refused(f"an EC key on {curve}", compiled)
    if isinstance(public_key, rsa.RSAPublicKey):
        if compiled.smallest_rsa and public_key.key_size >= compiled.smallest_rsa:
            return "rsa"
        raise _key_refused(f"an RSA key of {public_key.key_size} bits", compiled)
    if isinstance(public_key, ed25519.Ed25519PublicKey) and compiled.ed25519:
        return "ed25519"
    raise _key_refused("a key of this type", compiled)


def _key_refused(what: str, compiled: CompiledProfile) -> KeyRefused:
    profile = compiled.profile
    return KeyRefused(
        f"profile {profile.name} does not take {what}; it takes {', '.join(profile.keys)}",
        rule="key-type-not-allowed",
    )


def _narrowed(
    shared: tuple[AnyExtension, ...], requested: tuple[AnyExtension, ...], profile: Profile
) -> tuple[AnyExtension, ...]:
    """The shared extensions, with the key usage and the purposes cut down to what the request names."""
    usage, purposes, *others = shared
    for asked in requested:
        value = asked.value
        if isinstance(value, x509.KeyUsage):
            usage = _narrow_usage(usage, value, profile)
        elif isinstance(value, x509.ExtendedKeyUsage):
            purposes = _narrow_purposes(purposes, value, profile)
        elif isinstance(value, x509.BasicConstraints):
            if value.ca:
                raise ProfileRefused("the request asks for a CA certificate (CA:TRUE)", rule="ca-not-allowed")
        elif not isinstance(value, x509.SubjectKeyIdentifier):
            _refuse_or_drop(asked, profile)
    return (usage, purposes, *others)


def _refuse_or_drop(asked: AnyExtension, profile: Profile) -> None:
    # Critical means: whoever does not understand it must refuse (RFC 5280 section 4.2). So we cannot drop it.
    if asked.critical:
        raise ProfileRefused(
            f"profile {profile.name} does not take the critical extension {asked.oid.dotted_string}",
            rule="critical-extension",
        )
    if profile.unasked_extensions == "refuse":
        raise ProfileRefused(
            f"profile {profile.name} does not take the extension {asked.oid.dotted_string}",
            rule="unasked-extension",
        )


def _narrow_usage(ours: AnyExtension, asked: x509.KeyUsage, profile: Profile) -> AnyExtension:
    allowed = {bit for bit in _ALL_BITS if getattr(ours.value, bit)}
    wanted = {bit for bit in _ALL_BITS if getattr(asked, bit)}
    if wanted & {"key_cert_sign", "crl_sign"}:
        raise ProfileRefused(
            "the request asks for keyCertSign or cRLSign, which only a CA has", rule="ca-not-allowed"
        )
    if not wanted <= allowed and profile.unasked_extensions == "refuse":
        raise ProfileRefused(
            f"profile {profile.name} does not give the key usage {', '.join(sorted(wanted - allowed))}",
            rule="key-usage",
        )
    if not wanted & allowed:
        raise ProfileRefused("nothing is left of the key usage that the request asks for", rule="key-usage")
    return key_usage_extension(wanted & allowed, critical=ours.critical)


def _narrow_purposes(ours: AnyExtension, asked: x509.ExtendedKeyUsage, profile: Profile) -> AnyExtension:
    allowed = profile.purposes
    wanted = set(asked)
    if not wanted <= set(allowed) and profile.unasked_extensions == "refuse":
        missing = ", ".join(sorted(oid.dotted_string for oid in wanted - set(allowed)))
        raise ProfileRefused(
            f"profile {profile.name} does not give the extended key usage {missing}",
            rule="extended-key-usage",
        )
    kept = [oid for oid in allowed if oid in wanted]
    if not kept:
        # Leaving the extension out instead would make a certificate good for everything.
        raise ProfileRefused(
            "nothing is left of the extended key usage that the request asks for", rule="extended-key-usage"
        )
    return extension(x509.ExtendedKeyUsage(kept), critical=ours.critical)
