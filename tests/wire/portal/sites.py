"""Every URL of the portal, from its URL table, and an object of a foreign group for each that names one.

A new page enters by itself. One whose URL names an object of a kind that is not known here fails the tests until
`KINDS` says how such an object is made, or `SHARED` why every group may see it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from certuary.core.values import serial_from_text, serial_to_text
from certuary.errors import SecondPersonNeeded
from certuary.services.approvals import Wanted, ask_for_approval
from certuary.services.guarded_clock import utc_now
from certuary.services.manage_user import NewUser, add_user
from certuary.services.ports import Record
from certuary.services.register_application import Grants, NewApplication, register_application
from tests.wire.portal.pages import PASSWORD, Portal, PortalClient

FOREIGN_GROUP: Final = "GRP_002"
APPLICATION, USER, COMMON_NAME = "foreign-application", "foreign-user", "foreign-device"
FOREIGN_NAMES: Final = (APPLICATION, USER, COMMON_NAME)

SHARED: Final[Mapping[str, str]] = {
    "profile": "profiles belong to no group",
    "label": "labels belong to no group",
    "authority": "authorities belong to no group",
    "property": "properties belong to no group",
    "crl": "revocation lists are published to everybody",
    "account": "one's own account: allauth looks only among what belongs to the session's user",
    "session": "one's own sessions, as on the account page; ids of others answer 404 there",
    "mfa": "one's own second factors",
    "api": "the API has its own table of scopes",
}
"""By the first word of the URL's name: why no group owns what it names."""

CHOICES: Final[Mapping[str, object]] = {"field": "networks", "action": "disable", "form": "pem"}
"""Parameters that name no object, and a value that their pages know."""


_serials = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """`parameters` are the names of what its URL names."""

    name: str
    route: str
    parameters: tuple[str, ...]

    @property
    def subject(self) -> str:
        return re.split(r"[-_:]", self.name)[0].removesuffix("s")

    def url(self, values: Mapping[str, object]) -> str:
        from django.urls import reverse

        return reverse(self.name, kwargs={name: values[name] for name in self.parameters})

    def any_url(self) -> str:
        """An address that leads to this page, whatever it names."""
        filled = re.sub(r"\(\?P<[^>]+>([^)]*)\)", _fitting, self.route)
        filled = re.sub(r"<int:[^>]+>", "1", filled)
        return "/" + re.sub(r"<[^>]+>", "x", filled).replace("^", "").replace("$", "")

    @property
    def names_an_object(self) -> bool:
        return bool(set(self.parameters) - set(CHOICES)) and self.subject not in SHARED


def _fitting(group: re.Match[str]) -> str:
    """Something that this part of an address takes: the first of its words, a digit, or a letter."""
    first = group[1].split("|")[0]
    return first if first.isalnum() else ("1" if "0-9" in first else "x")


def names() -> set[str]:
    """Of every address; operations of the API share theirs."""
    from django.urls import get_resolver

    return {site.name for site in _sites(get_resolver().url_patterns, "", "", ())}


def sites() -> tuple[Site, ...]:
    """Of two names for one address the first: Django, too, takes the first that fits."""
    from django.urls import get_resolver

    found: dict[str, Site] = {}
    for site in _sites(get_resolver().url_patterns, "", "", ()):
        found.setdefault(site.route, site)
    return tuple(found.values())


def _sites(patterns: Any, prefix: str, space: str, outer: tuple[str, ...]) -> Iterator[Site]:
    from django.urls import URLResolver

    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        parameters = (*outer, *pattern.pattern.regex.groupindex)
        if isinstance(pattern, URLResolver):
            inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
            yield from _sites(pattern.url_patterns, route, inner, parameters)
        else:
            yield Site(name=space + (pattern.name or ""), route=route, parameters=parameters)


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """What group GRP_002 has, for people of GRP_001 to ask for."""

    application: Record
    user: Record
    group: Record
    certificate: Mapping[str, object]
    pending_token: str
    event: Mapping[str, object]
    approval: Record

    def values(self, site: Site) -> Mapping[str, object] | None:
        """What that page's URL is made of, None where this kind of object is not known."""
        make = KINDS.get(site.subject)
        return None if make is None else {**CHOICES, **make(self)}


