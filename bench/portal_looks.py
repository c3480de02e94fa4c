"""What people and scripts look at: every list, what its filters offer, pages deep inside, the pages of a record."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bench.portal_rows import RULES, SELDOM_RULE, Fleet
from bench.portal_site import EVERYTHING, FEW, FEW_AUDITOR, MOST, Site
from certuary.core.values import serial_to_text

LISTS = (
    "/",
    "/applications/",
    "/certificates/",
    "/profiles/",
    "/labels/",
    "/users/",
    "/groups/",
    "/properties/",
    "/authorities/",
    "/audit/",
    "/refusals/",
    "/seals/",
    "/account/tokens/",
)
_API_LISTS = (
    *("certificates", "audit", "applications", "profiles", "labels", "groups", "properties", "authorities"),
    *("users", "refusals", "statistics", "nodes"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """`name` is the same whatever is looked at there; with a `token` it is one of the API's."""

    name: str
    who: str
    url: str
    token: str = ""


def looks(site: Site) -> tuple[Look, ...]:
    """Of the site that is open."""
    return tuple(
        Look(
            name=f"{name or url}{'' if who == EVERYTHING else f', {who}'}",
            who=who,
            url=url,
            token=site.tokens[who] if url.startswith("/api/") else "",
        )
        for who, name, url in (
            *_lists(),
            *_certificates(site.fleet),
            *_audit(site.fleet),
            *_refusals(site.fleet),
            *_records(site.fleet),
            *_searches(site.fleet),
            *_api(site.fleet),
        )
    )


_Named = Iterator[tuple[str, str, str]]
"""Who looks; what it is called, "" for its URL; the URL."""


def _lists() -> _Named:
    for url in LISTS:
        yield EVERYTHING, "", url
    for url in ("/", "/applications/", "/certificates/", "/audit/", "/refusals/"):
        yield MOST, "", url
        yield FEW, "", url
    for url in ("/", "/certificates/", "/audit/"):
        yield FEW_AUDITOR, "", url
    yield EVERYTHING, "", "/applications/?q=mo"


def _certificates(fleet: Fleet) -> _Named:
    from certuary.store.models import ProfileVersion

    def found(name: str, query: str, *people: str) -> _Named:
        for who in people or (EVERYTHING,):
            yield who, f"/certificates/ {name}", f"/certificates/?{query}"

    middle, deep = fleet.count // 2, _certificate_id(fleet, fleet.count // 2)
    everybody = (EVERYTHING, MOST, FEW)
    yield from found("older, in the middle", f"after={deep}", *everybody)
    yield from found("newer, in the middle", f"before={deep}", *everybody)
    for status in ("valid", "expired", "revoked"):
        yield from found(status, f"status={status}", *everybody)
    for days in (7, 30, 90):
        yield from found(f"expiring within {days} days", f"expires={days}", EVERYTHING, FEW)
    day = (datetime.now(UTC) + timedelta(days=30)).date()
    yield from found("expiring from a day to another", f"from={day}&to={day + timedelta(days=1)}")
    revoked = "status=revoked&expires=30"
    yield from found("revoked, expiring within 30 days", revoked)
    for name in ("most", "some", "few"):
        yield from found(f"of application {name}", f"application={name}")
        yield from found(f"of application {name}, revoked", f"application={name}&status=revoked")
    yield from found("of application few, expired", "application=few&status=expired")
    yield from found("of application few, expiring within 30 days", "application=few&expires=30")
    yield from found("of nobody", "application=nobody")
    profile = ProfileVersion.objects.get(pk=fleet.profile_version_id).profile.name
    yield from found("of the profile", f"profile={profile}")
    yield from found("of the profile, expired", f"profile={profile}&status=expired")
    yield from found("of another profile", "profile=network-gear")
    yield from found("of a subject of all", "q=device-", *everybody)
    yield from found("of a subject of 1 in 16", "q=device-a", *everybody)
    yield from found("of a whole subject", f"q={fleet.name(middle)}", *everybody)
    yield from found("of an application's subject", "q=device-&application=few")
    yield from found("of a name of all", "by=san&q=example", *everybody)
    yield from found("of a name of an old one", f"by=san&q={fleet.name(1)}", *everybody)
    yield from found("of a serial", f"by=serial&q={serial_to_text(fleet.serial(middle))}", *everybody)
    yield from found(
        "of a key", f"by=sha256&q={hashlib.blake2b(f'key {middle}'.encode(), digest_size=32).hexdigest()}"
    )
    yield from found("of a fingerprint that none has", f"by=sha256&q={'ab' * 32}", EVERYTHING, FEW)
    yield from found("as CSV", "format=csv")
    yield from found("as JSON", "format=json", EVERYTHING, FEW)


