"""The portal in this process: its pages over a real home, a client that speaks as a browser does, and its people."""

from __future__ import annotations

import html
import itertools
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from certuary.core.audit_chain import new_stream, stream_key
from certuary.est.request import make_request_id
from certuary.keystore.file import FileKeyStore, UnlockedKeys
from certuary.server.config import Settings, load_settings
from certuary.server.portal_process import portal_deps
from certuary.server.wiring import PORTAL_ROLES, Stores, open_store
from certuary.services.audit_stream import OwnStream, open_stream
from certuary.services.authenticate_user import authenticate_user
from certuary.services.believed_records import BelievedRecords
from certuary.services.change_deps import ChangeDeps
from certuary.services.entitlement import CA_ADMINISTRATOR, Actor
from certuary.services.guarded_clock import utc_now
from certuary.services.manage_user import NewUser, add_user
from certuary.services.ports import AuditRow
from certuary.services.seal_changes import Sealing
from certuary.services.trust import AUDIT_NAME, AUDIT_ROLE, read_trust
from tests import django_process

django_process.configure()

# Django's test client can be imported only after it is configured.
from django.test import Client  # noqa: E402

if TYPE_CHECKING:
    from certuary.portal.deps import PortalDeps

Page = Any
"""What the client answers: a response with more to it, which Django's types give no public name."""

ADMIN: Final = "admin"
PASSWORD: Final = "a password for tests"
"""Of every user of these tests."""

_numbers = itertools.count(1)


class PortalClient(Client):
    """A browser at https://localhost. Forms carry the page's token, as the page's own would: `post_form`."""

    username = ""

    def __init__(self) -> None:
        super().__init__(enforce_csrf_checks=True, headers={"host": "localhost"})

    def generic(self, *arguments: Any, **options: Any) -> Any:
        options["secure"] = True
        return super().generic(*arguments, **options)

    def post_form(self, url: str, values: dict[str, Any], *, page: str = "", **options: Any) -> Any:
        """Open the page, which is the form's own URL unless it is said, then send its form."""
        return self.post_form_from(self.get(page or url), url, values, **options)

    def post_form_at(self, url: str, form_url: str, values: dict[str, Any], **options: Any) -> Any:
        """With the token of another page's form."""
        return self.post_form_from(self.get(form_url), url, values, **options)

    def post_form_from(self, page: Page, url: str, values: dict[str, Any], **options: Any) -> Any:
        token = field_of(page, "csrfmiddlewaretoken")
        headers = {"referer": f"https://localhost{url}", **options.pop("headers", {})}
        return self.post(url, {"csrfmiddlewaretoken": token, **values}, headers=headers, **options)

    def sign_in(self, username: str, password: str = PASSWORD, **options: Any) -> Any:
        self.username = username
        return self.post_form("/sign-in/", {"login": username, "password": password}, **options)

    def sign_in_then(self, username: str, url: str) -> Any:
        """With the page that was asked for before, as the link to the sign-in names it."""
        self.username = username
        return self.post_form("/sign-in/", {"login": username, "password": PASSWORD, "next": url})


@dataclass(frozen=True, slots=True, kw_only=True)
class Portal:
    home: Path
    settings: Settings
    keys: UnlockedKeys
    stores: Stores
    deps: PortalDeps

    @classmethod
    def open(cls, home: Path, keys: UnlockedKeys) -> Portal:
        settings = load_settings(home)
        django_process.configure(settings.database)
        stream = new_stream()
        secret = keys.store((AUDIT_ROLE,)).load_secret(AUDIT_NAME, role=AUDIT_ROLE)
        own = OwnStream(node="node", process="portal", stream=stream, key=stream_key(secret, stream))
        stores = open_store(settings, chain=own.new_chain)
        trust = read_trust(settings.keys_dir)
        deps = portal_deps(settings, stores, keys.store(PORTAL_ROLES), trust)
        portal = cls(home=home, settings=settings, keys=keys, stores=stores, deps=deps)
        open_stream(own, stores.streams, portal._write_event, utc_now())
        from certuary.portal import installed_deps

        installed_deps.install(deps)
        return portal

    def changes_as(self, username: str = ADMIN) -> tuple[Actor, ChangeDeps]:
        """What a service needs to make a change that this user signs."""
        before = self.deps.change_deps(request_id=make_request_id(os.urandom), address="127.0.0.1")
        gate = self.deps.gate()
        signer = authenticate_user(username, PASSWORD, self.deps.passwords, gate, before)
        sealing = Sealing(operator=self.deps.operator, high_water=self.deps.high_water, signer=signer)
        records = BelievedRecords(before.records, gate)
        return signer.actor, replace(before, sealing=sealing, records=records)

    def user_of(self, role: str, groups: tuple[str, ...]) -> str:
        """The name of a user of this role in these groups, who is added when there is none."""
        if role == CA_ADMINISTRATOR and not groups:
            return ADMIN
        name = "-".join((role, *(group.lower() for group in groups)))
        if self.stores.records.find("user", name=name) is None:
            actor, deps = self.changes_as()
            new = NewUser(name=name, role=role, groups=groups, password=PASSWORD)
            add_user(actor, new, self.deps.passwords, deps)
        return name

    def execute(self, sql: str, *parameters: str | int | bytes | None) -> None:
        """As somebody who can write to the database does it."""
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)

    def audit_kinds(self) -> list[str]:
        """Every audit event's kind, in order."""
        from certuary.store.models import AuditEvent

        return list(AuditEvent.objects.order_by("id").values_list("kind", flat=True))

    def _write_event(self, row: AuditRow) -> None:
        with self.stores.records.transaction() as transaction:
            transaction.add_audit(row)


SignIn = Callable[..., PortalClient]
Confirm = Callable[..., Any]


def unlock(home: Path) -> UnlockedKeys:
    return FileKeyStore.unlock(home / "keys")


def confirm_change(client: PortalClient, url: str, password: str = PASSWORD, **values: str) -> Any:
    """Look at Verify and Confirm, then sign what it shows."""
    page = client.get(url)
    assert page.status_code == 200, text_of(page)
    signed = {"digest": field_of(page, "digest"), "username": client.username, "password": password}
    return client.post_form(url, {**signed, **values})


def field_of(page: Page, name: str) -> str:
    """The value of a form's input."""
    for tag in re.findall(r"<input\b[^>]*>", page.content.decode()):
        if f'name="{name}"' in tag:
            found = re.search(r'value="([^"]*)"', tag)
            return html.unescape(found[1]) if found else ""
    raise AssertionError(f"no input {name!r} on the page:\n{text_of(page)}")


def text_of(page: Page) -> str:
    """What a reader sees, roughly."""
    body = re.sub(r"(?s)<(script|style|svg)\b.*?</\1>", " ", page.content.decode(errors="replace"))
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", body))).strip()


def unique(name: str) -> str:
    return f"{name}-{next(_numbers)}-{time.monotonic_ns() % 10000}"
