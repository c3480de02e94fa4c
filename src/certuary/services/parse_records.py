"""From records, as the database keeps them, to the values that requests use.

Whatever is wrong with a record is an `InvalidValue` (or another `CertuaryError`): JSON columns can be edited by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

from certuary.core.certificate import SigningKey, certificate_from_der
from certuary.core.profile import Profile, compile_profile, issuer_facts
from certuary.core.subject_rule import SubjectRule
from certuary.core.values import parse_network
from certuary.errors import InvalidValue, MalformedCertificate
from certuary.services.ports import Record
from certuary.services.snapshot import ActiveProfile, Application, Authority, Group, Label

T = TypeVar("T")
LoadSigner = Callable[[str], SigningKey | None]


def parse_application(record: Record) -> Application:
    rule = column(record, "subject_rule", str)
    expires_at = record.values.get("expires_at")
    return Application(
        id=number(record),
        name=column(record, "name", str),
        username=column(record, "username", str),
        password_hash=column(record, "password_hash", str),
        group_id=column(record, "group_id", int),
        networks=tuple(parse_network(text) for text in _list(record, "networks", str)),
        profile_ids=frozenset(_list(record, "profile_ids", int)),
        labels=frozenset(_list(record, "labels", str)),
        enabled=column(record, "enabled", bool),
        expires_at=None if expires_at is None else column(record, "expires_at", datetime),
        subject_rule=SubjectRule.parse(rule) if rule else None,
    )


def parse_group(record: Record) -> Group:
    return Group(id=number(record), code=column(record, "code", str), name=column(record, "name", str))


def parse_label(record: Record) -> Label:
    return Label(name=column(record, "name", str), profile_id=column(record, "profile_id", int))


def parse_authority(record: Record, records: Mapping[int, Record], load_signer: LoadSigner) -> Authority:
    """`records` are all authorities by number: the chain is made of them."""
    certificate_der = column(record, "certificate_der", bytes)
    key_name = column(record, "key_name", str)
    try:
        certificate = certificate_from_der(certificate_der)
    except MalformedCertificate:
        raise InvalidValue("its certificate cannot be parsed") from None
    return Authority(
        id=number(record),
        name=column(record, "name", str),
        certificate=certificate,
        certificate_der=certificate_der,
        chain=_chain(record, records),
        key_name=key_name,
        signer=load_signer(key_name),
    )


def parse_profile(record: Record, authorities: Mapping[str, Authority], status_url: str) -> ActiveProfile:
    """`authorities` by name."""
    profile = Profile.from_toml(column(record, "toml", str))
    authority = authorities.get(profile.authority)
    if authority is None:
        raise InvalidValue(f"there is no usable authority {profile.authority!r}")
    facts = issuer_facts(authority.certificate, name=authority.name, status_url=status_url)
    return ActiveProfile(
        id=number(record),
        version_id=column(record, "version_id", int),
        version=column(record, "current_version", int),
        profile=profile,
        authority=authority,
        compiled=compile_profile(profile, facts),
    )


def number(record: Record) -> int:
    if not isinstance(record.id, int):
        raise InvalidValue(f"record {record.id!r} has no number")
    return record.id


def column(record: Record, name: str, kind: type[T]) -> T:
    value = record.values.get(name)
    # To Python, True is an int.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise InvalidValue(f"column {name!r} is not {kind.__name__}")
    return value


def _list(record: Record, name: str, kind: type[T]) -> list[T]:
    values = column(record, name, list)
    if not all(type(value) is kind for value in values):
        raise InvalidValue(f"column {name!r} is not a list of {kind.__name__}")
    return values


def _chain(record: Record, records: Mapping[int, Record]) -> tuple[bytes, ...]:
    """From the authority to its root. A record that leads back into its own chain ends it."""
    chain: list[bytes] = []
    seen: set[object] = set()
    following: Record | None = record
    while following is not None and following.id not in seen:
        seen.add(following.id)
        chain.append(column(following, "certificate_der", bytes))
        issuer_id = following.values.get("issuer_id")
        following = records.get(issuer_id) if isinstance(issuer_id, int) else None
    return tuple(chain)