def make_foreign(portal: Portal) -> Foreign:
    actor, deps = portal.changes_as()
    grants = Grants(group=FOREIGN_GROUP)
    request = NewApplication(name=APPLICATION, username=APPLICATION, password=PASSWORD, grants=grants)
    application = register_application(actor, request, portal.deps.passwords, deps).record
    new = NewUser(name=USER, role="officer", groups=(FOREIGN_GROUP,), password=PASSWORD)
    user = add_user(actor, new, portal.deps.passwords, deps).record
    group = portal.stores.records.find("group", code=FOREIGN_GROUP)
    assert group is not None
    other = PortalClient()
    other.sign_in("admin")
    token = other.post_form("/groups/new/", {"name": "Waiting"}).url.split("/")[2]
    return Foreign(
        application=application,
        user=user,
        group=group,
        certificate=add_certificate(portal, application),
        pending_token=token,
        event=_event_about(application),
        approval=_approval_about(portal, group),
    )


def _approval_about(portal: Portal, group: Record) -> Record:
    """Somebody asks for a change of an application of that group."""
    actor, deps = portal.changes_as()
    wanted = Wanted(change="application-new", title=f"A new {APPLICATION}", content="{}", shown="[]")
    assert isinstance(group.id, int)
    needed = SecondPersonNeeded("two", kind="application", group_ids=(group.id,), least_role="administrator")
    return ask_for_approval(actor, wanted, needed, deps)


def _event_about(application: Record) -> Mapping[str, object]:
    from certuary.store.models import AuditEvent

    event = AuditEvent.objects.filter(target=f"application:{application.values['name']}").first()
    assert event is not None
    return {"id": event.pk, "pk": event.pk, "number": event.pk, "request_id": event.request_id}


def add_certificate(
    portal: Portal, application: Record, subject: str = f"CN={COMMON_NAME}", names: str = "DNS:foreign-device"
) -> Mapping[str, object]:
    """A row as an enrolment of this application writes it; its octets are the listener's certificate."""
    from certuary.store.models import Certificate

    stored = Certificate.objects.order_by("id").first()
    assert stored is not None
    template = portal.stores.reader.by_serial(stored.authority_id, serial_from_text(stored.serial))
    assert template is not None
    assert isinstance(application.id, int)
    row = replace(
        template,
        id=None,
        serial=template.serial ^ next(_serials),
        application_id=application.id,
        subject=subject,
        subject_key=subject.lower(),
        alternative_names=names,
        source="est",
        marker=portal.deps.marker,
    )
    with portal.stores.records.transaction() as transaction:
        transaction.add_certificate(row)
    saved = Certificate.objects.order_by("-id").first()
    assert saved is not None
    return {"id": saved.pk, "serial": serial_to_text(row.serial), "authority_id": row.authority_id}


def _record(record: Record, **more: object) -> Mapping[str, object]:
    name = record.values.get("name")
    same: dict[str, object] = dict.fromkeys(
        ("id", "pk", "number", f"{record.kind}_id", record.kind), record.id
    )
    return {**same, "name": name, "kind": record.kind, "record_id": record.id, **more}


def _certificate(foreign: Foreign) -> Mapping[str, object]:
    row = foreign.certificate
    keys = ("id", "pk", "number", "certificate_id", "certificate")
    same = dict.fromkeys(keys, row["id"])
    return {**same, "serial": row["serial"], "authority": row["authority_id"], "form": "pem"}


def _event(foreign: Foreign) -> Mapping[str, object]:
    from certuary.store.models import AuditEvent

    return {"number": AuditEvent.objects.get(target=f"application:{foreign.application.values['name']}").pk}


def _refusal(foreign: Foreign) -> Mapping[str, object]:
    from certuary.store.models import Enrolment

    request_id = "f" * 32
    if not Enrolment.objects.filter(request_id=request_id).exists():
        Enrolment.objects.create(
            request_id=request_id,
            at=utc_now(),
            operation="simpleenroll",
            outcome="refused",
            reason="subject-refused",
            application_id=foreign.application.id,
            label="",
            address="192.0.2.1",
        )
    return {"request_id": request_id}


KINDS: Final[Mapping[str, Callable[[Foreign], Mapping[str, object]]]] = {
    "application": lambda foreign: _record(foreign.application),
    "user": lambda foreign: _record(foreign.user),
    "group": lambda foreign: _record(foreign.group, code=foreign.group.values["code"]),
    "certificate": _certificate,
    "refusal": _refusal,
    "seal": lambda foreign: _record(foreign.application),
    "audit": _event,
    "confirm": lambda foreign: {"token": foreign.pending_token},
    "approval": lambda foreign: _record(foreign.approval),
}
