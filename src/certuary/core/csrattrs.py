"""CSR attributes: what a request for a profile should have in it (RFC 7030 section 4.5.2).

    CsrAttrs  ::= SEQUENCE OF CHOICE { oid OBJECT IDENTIFIER, attribute Attribute }
    Attribute ::= SEQUENCE { type OBJECT IDENTIFIER, values SET OF ANY }

The plain form of RFC 8951 section 4, as RFC 9908 section 3.2 clarified it: at most one key-type attribute, at
most one extension request with one list of extensions in it (S-49). What is listed is demanded (S-48), so a
profile that leaves the type of key to its clients lists none.
"""

from __future__ import annotations

from cryptography import x509

from certuary.core import oids
from certuary.core.certificate import AnyExtension, extension, key_usage_extension
from certuary.core.der import OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET, integer, tlv
from certuary.core.profile import Profile

_TRUE = b"\x01\x01\xff"

_CURVES = {
    "ec-p256": (oids.SECP256R1, oids.ECDSA_WITH_SHA256),
    "ec-p384": (oids.SECP384R1, oids.ECDSA_WITH_SHA384),
    "ec-p521": (oids.SECP521R1, oids.ECDSA_WITH_SHA512),
}


def csrattrs_for(profile: Profile, *, linking_required: bool) -> bytes:
    """CsrAttrs in DER, never empty: a profile always has purposes."""
    items = [oids.CHALLENGE_PASSWORD] if linking_required else []  # RFC 7030 section 3.5 (S-18)
    items += _key_items(profile)
    items += [object_identifier(attribute.dotted_string) for attribute in profile.subject.required]
    items.append(_extension_request(profile))
    return tlv(SEQUENCE, *items)


def _key_items(profile: Profile) -> list[bytes]:
    """The key type, and the signature algorithm where the key leaves no choice."""
    if len(profile.key_families) > 1:
        return []
    family = profile.key_families[0]
    if family == "ed25519":
        # RFC 9908 section 3.2: a key type without parameters has an empty SET.
        return [_attribute(oids.ED25519), oids.ED25519]
    if family == "rsa":
        smallest = min(int(word[4:-1]) for word in profile.keys)
        return [_attribute(oids.RSA_ENCRYPTION, integer(smallest)), oids.SHA256_WITH_RSA]
    if len(profile.keys) > 1:
        return [_attribute(oids.EC_PUBLIC_KEY)]
    curve, signature = _CURVES[profile.keys[0]]
    return [_attribute(oids.EC_PUBLIC_KEY, curve), signature]


def _extension_request(profile: Profile) -> bytes:
    """The extensions known beforehand: the purposes, and the key usage where all keys are of one family."""
    wanted = [extension(x509.ExtendedKeyUsage(profile.purposes), critical=profile.purposes_critical)]
    if len(profile.key_families) == 1:
        bits = profile.usages_of(profile.key_families[0])
        wanted.insert(0, key_usage_extension(bits, critical=profile.key_usage_critical))
    return _attribute(oids.EXTENSION_REQUEST, tlv(SEQUENCE, *(_extension(each) for each in wanted)))


def _attribute(oid: bytes, *values: bytes) -> bytes:
    return tlv(SEQUENCE, oid, tlv(SET, *values))


def _extension(wanted: AnyExtension) -> bytes:
    """Extension ::= SEQUENCE { extnID, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING }."""
    return tlv(
        SEQUENCE,
        object_identifier(wanted.oid.dotted_string),
        _TRUE if wanted.critical else b"",
        tlv(OCTET_STRING, wanted.value.public_bytes()),
    )


def object_identifier(dotted: str) -> bytes:
    """X.690 section 8.19: base 128, the top bit says that more follows; the first two arcs share an octet."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    return tlv(OBJECT_IDENTIFIER, *(_base_128(arc) for arc in (first * 40 + second, *rest)))


def _base_128(arc: int) -> bytes:
    octets = [arc & 0x7F]
    while arc := arc >> 7:
        octets.append(0x80 | arc & 0x7F)
    return bytes(reversed(octets))
