"""What the API takes, as its OpenAPI document says it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from ninja import Schema
from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field


def is_storable(text: str) -> bool:
    """What both databases keep: UTF-8 without NUL. JSON can say half of a surrogate pair."""
    is_whole = text.isascii() or text == text.encode("utf-8", "replace").decode()
    return is_whole and "\0" not in text


def _storable(text: str) -> str:
    if not is_storable(text):
        raise ValueError("a text holds no NUL, and no half of a surrogate pair")
    return text


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("the calendar has no such moment in UTC") from None


Text = Annotated[str, AfterValidator(_storable)]
Names = Annotated[list[Annotated[Text, Field(max_length=253)]], Field(max_length=500)]

MomentGiven = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""With its zone, such as 2027-01-31T12:00:00Z."""


class Given(Schema):
    """A body. A field that is not known is refused, so that a typing error is not a missing option."""

    model_config = ConfigDict(extra="forbid")


class GrantsGiven(Given):
    networks: Names | None = Field(None, description="CIDR; [] is any address; absent is as it is")
    profiles: Names | None = Field(None, description="names; [] is the default profile")
    labels: Names | None = Field(None, description="[] is the unlabelled endpoint")
    group: Text | None = Field(None, max_length=64, description="its code, such as GRP_001")
    subject_rule: Text | None = Field(None, max_length=4000, description='"" is any name')
    expires_at: MomentGiven | None = Field(None, description="with its zone, such as 2027-01-31T12:00:00Z")
    never_expires: bool = False


class ApplicationChanged(GrantsGiven):
    name: Text | None = Field(None, max_length=64, description="another name, which no application had")
    username: Text | None = Field(None, max_length=128, description="another username; the present one stops")


class ApplicationGiven(GrantsGiven):
    name: Text = Field(max_length=64)
    username: Text = Field(max_length=128)
    password: Text | None = Field(
        None, max_length=500, description="absent: one is generated and answered once"
    )


class PasswordGiven(Given):
    password: Text | None = Field(
        None, max_length=500, description="absent: one is generated and answered once"
    )


class ClientCertificateGiven(Given):
    profile: Text = Field(max_length=64, description="one with clientAuth and digitalSignature")
    common_name: Text | None = Field(None, max_length=64, description="absent: the application's name")
    dns_names: Names = Field(default_factory=list, max_length=100)
    key_type: Text = Field("ec-p256", max_length=16, description="ec-p256, ec-p384, rsa-3072 or rsa-4096")


class RevocationGiven(Given):
    reason: Text = Field(
        "unspecified", max_length=64, description="a reason of RFC 5280, such as keyCompromise"
    )


class ProfileGiven(Given):
    toml: Text = Field(
        max_length=100_000, description="the profile as its file says it; its name decides which"
    )


class LabelGiven(Given):
    name: Text = Field(max_length=64)
    profile: Text = Field(max_length=64)


class GroupGiven(Given):
    name: Text = Field(max_length=64)


class DigestGiven(Given):
    digest: Text = Field(max_length=64, description="of the request that is approved, as it was answered")


class ReasonGiven(Given):
    reason: Text = Field(max_length=500, description="whoever asked reads it")


class PropertyGiven(Given):
    value: Text = Field(max_length=4096)
    status: Text = Field("Active", max_length=16, description="Active or Inactive")


class RoleGiven(Given):
    role: Text = Field(max_length=32, description="ca-administrator, administrator, officer or auditor")
    groups: Names = Field(
        default_factory=list, description="codes; at least one but for a CA Administrator, who sees all"
    )


class UserGiven(RoleGiven):
    name: Text = Field(max_length=64, description="what the user signs in with; it stays")


class IdentityGiven(Given):
    """Either `subject`, of the provider that is configured, or `sha256`."""

    subject: Text | None = Field(
        None, max_length=255, description="what the identity provider calls the user"
    )
    issuer: Text | None = Field(
        None, max_length=512, description="of another provider than the configured one"
    )
    claim: Text | None = Field(None, max_length=64, description="another claim than the configured one")
    sha256: Text | None = Field(None, max_length=95, description="of the user's client certificate, in hex")


class CompromiseGiven(Given):
    since: MomentGiven = Field(description="what the key signed from then on is void; rather early than late")


class DryRunGiven(Given):
    csr: Text = Field(max_length=100_000, description="PEM or base64, as the client would send it")
    application: Text = Field(max_length=64, description="its name; its password is taken for right")
    address: Text = Field(max_length=45, description="where the client calls from, such as 10.0.0.7")
    label: Text = Field("", max_length=64, description='"" is the endpoint without a label')
    operation: Literal["simpleenroll", "simplereenroll"] = "simpleenroll"


class AdoptGiven(Given):
    digest: Text = Field(
        max_length=64, description="of the record's seal as it was shown: nothing else is signed"
    )
