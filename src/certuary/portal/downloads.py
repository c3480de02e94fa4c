"""Certificates and CRLs as files: RFC 2585 section 4, RFC 8551 section 3.2.1, and names that hold no surprise."""

from __future__ import annotations

import re
from typing import Final

from django.http import HttpResponse

KINDS: Final = {
    "pem": ("application/x-pem-file", "pem"),
    "der": ("application/pkix-cert", "cer"),
    "p7b": ("application/pkcs7-mime; smime-type=certs-only", "p7b"),
    "crl": ("application/pkix-crl", "crl"),
}


def download(content: bytes, form: str, name: str) -> HttpResponse:
    media_type, suffix = KINDS[form]
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".")[:100] or "certificate"
    response = HttpResponse(content, content_type=media_type)
    response["Content-Disposition"] = f'attachment; filename="{safe}.{suffix}"'
    return response
