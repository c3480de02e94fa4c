"""The EST listener's own certificate: issue it, keep it, say when it is due.

`HOME/tls/listener.pem` holds the leaf, the authorities above it but for the root, and the leaf's key, sealed
by the key store: one file, so that certificate and key are replaced together, atomically.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from certuary.core.certificate import KEY_TYPES, SigningKey, is_issued_by, sign_plan, tls_listener_plan
from certuary.core.names import (
    alternative_names_text,
    certificate_alternative_names,
    subject_key,
    subject_text,
)
from certuary.core.values import SERIAL_RANDOM_OCTETS, key_hash, make_serial
from certuary.errors import ConfigError, KeyStoreDown
from certuary.services.create_authority import ca_url, crl_url
from certuary.services.durable_file import replace_durably
from certuary.services.ports import CertificateRow, KeyStore

TLS_ROLE = "tls"
LIFETIME_DAYS = 90
# Elliptic, whatever the authorities use: a handshake costs a third of RSA's, and every EST client knows
# P-256.
KEY_TYPE = "ec-p256"
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")

_SEALED_NAME = "listener"
_BEGIN = b"-----BEGIN CERTUARY SEALED KEY-----\n"
_END = b"-----END CERTUARY SEALED KEY-----\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerIdentity:
    """What the listener shows and proves: `chain_pem` starts with the leaf."""

    certificate: x509.Certificate
    chain_pem: bytes
    key: SigningKey

    def __repr__(self) -> str:
        return f"ListenerIdentity({subject_text(self.certificate.subject)!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerIssuer:
    """The authority that issues the listener's certificate; `chain` runs from itself to its root, in DER."""

    id: int
    name: str
    certificate: x509.Certificate
    chain: tuple[bytes, ...]
    signer: SigningKey
    status_url: str


def listener_path(home: Path) -> Path:
    return home / "tls" / "listener.pem"


def listener_names(hostnames: Sequence[str]) -> tuple[str, ...]:
    """The names the certificate holds: those configured, then the loopback ones, each once, lower-case.

    The loopback names stay even where others are given, so that commands on the machine itself can verify it.
    """
    names = [_checked_hostname(hostname) for hostname in (*hostnames, *LOOPBACK_NAMES)]
    return tuple(dict.fromkeys(names))


def renewal_reason(
    current: ListenerIdentity | None, *, hostnames: Sequence[str], issuer: x509.Certificate, now: datetime
) -> str | None:
    """Why the listener needs another certificate; None while it does not."""
    if current is None:
        return "there is none yet"
    certificate = current.certificate
    if not _issued_by(current, issuer):
        return "the issuing authority changed"
    wanted = {_comparable(name) for name in listener_names(hostnames)}
    if wanted != _names_in(certificate):
        return "the host names changed"
    # Towards its end the issuer cannot give more than it has: another certificate would gain nothing.
    could_last_longer = certificate.not_valid_after_utc < issuer.not_valid_after_utc
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    if could_last_longer and certificate.not_valid_after_utc - now < lifetime / 3:
        return "less than a third of its lifetime is left"
    if now < certificate.not_valid_before_utc:
        return "it is not valid yet"
    return None


def issue_listener_certificate(
    issuer: ListenerIssuer,
    *,
    hostnames: Sequence[str],
    now: datetime,
    random_octets: Callable[[int], bytes] = os.urandom,
) -> tuple[ListenerIdentity, CertificateRow]:
    """A fresh key and its certificate, and the row that the database keeps of it.

    `ConfigError` for a host name that is none, and when the issuer has expired.
    """
    if issuer.certificate.not_valid_after_utc <= now:
        raise ConfigError(f"authority {issuer.name!r} has expired and issues nothing more", rule="expired")
    key = KEY_TYPES[KEY_TYPE].generate()
    plan = tls_listener_plan(
        key.public_key(),
        issuer=issuer.certificate,
        hostnames=listener_names(hostnames),
        serial=make_serial(int(now.timestamp() * 1000), random_octets(SERIAL_RANDOM_OCTETS)),
        now=now,
        days=LIFETIME_DAYS,
        crl_url=crl_url(issuer.status_url, issuer.name),
        ca_url=ca_url(issuer.status_url, issuer.name),
    )
    issued = sign_plan(plan, issuer.signer)
    chain_pem = b"".join(_pem(der) for der in (issued.der, *_without_root(issuer.chain)))
    identity = ListenerIdentity(certificate=issued.certificate, chain_pem=chain_pem, key=key)
    return identity, _row(issuer.id, issued.certificate, issued.der, now)


