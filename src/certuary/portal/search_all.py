"""What the search field finds: in each kind of record a few, and of certificates what an index finds at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

from certuary.core.names import subject_search_key
from certuary.core.values import serial_from_text, serial_to_text
from certuary.errors import InvalidValue
from certuary.portal.access import rule_of
from certuary.portal.deps import deps_of
from certuary.portal.names import Names
from certuary.portal.scope import Scope
from certuary.portal.visible import visible
from certuary.services.ports import CertificateRow
from certuary.store.certificate_pages import (
    CertificateSearch,
    find_by_fingerprint,
    find_serial,
    search_certificates,
)
from certuary.store.database import read
from certuary.store.models import Application, Group, Label, Profile, Property, User

R = TypeVar("R", bound=Model)

EACH: Final = 10
_FINGERPRINT_DIGITS: Final = 64
_SHORTEST_SERIAL: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """`is_exact` when what was typed is its very name or number."""

    title: str
    url: str
    text: str = ""
    is_exact: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HitGroup:
    title: str
    hits: tuple[Hit, ...]
    more_url: str = ""


def search_all(request: HttpRequest, query: str) -> tuple[HitGroup, ...]:
    groups = (
        HitGroup(title="Certificates", hits=_certificates(request, query), more_url="/certificates/"),
        HitGroup(title="Applications", hits=_applications(request, query)),
        HitGroup(title="Profiles", hits=_named(Profile.objects.all(), query, "/profiles/{}/")),
        HitGroup(title="Labels", hits=_named(Label.objects.all(), query, "/labels/")),
        HitGroup(title="Groups", hits=_groups(request, query)),
        HitGroup(title="Users", hits=_users(request, query)),
        HitGroup(title="Properties", hits=_properties(query)),
    )
    return tuple(group for group in groups if group.hits)


def _certificates(request: HttpRequest, query: str) -> tuple[Hit, ...]:
    scope, now = Scope.of(request), deps_of(request).clock.now()
    application_ids = scope.application_ids()
    digits = query.lower().replace(":", "").replace(" ", "").removeprefix("0x")
    is_hex = bool(digits) and all(digit in "0123456789abcdef" for digit in digits)
    if is_hex and len(digits) == _FINGERPRINT_DIGITS:
        rows = find_by_fingerprint(digits, application_ids).certificates
        return _hits(rows, lambda row: True)
    found: dict[int | None, CertificateRow] = {}
    if is_hex and len(digits) >= _SHORTEST_SERIAL:
        found |= {row.id: row for row in _by_serial(query, application_ids)}
        if found:
            return _hits(list(found.values()), lambda row: True)
    key = subject_search_key(query)
    for wanted in (
        CertificateSearch(now=now, application_ids=application_ids, subject_prefix=key),
        CertificateSearch(now=now, application_ids=application_ids, alternative_name=query),
    ):
        if len(found) < EACH:
            found |= {row.id: row for row in search_certificates(wanted, limit=EACH).certificates}
    folded = query.lower()

    def is_exact(row: CertificateRow) -> bool:
        named = f':{folded}"' in row.alternative_names.lower()
        return row.subject_key == key or row.subject_key.startswith(f"{key},") or named

    return _hits(list(found.values())[:EACH], is_exact)


def _by_serial(query: str, application_ids: tuple[int, ...] | None) -> tuple[CertificateRow, ...]:
    try:
        return find_serial(serial_from_text(query), application_ids)
    except InvalidValue:
        return ()


def _hits(rows: Sequence[CertificateRow], is_exact: Callable[[CertificateRow], bool]) -> tuple[Hit, ...]:
    names = Names(rows)
    return tuple(
        Hit(
            title=visible(row.subject or row.alternative_names),
            url=f"/certificates/{serial_to_text(row.serial)}/",
            text=f"{visible(names.application(row))}, until {row.not_after:%Y-%m-%d}",
            is_exact=is_exact(row),
        )
        for row in rows
    )


def _applications(request: HttpRequest, query: str) -> tuple[Hit, ...]:
    rows = Application.objects.filter(Q(name__icontains=query) | Q(username__icontains=query))
    scope = Scope.of(request)
    if scope.group_ids is not None:
        rows = rows.filter(group_id__in=scope.group_ids)
    return tuple(
        Hit(
            title=visible(row.name),
            url=f"/applications/{row.pk}/",
            text=f"username {visible(row.username)}",
            is_exact=query.lower() in (row.name.lower(), row.username.lower()),
        )
        for row in _some(rows)
    )


def _named(rows: QuerySet[Profile] | QuerySet[Label], query: str, url: str) -> tuple[Hit, ...]:
    found = read(
        lambda: list(
            rows.filter(name__icontains=query, removed_at__isnull=True)
            .order_by("name")
            .values_list("id", "name")[:EACH]
        )
    )
    return tuple(
        Hit(title=visible(name), url=url.format(number), is_exact=name.lower() == query.lower())
        for number, name in found
    )


def _groups(request: HttpRequest, query: str) -> tuple[Hit, ...]:
    rows = Group.objects.filter(Q(name__icontains=query) | Q(code__icontains=query))
    scope = Scope.of(request)
    if scope.group_ids is not None:
        rows = rows.filter(id__in=scope.group_ids)
    return tuple(
        Hit(
            title=f"{row.code} {visible(row.name)}",
            url=f"/groups/{row.pk}/",
            is_exact=query.lower() in (row.name.lower(), row.code.lower()),
        )
        for row in _some(rows)
    )


def _users(request: HttpRequest, query: str) -> tuple[Hit, ...]:
    """Groups of a user are a list in a column: those found by name are few, and are asked one by one."""
    scope = Scope.of(request)
    opens = rule_of("user")
    if opens is None or not opens(scope.role):
        return ()  # a hit would lead to a refusal
    records = deps_of(request).records
    hits = []
    for row in _some(User.objects.filter(name__icontains=query)):
        record = records.find("user", id=row.pk)
        if record is not None and scope.has_record(record):
            hits.append(
                Hit(
                    title=visible(row.name),
                    url=f"/users/{row.pk}/",
                    text=row.role,
                    is_exact=row.name.lower() == query.lower(),
                )
            )
    return tuple(hits)


def _properties(query: str) -> tuple[Hit, ...]:
    rows = Property.objects.filter(property_key__icontains=query).order_by("property_key")
    return tuple(
        Hit(
            title=visible(row.property_key),
            url="/properties/",
            text=visible(row.property_value),
            is_exact=row.property_key == query,
        )
        for row in read(lambda: list(rows[:EACH]))
    )


def _some(rows: QuerySet[R]) -> list[R]:
    found = rows.filter(removed_at__isnull=True).order_by("name")
    return read(lambda: list(found[:EACH]))
