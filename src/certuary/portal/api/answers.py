"""What the API gives, as its OpenAPI document says it: one model for each kind of thing.

Whoever alters a row by SQL can put anything into it. In a record such a value is null here, and `seal` says "broken";
elsewhere a time that cannot be read is that of the year 1, and `mark_problem` or `is_altered` says so.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import Field, PlainSerializer, WithJsonSchema

from certuary.portal.seal_problems import LOOKED_AT as SEALS_LOOKED_AT
from certuary.store.audit_pages import LOOKED_AT as EVENTS_LOOKED_AT
from certuary.store.certificate_pages import LOOKED_AT as CERTIFICATES_LOOKED_AT


def moment_text(at: datetime) -> str:
    """RFC 3339, in UTC, to the microsecond that the database keeps."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


Moment = Annotated[
    datetime,
    PlainSerializer(moment_text, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Day = Annotated[
    date,
    PlainSerializer(date.isoformat, return_type=str),
    WithJsonSchema({"type": "string", "format": "date"}),
]


class Page(Schema):
    next_cursor: str | None = Field(description="for `cursor`, to go on; null on the last page")


class Sealed(Schema):
    """What every record has that people sign."""

    id: int
    version: int = Field(description="rises with each signed change")
    seal: Literal["holds", "broken"] = Field(description="a record whose seal is broken is not used")
    seal_problem: str | None = Field(description="why it is broken; null when it holds")


class KeptChange(Schema):
    """A change that takes two persons: it was signed by one, and nothing was changed yet."""

    approval: str = Field(description="its name among the approvals")
    title: str
    digest: str = Field(description="of what the first person signed; the second gives the same")
    url: str


class Approval(Schema):
    """A change that one person signed. `seal_problem` says why one that waits cannot be approved."""

    id: int
    name: str = Field(description="such as APR-1f0c2a9b")
    kind: str | None = Field(description="whose rule takes two persons, such as application")
    change: str | None = Field(description="such as application-new")
    title: str | None
    requester: str | None
    created_at: Moment | None
    expires_at: Moment | None
    state: str | None = Field(description="waiting, approved, rejected or withdrawn")
    decided_by: str | None
    decided_at: Moment | None
    reason: str | None = Field(description="of a rejection")
    digest: str = Field(description="of what was shown to the first person: the second signs the same")
    seal_problem: str | None = Field(description="why it is not believed; null when it is, and once decided")


class ApprovalPage(Page):
    items: list[Approval]


class ShownLine(Schema):
    group: str
    label: str
    value: str
    before: str | None


class ShownApproval(Approval):
    shown: list[ShownLine] = Field(description="what the first person saw when they signed")


class Told(Schema):
    label: str
    value: str


class ApprovalMade(Approval):
    message: str
    warnings: list[str] = Field(description="what is allowed, and should be looked at")
    secrets: list[Told] | None = Field(
        None,
        description="such as a generated password, in the first answer alone and kept nowhere; else absent",
    )


class Group(Sealed):
    code: str = Field(description="its lasting name, such as GRP_001")
    name: str


class GroupPage(Page):
    items: list[Group]


class Application(Sealed):
    name: str
    username: str | None = Field(description="for HTTP Basic, at the EST listener")
    group: str | None = Field(description="a group's code")
    networks: list[str] = Field(description="CIDR; [] is any address")
    profiles: list[str] = Field(description="names; [] is the default profile")
    labels: list[str] = Field(description="[] is the endpoint without a label")
    subject_rule: str | None = Field(description='for which names it may ask; "" is any')
    enabled: bool | None
    expires_at: Moment | None = Field(description="null is never")


class ApplicationPage(Page):
    items: list[Application]


class ApplicationSaved(Application):
    warnings: list[str] = Field(description="what is allowed, and should be looked at")
    password: str | None = Field(
        None, description="the generated one, in the first answer alone and kept nowhere; else absent"
    )


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
        description=f"true where {CERTIFICATES_LOOKED_AT:,} certificates were looked at without filling the page: "
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


class Event(Schema):
    number: int = Field(description="rises with each event; a gap is a transaction that was undone")
    at: Moment
    kind: str = Field(description="such as enrolment.issued")
    actor_kind: str = Field(description="user, application, system, sql")
    actor: str
    target: str
    address: str
    request_id: str
    detail: dict[str, Any] = Field(description="by kind; of a change the values before and after")
    stream: str = Field(description="which process wrote it")
    seq: int | None = Field(description="its place in the stream; null for one that no stream has")
    hash: str = Field(description="of the chain, in hex")


class EventPage(Page):
    items: list[Event]
    stopped: bool = Field(
        description=f"true where {EVENTS_LOOKED_AT:,} events were looked at without filling the page: "
        "go on with the cursor"
    )


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


class Profile(Sealed):
    name: str
    current_version: int | None


class ProfilePage(Page):
    items: list[Profile]


class WholeProfile(Profile):
    toml: str = Field(description="what the current version says")


class ProfileSaved(WholeProfile):
    is_unchanged: bool = Field(description="the current version said the same already: nothing was saved")


class ProfileVersion(Schema):
    number: int
    toml: str
    created_at: Moment
    created_by: str
    is_altered: bool = Field(description="its mark does not hold: plain SQL changed it")


class ProfileVersionPage(Page):
    items: list[ProfileVersion] = Field(description="newest first")


class ProfileChange(Schema):
    path: str = Field(description="the key of the TOML")
    label: str
    before: str
    after: str


class ProfileDifference(Schema):
    changes: list[ProfileChange] = Field(description="what the keys say, in words")
    diff: str = Field(description="the two texts as a unified diff")


class ProfileFinding(Schema):
    path: str = Field(description='the key of the TOML that is to blame; "" where there is none')
    detail: str


class ProfileChecked(Schema):
    """What a profile would make. Nothing is saved."""

    name: str
    findings: list[ProfileFinding] = Field(description="of pkilint and our own; [] when it can be saved")
    sample_pem: str | None = Field(description="a certificate as it would be issued, under a throw-away key")
    sample: list[Section] = Field(description="the sample's fields in words")


class ProfileUse(Schema):
    is_default: bool = Field(description="a property selects it for the endpoint without a label")
    labels: list[str]
    applications: list[str] = Field(description="of one's own groups")


class Label(Sealed):
    name: str
    profile: str | None
    url: str = Field(description="where clients enrol")


class LabelPage(Page):
    items: list[Label]


class Property(Schema):
    property_key: str
    property_value: str
    status: str = Field(description="Active, or it counts for nothing")
    warnings: list[str] = Field(description="why the server cannot use the value; [] when it can")


class PropertyPage(Page):
    items: list[Property]


class PropertyChange(Schema):
    at: Moment
    what: str = Field(description="added, changed or removed")
    who: str
    by_sql: bool = Field(description="past Certuary, by plain SQL")
    database_user: str = Field(description="of a change by plain SQL")
    before: str
    after: str


class PropertyChangePage(Page):
    items: list[PropertyChange] = Field(description="newest first")


class WholeProperty(Property):
    meaning: str = Field(description='what a known one does; "" for others')
    sql: str = Field(description="the statement that sets it to what it is")


class Crl(Schema):
    number: int
    this_update: Moment
    next_update: Moment
    url: str = Field(description="where it is published")
    mark_problem: str | None = Field(description="why its row is not to be believed; null when it is")


class Authority(Sealed):
    name: str
    kind: str | None = Field(description="root or issuing")
    issuer: str | None = Field(description="the authority above; null for a root")
    subject: str | None
    serial: str | None
    key_type: str | None
    key_name: str | None = Field(description="its key's name in the key store")
    not_before: Moment | None
    not_after: Moment | None


class AuthorityPage(Page):
    items: list[Authority]


class WholeAuthority(Authority):
    pem: str
    crl: Crl | None = Field(description="the newest; null before the first")


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


class Checkpoint(Schema):
    number: int
    at: Moment
    streams: int | None
    problem: str | None = Field(description="why it is not of this installation; null when it is")


class AuditVerification(Schema):
    checkpoint: Checkpoint | None = Field(
        description="the newest one; null before the first. The whole chain takes the audit key, which the portal does "
        "not hold: `certuary audit verify`"
    )


class Refusal(Schema):
    request_id: str
    at: Moment
    rule: str = Field(description="as docs/errors.md lists it")
    operation: str
    application: str | None
    address: str
    label: str


class RefusalPage(Page):
    items: list[Refusal] = Field(description="newest first")


class Explained(Schema):
    """Why a request was answered as it was."""

    request_id: str
    at: Moment
    outcome: Literal["refused", "issued"]
    rule: str
    sentence: str = Field(description="what the client was told; of a stranger, why it was not let in")
    means: str
    next_step: str
    application: str | None
    operation: str | None
    label: str | None
    address: str
    profile: str | None
    profile_version: int | None
    serial: str | None = Field(description="of the certificate that was issued")
    csr: str | None = Field(description="the request, as PEM")
    decoded: list[Section] = Field(description="the request's fields in words")


class Step(Schema):
    title: str
    meaning: str
    outcome: Literal["passed", "stopped here", "not reached"]


class DryRun(Schema):
    """A request taken through every rule. Nothing is issued, and nothing is kept."""

    granted: bool
    status: int = Field(description="of HTTP, as the client would see it")
    steps: list[Step]
    rule: str | None = Field(description="the one that refuses; null when granted")
    sentence: str | None = Field(description="what the client would be told")
    reason: str | None = Field(description="what the audit event would say beside it")
    means: str | None
    next_step: str | None
    profile: str | None
    replaces: str | None = Field(description="the serial number of the one that it would renew")
    request: list[Section]
    certificate: list[Section] = Field(description="what would be issued, in words; [] when refused")


class SealProblem(Schema):
    kind: str = Field(description="a record's kind, or manifest")
    id: int | None = Field(description="the record's number, for /seals/KIND/ID")
    name: str
    reason: str


class SealProblemPage(Page):
    items: list[SealProblem] = Field(description="by kind and number")
    stopped: bool = Field(
        description=f"true where {SEALS_LOOKED_AT:,} records were verified without filling the page: go on with the "
        "cursor"
    )


class SealColumn(Schema):
    name: str
    value: str = Field(description="as it stands; of a secret its digest")
    is_secret: bool
    holds: bool | None = Field(description="as it was signed; null where no seal can be read")


class Seal(Schema):
    kind: str
    id: int
    name: str
    is_gone: bool = Field(description="its row was deleted past Certuary")
    problem: str | None = Field(description="why it is not believed; null when it is")
    signer: str | None
    signed_at: Moment | None
    fingerprint: str | None = Field(description="SHA-256 of the signer's certificate, in hex")
    version: int
    digest: str | None = Field(
        description="SHA-256 of what a signature covers as it stands; give it back to sign that, and nothing else"
    )
    columns: list[SealColumn]


class DayCount(Schema):
    day: Day
    name: str = Field(description="a profile, or how soon")
    count: int


class ExpiryWindow(Schema):
    days: int
    count: int


class ReasonCount(Schema):
    rule: str
    count: int


class AuthorityAge(Schema):
    name: str
    kind: str
    not_after: Moment
    days_left: int
    crl: str = Field(description="current, runs out soon, out of date, or none published")
    crl_next_update: Moment | None


class Statistics(Schema):
    """Of one's own groups; of all for a CA Administrator."""

    is_complete: bool = Field(description="everything that was there has been counted")
    counted_at: Moment | None
    issued: list[DayCount] = Field(
        description="per day and profile, of the last 30 days; days without are absent"
    )
    expiring: list[ExpiryWindow] = Field(description="within so many days, not revoked")
    expiring_by_day: list[DayCount] = Field(description="of the next 90 days; days without are absent")
    refused: list[ReasonCount] = Field(description="of the last 7 days, by rule")
    authorities: list[AuthorityAge]
    broken: list[SealProblem] = Field(description="as the nodes found them")


class Node(Schema):
    name: str
    hostname: str
    version: str
    state: str = Field(description="Ready; Ready, with warnings; Not ready; Not answering")
    ready: bool
    reasons: list[str] = Field(description="why it is not ready")
    warnings: list[str]
    started_at: Moment
    seen_at: Moment


class Nodes(Schema):
    items: list[Node] = Field(description="those of the last week, by host")


class Hit(Schema):
    title: str
    text: str
    page: str = Field(description="its page in the portal")
    is_exact: bool = Field(description="what was asked for is its very name or number")


class HitGroup(Schema):
    title: str
    hits: list[Hit]


class Found(Schema):
    groups: list[HitGroup] = Field(description="at most ten of a kind, of kinds that the token's scopes open")


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
