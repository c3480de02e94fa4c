"""Certificates, and where each comes from."""

from __future__ import annotations

from typing import Literal

from ninja import Schema
from pydantic import Field

from certuary.portal.api.answers.audit import Event
from certuary.portal.api.answers.base import Moment, Page
from certuary.store.certificate_pages import LOOKED_AT


class Certificate(Schema):
    serial: str = Field(description="in hex")
    authority_id: int = Field(description="the `id` of the authority that issued it")
    subject: str
    alternative_names: str = Field(description='a JSON list of texts such as "DNS:device-7"')
    application: str | None = Field(description="null for what no application asked for")
    profile: str | None
    profile_version: int | None
    status: Literal["valid", "expired", "revoked"]
    not_before: Moment
    not_after: Moment
    issued_at: Moment
    revoked_at: Moment | None
    revocation_reason: str | None = Field(description="of RFC 5280, such as keyCompromise")
    replaces: str | None = Field(description="the serial number of the one that it renewed")


class ClientCertificate(Certificate):
    pkcs12: str | None = Field(None, description="base64, in the first answer alone and kept nowhere")
    passphrase: str | None = Field(None, description="opens it; in the first answer alone")


class CertificatePage(Page):
    items: list[Certificate]
    stopped: bool = Field(
        description=f"true where {LOOKED_AT:,} certificates were looked at without filling the page: "
        "go on with the cursor"
    )


class Line(Schema):
    label: str
    value: str


class Section(Schema):
    title: str
    lines: list[Line]


class WholeCertificate(Certificate):
    pem: str = Field(description='"" where the row was altered so that it is no certificate')
    mark_problem: str | None = Field(description="why the row is not to be believed; null when it is")
    decoded: list[Section] = Field(description="its fields in words")


class Enrolment(Schema):
    request_id: str
    at: Moment
    operation: str = Field(description="simpleenroll or simplereenroll")
    label: str = Field(description='"" is the endpoint without a label')
    address: str
    csr: str | None = Field(description="the request, as PEM")


class Trail(Schema):
    """Where a certificate comes from, and what was done to it since."""

    request: Enrolment | None = Field(description="null where there was none: the server's own certificates")
    events: list[Event] = Field(description="oldest first")
