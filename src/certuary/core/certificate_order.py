"""Certificate orders: what a user signs so that a process with the authority's key issues a certificate.

    statement   canonical JSON (RFC 8785) of the installation, "certificate-order" and every field
    seal        as of a record (`core.seal`): the user's signature, counter-signed by the server

The portal makes key and request, and holds no issuing key; who does has nothing but the database between them.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from certuary.core.canonical_json import canonical_json
from certuary.core.seal import moment_text

ORDER_LIFETIME: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateOrder:
    """`id` is random; `request_id` and `address` are those of the request by which the user signed."""

    id: str
    application_id: int
    profile_version_id: int
    csr_der: bytes
    request_id: str
    address: str
    ordered_at: datetime
    expires_at: datetime

    def statement(self, instance: str) -> bytes:
        """What is signed. `InvalidValue` for numbers that no row has."""
        return canonical_json(
            {
                "instance": instance,
                "kind": "certificate-order",
                "id": self.id,
                "application_id": self.application_id,
                "profile_version_id": self.profile_version_id,
                "csr": base64.b64encode(self.csr_der).decode("ascii"),
                "request_id": self.request_id,
                "address": self.address,
                "ordered_at": moment_text(self.ordered_at),
                "expires_at": moment_text(self.expires_at),
            }
        )