def _audit(fleet: Fleet) -> _Named:
    def found(name: str, query: str, *people: str) -> _Named:
        for who in people or (EVERYTHING,):
            yield who, f"/audit/ {name}", f"/audit/?{query}"

    middle = fleet.count // 2
    deep = _event_id(fleet.request_id(middle))
    yield from found("older, in the middle", f"before={deep}", EVERYTHING, MOST, FEW)
    yield from found("newer, in the middle", f"after={deep}", EVERYTHING, MOST, FEW)
    for kind in ("enrolment", "enrolment.refused", "application", "certificate.revoked"):
        yield from found(f"of {kind}", f"kind={kind}", EVERYTHING, FEW)
    for actor in ("most", "few", "admin", "nobody"):
        yield from found(f"by {actor}", f"actor={actor}")
    yield from found("of a target", f"target={serial_to_text(fleet.serial(middle))}", EVERYTHING, FEW)
    yield from found("of an application", "target=application:most")
    yield from found("of a request", f"request_id={fleet.request_id(middle)}", EVERYTHING, MOST, FEW)
    since = fleet.moment(middle).replace(tzinfo=None)
    day = f"since={since:%Y-%m-%dT%H:%M}&until={since + timedelta(days=1):%Y-%m-%dT%H:%M}"
    yield from found("of a day", day, EVERYTHING, FEW)
    yield from found("of a day, by admin", f"{day}&actor=admin")
    yield from found("as CSV", "format=csv")
    yield EVERYTHING, "/audit/NUMBER/", f"/audit/{deep}/"


