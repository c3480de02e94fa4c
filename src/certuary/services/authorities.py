"""Authorities as records: their chains, and the forms in which their certificates are handed out."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding

from certuary.core.certificate import certificate_from_der
from certuary.core.cms import certs_only
from certuary.errors import InvalidSeal, InvalidValue, MalformedCertificate
from certuary.services.find_record import find_named
from certuary.services.ports import Record, RecordStore

FORMATS: Final = ("pem", "der", "p7b")


def chain_of(records: RecordStore, name: str) -> tuple[Record, ...]:
    """From the authority itself to its root."""
    chain = [find_named(records, "authority", name)]
    while (issuer_id := chain[-1].values["issuer_id"]) is not None:
        issuer = records.find("authority", id=issuer_id)
        if issuer is None or issuer in chain:  # authorities are never deleted: plain SQL did this
            raise InvalidSeal(
                f"authority {name!r} has no chain to a root; `certuary seal verify` says what was altered"
            )
        chain.append(issuer)
    return tuple(chain)


def certificate_der(authority: Record) -> bytes:
    """One that `cryptography` can parse."""
    der = authority.values["certificate_der"]
    try:
        assert isinstance(der, bytes)
        certificate_from_der(der)
    except (AssertionError, MalformedCertificate):
        name = authority.values["name"]
        raise InvalidSeal(
            f"the certificate of authority {name!r} cannot be read; `certuary seal verify` says what was altered"
        ) from None
    return der


def export_certificates(certificates_der: tuple[bytes, ...], form: str) -> bytes:
    """PEM, one after the other; DER, of a single one; or a certs-only PKCS#7 in DER (RFC 8551 section 3.2.2).
    `MalformedCertificate` where PEM would hold something else."""
    if form == "pem":
        return b"".join(_pem(der) for der in certificates_der)
    if form == "p7b":
        return certs_only(certificates_der)
    if form == "der" and len(certificates_der) == 1:
        return certificates_der[0]
    if form == "der":
        raise InvalidValue("DER holds one certificate; for a chain choose pem or p7b", rule="format")
    raise InvalidValue(f"a format is one of {', '.join(FORMATS)}, not {form!r}", rule="format")


def _pem(der: bytes) -> bytes:
    return certificate_from_der(der).public_bytes(Encoding.PEM)
