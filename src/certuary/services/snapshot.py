"""The configuration that one request sees: immutable, replaced whole when anything in it changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from certuary.core.certificate import SigningKey
from certuary.core.profile import CompiledProfile, Profile
from certuary.core.subject_rule import SubjectRule
from certuary.core.values import Network

PROFILE_PROPERTY = "est.ca.server.user.profile"
GROUP_PROPERTY = "est.ca.server.group.id"
CACERTS_AUTHENTICATION_PROPERTY = "est.ca.server.cacerts.authentication"


def is_active(status: object) -> bool:
    """Whether a property's status is Active, as people type it in SQL."""
    return str(status).strip().lower() == "active"


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An external application: who may enrol, from where, for what.

    Empty `networks` means any address, empty `profile_ids` the default profile only, empty `labels` the unlabelled
    endpoint only, no `subject_rule` any name.
    """

    id: int
    name: str
    username: str
    password_hash: str
    group_id: int
    networks: tuple[Network, ...]
    profile_ids: frozenset[int]
    labels: frozenset[str]
    enabled: bool
    expires_at: datetime | None
    subject_rule: SubjectRule | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A CA. `signer` is None where this process does not hold the key. `chain` runs from itself to its root."""

    id: int
    name: str
    certificate: x509.Certificate
    certificate_der: bytes
    chain: tuple[bytes, ...]
    key_name: str
    signer: SigningKey | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveProfile:
    """A profile at one version, with the authority that issues under it; `compiled` is both, ready to use."""

    id: int
    version_id: int
    version: int
    profile: Profile
    authority: Authority
    compiled: CompiledProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    name: str
    profile_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    id: int
    code: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """`revision` rises with each change of a record; properties are re-read on every poll.

    `disabled_reason` is None while EST is enabled; else the sentence that every EST operation answers with 503,
    naming the missing or unusable property.
    """

    revision: int
    authorities: Mapping[int, Authority]
    profiles: Mapping[int, ActiveProfile]
    labels: Mapping[str, Label]
    groups: Mapping[int, Group]
    applications: Mapping[str, Application]
    applications_by_id: Mapping[int, Application]
    properties: Mapping[str, str]
    disabled_reason: str | None
    default_profile_id: int | None
    default_group_id: int | None
    cacerts_authentication: str


def unloaded_snapshot(reason: str) -> Snapshot:
    """What there is before anything could be read: nothing, and the sentence that says why."""
    return Snapshot(
        revision=0,
        authorities={},
        profiles={},
        labels={},
        groups={},
        applications={},
        applications_by_id={},
        properties={},
        disabled_reason=reason,
        default_profile_id=None,
        default_group_id=None,
        cacerts_authentication="default",
    )
