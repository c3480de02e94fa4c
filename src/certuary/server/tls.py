"""The EST listener's TLS context: TLS 1.2 and 1.3 (S-1, RFC 8996), client certificates asked for.

A client certificate is requested and not required (RFC 7030 section 3.3.2), since `/cacerts` is for those who
have none. What the handshake says about one is not the verdict: on a resumed session nothing is verified
again, and its dates are left unchecked here on purpose, so that an expired certificate gets an HTTP answer
rather than an alert. Whoever authenticates looks at dates, revocation and issuer on every request.
"""

from __future__ import annotations

import os
import secrets
import shlex
import ssl
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from certuary.core.certificate import SigningKey
from certuary.errors import ConfigError
from certuary.services.listener_certificate import ListenerIdentity

# X509_V_FLAG_NO_CHECK_TIME of OpenSSL's x509_vfy.h; Python's ssl names no such flag.
NO_CHECK_TIME = 0x200000

# TLS 1.2 only; TLS 1.3 has its own three. Ephemeral key exchange and authenticated encryption, nothing else.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"

_RULE = "tls-certificate"


def build_context(identity: ListenerIdentity, trust_anchors_der: Sequence[bytes] | None) -> ssl.SSLContext:
    """`trust_anchors_der`: our own authorities, each an anchor by itself, the issuing ones too. None asks no client
    for a certificate. `ConfigError` when the identity cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    # One ticket: none would hold back the first answer of TLS 1.3 until a delayed acknowledgement (44 ms).
    context.num_tickets = 1
    context.set_alpn_protocols(["http/1.1"])
    if trust_anchors_der is not None:
        _ask_for_certificates(context, trust_anchors_der)
    _load_identity(context, identity)
    return context


def read_operator_files(certificate_file: Path, key_file: Path) -> ListenerIdentity:
    """The operator's own certificate chain and key. `ConfigError` says what is wrong with them."""
    chain_pem = read_file(certificate_file, _RULE)
    refuse_world_readable(key_file, _RULE)
    try:
        certificate = x509.load_pem_x509_certificate(chain_pem)
    except ValueError:
        raise ConfigError(f"{certificate_file} does not start with a PEM certificate", rule=_RULE) from None
    key = _read_key(key_file)
    if key.public_key() != certificate.public_key():
        raise ConfigError(
            f"the key in {key_file} is not the one that {certificate_file} certifies; its first certificate "
            "must be the listener's own",
            rule=_RULE,
        )
    return ListenerIdentity(certificate=certificate, chain_pem=chain_pem, key=key)


def _ask_for_certificates(context: ssl.SSLContext, trust_anchors_der: Sequence[bytes]) -> None:
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | NO_CHECK_TIME
    if trust_anchors_der:
        # This does not fill the list of acceptable authorities that clients are sent: an empty one leaves the
        # choice to them, where a list would make some send nothing.
        context.load_verify_locations(cadata=b"".join(trust_anchors_der))


def _load_identity(context: ssl.SSLContext, identity: ListenerIdentity) -> None:
    """Hand the key to OpenSSL, which takes it from files only, without one on any disk."""
    password = secrets.token_bytes(32).hex().encode()
    key_pem = identity.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password),
    )
    try:
        with _memory_file(identity.chain_pem) as chain, _memory_file(key_pem) as key:
            context.load_cert_chain(chain, key, password=password)
    except ssl.SSLError as problem:
        raise ConfigError(
            f"OpenSSL does not take the listener's certificate: {problem.reason}", rule=_RULE
        ) from None
    except OSError as problem:  # no memory, too many open files, or a limit on the size of files
        raise ConfigError(
            f"the listener's certificate cannot be handed to OpenSSL: {problem.strerror}; raise that limit of this"
            " machine or of the service, and it is tried again by itself",
            rule=_RULE,
        ) from problem


@contextmanager
def _memory_file(content: bytes) -> Iterator[str]:
    """The path of an unnamed file in memory, gone afterwards."""
    descriptor = os.memfd_create("certuary", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def read_file(path: Path, rule: str) -> bytes:
    """One that the settings name; `ConfigError` of this rule when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as problem:
        raise ConfigError(f"{path} cannot be read: {problem.strerror}", rule=rule) from None


def _read_key(path: Path) -> SigningKey:
    try:
        key = serialization.load_pem_private_key(read_file(path, _RULE), password=None)
    except TypeError:
        raise ConfigError(f"the key in {path} has a passphrase; give it without one", rule=_RULE) from None
    except ValueError:
        raise ConfigError(f"{path} holds no private key in PEM", rule=_RULE) from None
    if not isinstance(key, SigningKey):
        raise ConfigError(f"the key in {path} is neither EC, RSA nor Ed25519", rule=_RULE)
    return key


def refuse_world_readable(path: Path, rule: str) -> None:
    """A group may read it: Debian keeps keys at 0640 for the group ssl-cert."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as problem:
        raise ConfigError(f"{path} cannot be read: {problem.strerror}", rule=rule) from None
    if mode & 0o007:
        raise ConfigError(
            f"{path} is open to everyone (mode {mode:04o}); run: chmod o= {shlex.quote(str(path))}",
            rule=rule,
        )
