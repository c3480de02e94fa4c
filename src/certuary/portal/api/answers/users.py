"""Users, and the tokens that they make."""

from __future__ import annotations

from typing import Literal

from ninja import Schema
from pydantic import Field

from certuary.portal.api.answers.base import Moment, Page, Sealed


class UserIdentity(Schema):
    """What opens the portal for a user beside the password."""

    kind: Literal["oidc", "certificate"]
    issuer: str | None = Field(None, description="of a provider's: its address")
    claim: str | None = Field(None, description="of a provider's: where the subject stands")
    subject: str = Field(
        description="what the provider calls the user; of a certificate its subject, for people"
    )
    sha256: str | None = Field(None, description="of a certificate: its fingerprint, in hex")


class User(Sealed):
    name: str
    role: str | None = Field(description="ca-administrator, administrator, officer or auditor")
    groups: list[str] = Field(description="codes; of no meaning for a CA Administrator, who sees all")
    enabled: bool | None
    second_factors: str | None = Field(
        description='such as "authenticator app, 1 passkey"; "" for none, null where their rows cannot be read'
    )
    factors_hold: bool = Field(description="they are those that the record's seal lists")
    must_change_password: bool | None = Field(description="theirs is the one made up at installation")
    key_compromised: bool = Field(description="their signing key was declared so; it signs nothing")
    identities: list[UserIdentity] | None = Field(description="told to a CA Administrator; null to others")
    signed_in_at: Moment | None


class UserPage(Page):
    items: list[User]


class UserSaved(User):
    password: str | None = Field(
        None, description="the generated one, in the first answer alone and kept nowhere; else absent"
    )


class SignedRecord(Schema):
    kind: str
    name: str
    at: Moment
    is_void: bool = Field(
        description="signed at or after the moment of the compromise: it is left out of use"
    )


class KeyCompromised(Schema):
    signed: list[SignedRecord] = Field(description="what the key signed: look at each")


class Token(Schema):
    id: int
    name: str
    scopes: list[str]
    state: Literal["in force", "revoked", "expired", "void"]
    problem: str | None = Field(description="why it is void")
    is_this: bool = Field(description="the one that asks")
    created_at: Moment | None
    expires_at: Moment | None
    last_used_at: Moment | None


class TokenPage(Page):
    items: list[Token] = Field(description="newest first")
