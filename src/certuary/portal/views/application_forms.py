"""The forms about an external application: New, Edit, Rotate; and what they say while one types."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from certuary.core.subject_rule import SubjectRule
from certuary.errors import CertuaryError, NotFound
from certuary.portal.columns import numbers, texts
from certuary.portal.deps import deps_of
from certuary.portal.forms.applications import (
    KEEP,
    TYPE,
    EditApplicationForm,
    IdentityFields,
    NewApplicationForm,
    PasswordFields,
    choices_of,
)
from certuary.portal.forms.base import PortalForm
from certuary.portal.problem import problem_page
from certuary.portal.scope import Scope, find_application
from certuary.portal.signing import PATIENCE, Content, content_of, propose
from certuary.portal.words import Understood, moment_in_words, rule_in_words, understand_networks
from certuary.services.find_record import find_group_of_property
from certuary.services.names_and_times import parse_moment
from certuary.services.ports import Record
from certuary.services.register_application import FIRST_GROUP, hash_typed_password
from certuary.services.snapshot import GROUP_PROPERTY

_PAGE: Final = "portal/applications/form.html"
_NEW: Final = "application-new"


@require_http_methods(["GET", "POST"])
def new_application(request: HttpRequest) -> HttpResponse:
    typed = content_of(request, request.GET.get("token"), _NEW)
    kept = _Kept(request, _NEW, typed)
    more = _choices(request, {})
    initial = typed or {"group": _default_group(request)}
    if request.method == "GET":
        form = NewApplicationForm(initial=initial, kept=bool(kept.hash), **more)
        return _form(request, form, "New application", "/applications/")
    form = NewApplicationForm(_posted(request, kept), kept=bool(kept.hash), **more)
    _refuse_taken(request, form, but=None)
    if form.is_valid() and "check" not in request.POST:
        return redirect(propose(request, _NEW, {**_content(form), "password_hash": kept.take()}))
    return _form(request, form, "New application", "/applications/")


@require_http_methods(["GET", "POST"])
def edit_application(request: HttpRequest, number: int) -> HttpResponse:
    try:
        record = find_application(request, number)
    except NotFound as problem:
        return problem_page(request, problem)
    typed = content_of(request, request.GET.get("token"), "application-edit")
    if typed is not None and typed["id"] != record.id:
        typed = None
    form = EditApplicationForm(
        request.POST or None, initial=typed or _initial(request, record), **_choices(request, record.values)
    )
    if request.method == "POST":
        _refuse_taken(request, form, but=record)
    if request.method == "POST" and form.is_valid() and "check" not in request.POST:
        return redirect(propose(request, "application-edit", {**_content(form), "id": record.id}))
    return _form(request, form, f"Edit {record.values['name']}", f"/applications/{record.id}/")


@require_http_methods(["GET", "POST"])
def rotate_application(request: HttpRequest, number: int) -> HttpResponse:
    try:
        record = find_application(request, number)
    except NotFound as problem:
        return problem_page(request, problem)
    typed = content_of(request, request.GET.get("token"), "application-rotate")
    if typed is not None and typed["id"] != record.id:
        typed = None
    kept = _Kept(request, f"rotate-{record.id}", typed)
    data = _posted(request, kept) if request.method == "POST" else None
    form = PasswordFields(data, kept=bool(kept.hash))
    if request.method == "POST" and form.is_valid():
        content = {"id": record.id, "password_hash": kept.take()}
        return redirect(propose(request, "application-rotate", content))
    name = record.values["name"]
    return _form(request, form, f"A new password for {name}", f"/applications/{record.id}/")


@require_POST
def understand(request: HttpRequest, field: str) -> HttpResponse:
    """What was understood of a field so far, for the page to show below it."""
    lines = _understood(field, request.POST.get(field, "")[:20_000], deps_of(request).clock.now())
    return render(request, "portal/applications/understood.html", {"lines": lines})


class _Kept:
    """The hash of a password that was typed into a form which came back: typed once is enough.

    It waits in the session, which is signed, as long as a change waits for its signature.
    """

    def __init__(self, request: HttpRequest, form: str, typed: Content | None) -> None:
        self._session = request.session
        self._key = f"typed-password:{form}"
        if request.method == "GET":
            self._session.pop(self._key, None)
            if typed is not None and typed["password_hash"]:
                self.put(str(typed["password_hash"]))
        entry = self._session.get(self._key) or {}
        is_fresh = timezone.now().timestamp() - float(entry.get("at", 0)) < PATIENCE.total_seconds()
        self.hash = str(entry["hash"]) if is_fresh and entry else ""

    def put(self, password_hash: str) -> None:
        self.hash = password_hash
        self._session[self._key] = {"hash": password_hash, "at": timezone.now().timestamp()}

    def forget(self) -> None:
        self.hash = ""
        self._session.pop(self._key, None)

    def take(self) -> str:
        taken = self.hash
        self.forget()
        return taken


def _posted(request: HttpRequest, kept: _Kept) -> Mapping[str, Any]:
    """The form's data. A good typed password has become its hash, so that no page and no table ever holds it."""
    data = request.POST.copy()
    if data.get("password_source") == TYPE and data.get("password"):
        try:
            kept.put(hash_typed_password(str(data["password"]), deps_of(request).passwords).hash)
        except CertuaryError:
            return data  # the form says what is wrong with it
        data["password_source"], data["password"] = KEEP, ""
    elif data.get("password_source") != KEEP:
        kept.forget()
    return data


