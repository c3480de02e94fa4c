"""The left navigation: the product's own words, in their order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from django.http import HttpRequest
from django.urls import Resolver404, resolve

from certuary.portal.access import rule_of
from certuary.portal.approving import URL as APPROVALS
from certuary.portal.approving import count_to_decide


@dataclass(frozen=True, slots=True)
class Entry:
    title: str
    url: str
    icon: str = ""
    children: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    title: str
    url: str
    icon: str
    active: bool
    children: tuple[Shown, ...] = field(default_factory=tuple)
    count: int = 0
    """How many of what is behind it wait for the user."""


ENTRIES: Final = (
    Entry("Dashboard", "/", "layout-dashboard"),
    Entry("Certificates", "/certificates/", "certificate"),
    Entry("Approvals", APPROVALS, "checkbox"),
    Entry("CA hierarchy", "/authorities/", "hierarchy-2"),
    Entry(
        "Manage Profiles",
        "/profiles/",
        "template",
        (Entry("Profiles", "/profiles/"), Entry("Labels", "/labels/")),
    ),
    Entry(
        "Manage Users & Roles",
        "/users/",
        "users",
        (
            Entry("Users", "/users/"),
            Entry("Groups", "/groups/"),
            Entry("Security switches", "/switches/"),
        ),
    ),
    Entry(
        "Application Settings",
        "/applications/",
        "settings",
        (
            Entry("External Applications", "/applications/"),
            Entry("Properties", "/properties/"),
            Entry("Why was I refused?", "/refusals/"),
        ),
    ),
    Entry("Audit log", "/audit/", "file-text"),
)


def navigation(request: HttpRequest) -> tuple[Shown, ...]:
    """What the user's role opens; an entry whose page does not exist, or is not theirs, is not shown."""
    role = getattr(request.user, "role", "")
    shown = (_shown(entry, request.path) for entry in ENTRIES if _opens(entry.url, role))
    return tuple(
        replace(entry, count=count_to_decide(request)) if entry.url == APPROVALS else entry for entry in shown
    )


def _shown(entry: Entry, path: str) -> Shown:
    children = tuple(_shown(child, path) for child in entry.children)
    own = path == entry.url or (entry.url != "/" and path.startswith(entry.url))
    return Shown(
        title=entry.title,
        url=entry.url,
        icon=entry.icon,
        active=own or any(child.active for child in children),
        children=children,
    )


def _opens(url: str, role: str) -> bool:
    try:
        rule = rule_of(resolve(url).view_name)
    except Resolver404:
        return False
    return rule is not None and rule(role)