def renew_listener_certificate(
    path: Path,
    keys: KeyStore,
    issuer: ListenerIssuer,
    *,
    hostnames: Sequence[str],
    now: datetime,
    record: Callable[[CertificateRow], None],
) -> ListenerIdentity | None:
    """Issue and put in place a certificate if one is due; None if not.

    `record` commits the row before the file is replaced, so no certificate is in use that the database does
    not know. A file that does not open any more is replaced like one that is not there.
    """
    if (
        renewal_reason(_load_or_none(path, keys), hostnames=hostnames, issuer=issuer.certificate, now=now)
        is None
    ):
        return None
    identity, row = issue_listener_certificate(issuer, hostnames=hostnames, now=now)
    record(row)
    save_listener(path, identity, keys)
    return identity


def save_listener(path: Path, identity: ListenerIdentity, keys: KeyStore) -> None:
    key_der = identity.key.private_bytes(
        Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    sealed = base64.encodebytes(keys.seal(_SEALED_NAME, key_der, role=TLS_ROLE))
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_durably(path, identity.chain_pem + _BEGIN + sealed + _END)
    except OSError as problem:
        raise KeyStoreDown(f"{path} cannot be written: {problem.strerror}") from problem


def load_listener(path: Path, keys: KeyStore) -> ListenerIdentity | None:
    """None when there is no file; `KeyStoreDown` when it does not open."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise KeyStoreDown(f"{path} cannot be read: {problem.strerror}") from problem
    chain_pem, begin, rest = content.partition(_BEGIN)
    try:
        certificate = x509.load_pem_x509_certificate(chain_pem)
        sealed = base64.b64decode(rest.removesuffix(_END).replace(b"\n", b""), validate=True)
    except (ValueError, binascii.Error):
        raise KeyStoreDown(f"{path} is damaged", rule="key-store-damaged") from None
    key = _load_key(keys.unseal(_SEALED_NAME, sealed, role=TLS_ROLE))
    if not begin or key.public_key() != certificate.public_key():
        raise KeyStoreDown(f"{path} holds a key that is not its certificate's", rule="key-store-damaged")
    return ListenerIdentity(certificate=certificate, chain_pem=chain_pem, key=key)


def _load_or_none(path: Path, keys: KeyStore) -> ListenerIdentity | None:
    try:
        return load_listener(path, keys)
    except KeyStoreDown:
        return None


def _load_key(der: bytes) -> SigningKey:
    key = serialization.load_der_private_key(der, password=None)
    if not isinstance(key, SigningKey):
        raise KeyStoreDown("the listener's key is of a kind that cannot sign", rule="key-store-damaged")
    return key


def _checked_hostname(hostname: str) -> str:
    try:
        return str(ip_address(hostname))
    except ValueError:
        pass
    name = hostname.rstrip(".").lower()
    try:
        name = name.encode("idna").decode("ascii") if not name.isascii() else name
    except UnicodeError:
        name = ""
    if not _is_dns_name(name):
        raise ConfigError(f"{hostname!r} is neither a DNS name nor an IP address", rule="hostname")
    return name


def _is_dns_name(name: str) -> bool:
    """RFC 5280 section 4.2.1.6: letters, digits and hyphens; no wildcard, which a listener has no need of."""
    labels = name.split(".")
    return len(name) <= 253 and all(
        0 < len(label) <= 63
        and label.replace("-", "").isalnum()
        and not label.startswith("-")
        and not label.endswith("-")
        for label in labels
    )


def _comparable(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _names_in(certificate: x509.Certificate) -> set[x509.GeneralName]:
    return set(certificate_alternative_names(certificate))


def _issued_by(current: ListenerIdentity, issuer: x509.Certificate) -> bool:
    if not is_issued_by(current.certificate, issuer):
        return False
    # An issuer with a new certificate for the same key: the chain that clients are sent must be the new one.
    return issuer.public_bytes(Encoding.PEM) in current.chain_pem


def _without_root(chain: Sequence[bytes]) -> Sequence[bytes]:
    """A client has the root or does not trust it: sending it proves nothing (RFC 8446 section 4.4.2)."""
    return chain[:-1] if len(chain) > 1 else chain


def _pem(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)


def _row(authority_id: int, certificate: x509.Certificate, der: bytes, now: datetime) -> CertificateRow:
    spki_der = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return CertificateRow(
        authority_id=authority_id,
        serial=certificate.serial_number,
        profile_version_id=None,
        application_id=None,
        subject=subject_text(certificate.subject),
        subject_key=subject_key(certificate.subject),
        alternative_names=alternative_names_text(certificate_alternative_names(certificate)),
        key_hash=key_hash(spki_der),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        der=der,
        source="tls",
        replaces=None,
        issued_at=now,
    )