def _content(form: PortalForm) -> Content:
    return {
        key: value for key, value in form.cleaned_data.items() if key not in ("password", "password_source")
    }


def _refuse_taken(request: HttpRequest, form: IdentityFields, *, but: Record | None) -> None:
    """`but` is the application that is edited, whose name and username are its own."""
    records = deps_of(request).records
    if not form.is_valid():
        return
    for column in ("name", "username"):
        found = records.find("application", **{column: form.cleaned_data[column]})
        if found is not None and (but is None or found.id != but.id):
            form.add_error(column, f"There is an application with this {column} already.")
    name = form.cleaned_data.get("name")
    if but is not None and name not in (None, but.values["name"]) and records.is_told_of("application", name):
        form.add_error("name", "An application had this name before, and events go by name. Choose another.")


def _choices(request: HttpRequest, present: Mapping[str, object]) -> dict[str, Any]:
    """What may be chosen, and what is chosen at present, be it gone."""
    records, scope = deps_of(request).records, Scope.of(request)
    groups = [group for group in records.all("group") if scope.has_group(group.id)]
    labels = choices_of(records.all("label"), "name")
    there = {name for name, _ in labels}
    gone = [label for label in texts(present.get("labels")) if label not in there]
    return {
        "groups": choices_of(groups, "code", "name"),
        "profiles": choices_of(records.all("profile"), "name"),
        "labels": [*labels, *((name, f"{name}, which is gone") for name in gone)],
        "now": deps_of(request).clock.now(),
    }


def _default_group(request: HttpRequest) -> str:
    """The one whose applications may use the address without a label, so that a new application just works."""
    records = deps_of(request).records
    chosen = records.find("property", property_key=GROUP_PROPERTY)
    try:
        group = find_group_of_property(
            records, str(chosen.values["property_value"]) if chosen else FIRST_GROUP
        )
    except NotFound:
        return FIRST_GROUP
    return str(group.values["code"])


def _initial(request: HttpRequest, record: Record) -> Content:
    records, values = deps_of(request).records, record.values
    granted, expires_at = numbers(values["profile_ids"]), values["expires_at"]
    group = records.find("group", id=values["group_id"])
    return {
        "name": values["name"],
        "username": values["username"],
        "networks": "\n".join(texts(values["networks"])),
        "group": "" if group is None else group.values["code"],
        "profiles": [profile.values["name"] for profile in records.all("profile") if profile.id in granted],
        "labels": texts(values["labels"]),
        "subject_rule": values["subject_rule"],
        "expires": expires_at.isoformat() if isinstance(expires_at, datetime) else "",
    }


def _form(request: HttpRequest, form: PortalForm, title: str, back_url: str) -> HttpResponse:
    now = deps_of(request).clock.now()
    understood = {
        name: _understood(name, str(form[name].value() or ""), now)
        for name in ("networks", "subject_rule", "expires")
        if name in form.fields
    }
    context = {"form": form, "title": title, "back_url": back_url, "understood": understood}
    return render(request, _PAGE, context)


def _understood(field: str, text: str, now: datetime) -> tuple[Understood, ...]:
    if not text.strip():
        return ()
    if field == "networks":
        return understand_networks(text)
    try:
        if field == "subject_rule":
            rule = SubjectRule.parse(" ".join(text.split()))
            return tuple(Understood(text=line, is_good=True) for line in rule_in_words(rule))
        if field == "expires":
            return (Understood(text=moment_in_words(parse_moment(text, now), now), is_good=True),)
    except CertuaryError as problem:
        return (Understood(text=problem.detail, is_good=False),)
    return ()
