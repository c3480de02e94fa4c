"""A key with its certificates in one file: PKCS#12 (RFC 7292), encrypted by PBES2 (RFC 8018 section 6.2).

AES-256-CBC under PBKDF2 with HMAC-SHA256, and an HMAC-SHA256 over the whole: what OpenSSL, Java, Windows and macOS of
the last years read, and nothing weaker.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import PBES, serialize_key_and_certificates

from certuary.core.certificate import SigningKey

ROUNDS: Final = 100_000
"""For a passphrase of 125 random bits, which no number of rounds protects better; who reads the file pays for them."""


def pack_pkcs12(
    key: SigningKey,
    certificate: x509.Certificate,
    chain: Sequence[x509.Certificate],
    *,
    friendly_name: str,
    passphrase: str,
) -> bytes:
    """`chain` runs from the issuer to the root. `friendly_name` is what key stores call the entry."""
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(ROUNDS)
        .key_cert_algorithm(PBES.PBESv2SHA256AndAES256CBC)
        .hmac_hash(hashes.SHA256())
        .build(passphrase.encode())
    )
    return serialize_key_and_certificates(friendly_name.encode(), key, certificate, chain, encryption)