def _refusals(fleet: Fleet) -> _Named:
    from certuary.store.models import Application

    few = Application.objects.get(name="few").pk
    most = Application.objects.get(name="most").pk
    at = int(fleet.moment(fleet.count // 2).timestamp() * 1_000_000)
    for who in (EVERYTHING, MOST, FEW):
        yield who, "/refusals/ older, in the middle", f"/refusals/?after={at}_{2**40}"
        yield who, f"/refusals/ of {RULES[0]}", f"/refusals/?rule={RULES[0]}"
        yield who, f"/refusals/ of {SELDOM_RULE}", f"/refusals/?rule={SELDOM_RULE}"
        yield who, "/refusals/ of a rule that none broke", "/refusals/?rule=uri"
    for time in ("1h", "1d", "7d"):
        yield EVERYTHING, f"/refusals/ of {time}", f"/refusals/?time={time}"
    yield FEW, "/refusals/ of 7d", "/refusals/?time=7d"
    yield EVERYTHING, "/refusals/ of few", f"/refusals/?application={few}"
    yield EVERYTHING, "/refusals/ of most", f"/refusals/?application={most}"
    yield EVERYTHING, "/refusals/ of most, seldom", f"/refusals/?application={most}&rule={SELDOM_RULE}"
    yield EVERYTHING, "/refusals/ of few, frequent", f"/refusals/?application={few}&rule={RULES[0]}"
    yield EVERYTHING, "/refusals/ as CSV", "/refusals/?format=csv"
    yield EVERYTHING, "/refusals/REQUEST/", f"/refusals/{fleet.request_id(fleet.count // 2)}/"


def _records(fleet: Fleet) -> _Named:
    """The pages of one: an application with nine in ten of all certificates, a profile with all of them."""
    from certuary.store.models import Application, ProfileVersion

    middle, revoked = fleet.count // 2 + 1, fleet.count // 2 + 49
    for who in (EVERYTHING, MOST):
        yield who, "/certificates/SERIAL/", f"/certificates/{serial_to_text(fleet.serial(middle))}/"
    revoked_serial = serial_to_text(fleet.serial(revoked))
    yield EVERYTHING, "/certificates/SERIAL/ of a revoked one", f"/certificates/{revoked_serial}/"
    yield (
        EVERYTHING,
        "/certificates/SERIAL/revoke/",
        f"/certificates/{serial_to_text(fleet.serial(middle))}/revoke/",
    )
    deep = _certificate_id(fleet, middle)
    for name, who in (("most", MOST), ("few", FEW)):
        number = Application.objects.get(name=name).pk
        yield EVERYTHING, f"/applications/NUMBER/ of {name}", f"/applications/{number}/"
        yield who, f"/applications/NUMBER/ of {name}", f"/applications/{number}/"
        yield EVERYTHING, f"/applications/NUMBER/ of {name}, deep", f"/applications/{number}/?after={deep}"
    profile = ProfileVersion.objects.get(pk=fleet.profile_version_id).profile_id
    yield EVERYTHING, "/profiles/NUMBER/", f"/profiles/{profile}/"
    for number in (1, 2):
        yield EVERYTHING, f"/authorities/{number}/", f"/authorities/{number}/"
    yield EVERYTHING, "/groups/1/", "/groups/1/"
    yield EVERYTHING, "/users/1/", "/users/1/"
    yield EVERYTHING, "/account/", "/account/"
    yield EVERYTHING, "/refusals/try/", "/refusals/try/"


def _searches(fleet: Fleet) -> _Named:
    middle = fleet.count // 2
    typed = (
        ("a subject of all", "device-"),
        ("a whole subject", fleet.name(middle)),
        ("a part of a name", "example.org"),
        ("what there is not", "nobody-has-this"),
        ("a serial", serial_to_text(fleet.serial(middle))),
        ("an application", "few"),
        ("a fingerprint that none has", "cd" * 32),
    )
    for name, query in typed:
        for who in (EVERYTHING, MOST, FEW):
            yield who, f"/search/ {name}", f"/search/?q={query}"


def _api(fleet: Fleet) -> _Named:
    from certuary.portal.api.pages import encode_cursor

    for name in _API_LISTS:
        yield EVERYTHING, "", f"/api/v1/{name}"
    middle = fleet.count // 2
    serial, deep = serial_to_text(fleet.serial(middle)), encode_cursor(_certificate_id(fleet, middle))
    yield EVERYTHING, "/api/v1/certificates deep", f"/api/v1/certificates?cursor={deep}"
    yield EVERYTHING, "/api/v1/certificates/SERIAL", f"/api/v1/certificates/{serial}"
    yield EVERYTHING, "/api/v1/certificates of a serial", f"/api/v1/certificates?serial={serial}"
    for who in (EVERYTHING, FEW):
        for query in (
            "status=revoked",
            "status=valid",
            "application=most",
            "application=few",
            "application=few&status=revoked",
            "subject=device-",
            "subject=device-a",
            "alternative_name=example",
            "alternative_name=nobody",
            "expiring_within_days=30",
            "expiring_within_days=30&status=revoked",
        ):
            yield who, "", f"/api/v1/certificates?{query}"
    yield FEW, "", "/api/v1/certificates"
    event = encode_cursor(_event_id(fleet.request_id(middle)))
    yield EVERYTHING, "/api/v1/audit deep", f"/api/v1/audit?cursor={event}"
    for query in ("kind=enrolment", "kind=certificate.revoked", "actor=few", "actor=nobody"):
        yield EVERYTHING, "", f"/api/v1/audit?{query}"
    yield EVERYTHING, "/api/v1/audit of a request", f"/api/v1/audit?request_id={fleet.request_id(middle)}"


def _certificate_id(fleet: Fleet, number: int) -> int:
    from certuary.store.models import Certificate

    return Certificate.objects.get(serial=serial_to_text(fleet.serial(number))).pk


def _event_id(request_id: str) -> int:
    from certuary.store.models import AuditEvent

    return AuditEvent.objects.filter(request_id=request_id).order_by("id")[0].pk
