"""Requests ready to be sent: CSRs with a fresh key each, encoded to the last byte before the clock starts."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from bench.load import Exchange

_CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A CSR in DER and the SubjectPublicKeyInfo that must come back in the certificate."""

    csr_der: bytes
    key_der: bytes


def make_csrs(names: Iterable[str], *, processes: int = 2) -> list[Prepared]:
    """One P-256 CSR per common name, each with a key of its own."""
    chunks = list(_chunks(names))
    if len(chunks) <= 2:
        return list(itertools.chain.from_iterable(map(_make_chunk, chunks)))
    with ProcessPoolExecutor(processes) as pool:
        return list(itertools.chain.from_iterable(pool.map(_make_chunk, chunks)))


def make_csr(name: str, key: ec.EllipticCurvePrivateKey | None = None) -> Prepared:
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    csr = x509.CertificateSigningRequestBuilder(subject_name=subject).sign(key, hashes.SHA256())
    return Prepared(
        csr_der=csr.public_bytes(Encoding.DER),
        key_der=key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    )


def basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def encode_enrolment(
    prepared: Prepared, *, path: str, authorization: str | None = None, close: bool = True
) -> bytes:
    """The request as curl sends it: one-line base64, one head, one body."""
    body = base64.b64encode(prepared.csr_der)
    head = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        "User-Agent: certuary-bench",
        "Accept: */*",
        "Content-Type: application/pkcs10",
        f"Content-Length: {len(body)}",
    ]
    if authorization is not None:
        head.append(f"Authorization: {authorization}")
    if close:
        head.append("Connection: close")
    return "\r\n".join([*head, "", ""]).encode() + body


def encode_get(path: str, *, close: bool = True) -> bytes:
    head = [f"GET {path} HTTP/1.1", "Host: localhost", "User-Agent: certuary-bench", "Accept: */*"]
    if close:
        head.append("Connection: close")
    return "\r\n".join([*head, "", ""]).encode()


def enrolments(
    prepared: Iterable[Prepared], *, path: str, authorization: str | None, close: bool
) -> Iterator[Exchange]:
    encode = partial(encode_enrolment, path=path, authorization=authorization, close=close)
    return iter([Exchange(request=encode(one), key_der=one.key_der) for one in prepared])


def _chunks(names: Iterable[str]) -> Iterator[list[str]]:
    remaining = iter(names)
    while chunk := list(itertools.islice(remaining, _CHUNK)):
        yield chunk


def _make_chunk(names: list[str]) -> list[Prepared]:
    return [make_csr(name) for name in names]
