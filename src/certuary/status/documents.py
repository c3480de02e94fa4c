"""What the status listener hands out to everybody, prepared in memory: CRLs and CA certificates, by path.

Media types: RFC 2585 section 4. A document lives on while the database is away, so relying parties keep
getting the newest CRL this node has seen.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from certuary.services.ports import CrlRow

CRL_MEDIA_TYPE = "application/pkix-crl"
CERTIFICATE_MEDIA_TYPE = "application/pkix-cert"
PEM_MEDIA_TYPE = "application/x-pem-file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """`expires` is None for what has no date after which it must be fetched again."""

    media_type: str
    body: bytes
    etag: str
    last_modified: datetime
    expires: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedAuthority:
    """An authority as the world sees it, with its newest CRL if there is one."""

    id: int
    name: str
    kind: str
    certificate_der: bytes
    not_before: datetime
    not_after: datetime
    crl_lifetime_seconds: int
    crl: CrlRow | None


def build_documents(authorities: Iterable[PublishedAuthority]) -> Mapping[str, Document]:
    """Each path with what it answers. `/ca.pem` holds every authority, issuing ones before their roots."""
    ordered = sorted(authorities, key=lambda authority: (authority.kind == "root", authority.name))
    documents: dict[str, Document] = {}
    for authority in ordered:
        documents[f"/ca/{authority.name}.crt"] = _document(
            CERTIFICATE_MEDIA_TYPE, authority.certificate_der, authority.not_before, None
        )
        if authority.crl is not None:
            documents[f"/crl/{authority.name}.crl"] = _document(
                CRL_MEDIA_TYPE, authority.crl.der, authority.crl.this_update, authority.crl.next_update
            )
    if ordered:
        chain = b"".join(_pem(authority.certificate_der) for authority in ordered)
        newest = max(authority.not_before for authority in ordered)
        documents["/ca.pem"] = _document(PEM_MEDIA_TYPE, chain, newest, None)
    return documents


def _document(media_type: str, body: bytes, last_modified: datetime, expires: datetime | None) -> Document:
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return Document(media_type=media_type, body=body, etag=etag, last_modified=last_modified, expires=expires)


def _pem(der: bytes) -> bytes:
    text = base64.b64encode(der)
    lines = b"\n".join(text[start : start + 64] for start in range(0, len(text), 64))
    return b"-----BEGIN CERTIFICATE-----\n" + lines + b"\n-----END CERTIFICATE-----\n"
