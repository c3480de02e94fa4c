"""Changes over the API that take two persons: kept as the portal would keep them, for another user to approve.

One table says what the portal would make each operation's change from. What is not in it is refused, not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from django.http import HttpRequest

from certuary.core.profile import Profile
from certuary.core.values import serial_from_text, serial_to_text
from certuary.errors import NotFound, SecondPersonNeeded
from certuary.portal.api.answers import KeptChange
from certuary.portal.api.grants import grants_of
from certuary.portal.api.identities import given_identity
from certuary.portal.approving import keep_for_second_person
from certuary.portal.columns import numbers, texts
from certuary.portal.deps import deps_of
from certuary.portal.people import find_group_named
from certuary.portal.signing import Content
from certuary.services.change_deps import ChangeDeps
from certuary.services.entitlement import Actor, parse_role
from certuary.services.ports import Record, RecordKind
from certuary.services.register_application import granted, granted_anew, hash_typed_password
from certuary.services.revoke import parse_reason

Kept = tuple[str, Content]


def begin(request: HttpRequest, operation: str) -> None:
    """Before an operation is run: whether what it changes could be kept."""
    request.certuary_kept = operation if operation in KEPT else ""  # type: ignore[attr-defined]  # set here


def signing_here(request: HttpRequest, signed: tuple[Actor, ChangeDeps]) -> tuple[Actor, ChangeDeps]:
    """What the operation signs with; remembered, to sign what is kept."""
    actor, deps = signed
    found = actor, replace(deps, may_ask=bool(getattr(request, "certuary_kept", "")))
    request.certuary_signed = found  # type: ignore[attr-defined]  # set here
    return found


def keep(request: HttpRequest, needed: SecondPersonNeeded, given: Mapping[str, Any]) -> dict[str, Any]:
    """The body of the 202. Raises what was needed when it cannot be kept."""
    from certuary.portal.changes import CHANGES

    operation = str(getattr(request, "certuary_kept", ""))
    if not operation:
        raise needed
    kind, content = KEPT[operation](request, **given)
    review = CHANGES[kind].review({**content, "token": ""}, request)
    actor, deps = request.certuary_signed  # type: ignore[attr-defined]  # an operation that changes has signed
    record = keep_for_second_person(kind, content, review, needed, actor, deps)
    name = str(record.values["name"])
    kept = KeptChange(
        approval=name, title=review.title, digest=review.digest, url=f"/api/v1/approvals/{name}"
    )
    return kept.model_dump()


def _new_application(request: HttpRequest, given: Any) -> Kept:
    return "application-new", {
        **_content_of_grants(request, granted_anew(grants_of(given), deps_of(request).records)),
        "name": given.name,
        "username": given.username,
        "password_hash": _hash(request, given.password),
    }


def _edit_application(request: HttpRequest, name: str, given: Any) -> Kept:
    record = _record(request, "application", name)
    return "application-edit", {
        **_content_of_grants(request, granted(grants_of(given), deps_of(request).records)),
        "id": record.id,
        "name": given.name or record.values["name"],
        "username": given.username or record.values["username"],
    }


def _rotate_application(request: HttpRequest, name: str, given: Any) -> Kept:
    record = _record(request, "application", name)
    return "application-rotate", {"id": record.id, "password_hash": _hash(request, given.password)}


def _client_certificate(request: HttpRequest, name: str, given: Any) -> Kept:
    record = _record(request, "application", name)
    return "application-client-certificate", {
        "id": record.id,
        "profile": given.profile,
        "common_name": given.common_name or name[:64],
        "dns_names": list(given.dns_names),
        "key_type": given.key_type,
    }


def _role_and_groups(request: HttpRequest, given: Any) -> Content:
    """By code, as a name may be another group's when this is approved."""
    groups = [str(find_group_named(request, text).values["code"]) for text in given.groups]
    return {"role": parse_role(given.role), "groups": groups}


def _save_profile(request: HttpRequest, given: Any) -> Kept:
    current = deps_of(request).records.find("profile", name=Profile.from_toml(given.toml).name)
    return "profile-save", {"toml": given.toml, "profile_id": None if current is None else current.id}


def _revoke(request: HttpRequest, serial: str, given: Any) -> Kept:
    text = serial_to_text(serial_from_text(serial))
    return "certificate-revoke", {"serial": text, "reason": parse_reason(given.reason)}


def _compromised(request: HttpRequest, name: str, given: Any) -> Kept:
    since = given.since.isoformat()
    return "user-compromised", {"id": _record(request, "user", name).id, "since": since}


def _identity(kind: str) -> Callable[..., Kept]:
    def build(request: HttpRequest, name: str, given: Any) -> Kept:
        identity = given_identity(request, given).to_json()
        return kind, {"id": _record(request, "user", name).id, "identity": identity}

    return build


def _of(kind: str, record_kind: RecordKind, **more: object) -> Callable[..., Kept]:
    """Of an operation that names one record, and nothing else."""

    def build(request: HttpRequest, name: str) -> Kept:
        return kind, {"id": _record(request, record_kind, name).id, **more}

    return build


KEPT: Final[Mapping[str, Callable[..., Kept]]] = {
    "create_application": _new_application,
    "patch_application": _edit_application,
    "rotate_application": _rotate_application,
    "create_client_certificate": _client_certificate,
    "disable_application": _of("application-disable", "application"),
    "enable_application": _of("application-enable", "application"),
    "delete_application": _of("application-delete", "application"),
    "revoke_certificate": _revoke,
    "create_profile_version": _save_profile,
    "create_label": lambda request, given: ("label-new", {"name": given.name, "profile": given.profile}),
    "delete_label": lambda request, name: ("label-remove", {"name": name}),
    "create_group": lambda request, given: ("group-new", {"name": given.name}),
    "patch_group": lambda request, code, given: (
        "group-rename",
        {"id": _record(request, "group", code).id, "name": given.name},
    ),
    "create_user": lambda request, given: (
        "user-new",
        {"name": given.name, **_role_and_groups(request, given)},
    ),
    "put_user_role": lambda request, name, given: (
        "user-change",
        {"id": _record(request, "user", name).id, **_role_and_groups(request, given)},
    ),
    "disable_user": _of("user-enable", "user", enabled=False),
    "enable_user": _of("user-enable", "user", enabled=True),
    "reset_user_password": _of("user-password", "user"),
    "delete_user_factors": _of("user-factors", "user"),
    "bind_user_identity": _identity("identity-bind"),
    "unbind_user_identity": _identity("identity-unbind"),
    "declare_user_compromised": _compromised,
}
"""By the operation's name. What is said of broken seals is signed in the portal."""


def _record(request: HttpRequest, kind: RecordKind, name: str) -> Record:
    found = deps_of(request).records.find(kind, **{"code" if kind == "group" else "name": name})
    if found is None:
        raise NotFound(f"there is no {kind} {name!r}")
    return found


def _hash(request: HttpRequest, password: str | None) -> str:
    return "" if password is None else hash_typed_password(password, deps_of(request).passwords).hash


def _content_of_grants(request: HttpRequest, values: Mapping[str, object]) -> Content:
    """The columns that are given, as the portal's form has them; the others stay as they are."""
    records, content = deps_of(request).records, dict[str, Any]()
    if "networks" in values:
        content["networks"] = "\n".join(texts(values["networks"]))
    if "group_id" in values:
        group = records.find("group", id=values["group_id"])
        content["group"] = "" if group is None else str(group.values["code"])
    if "profile_ids" in values:
        chosen = numbers(values["profile_ids"])
        content["profiles"] = [str(one.values["name"]) for one in records.all("profile") if one.id in chosen]
    if "labels" in values:
        content["labels"] = texts(values["labels"])
    if "subject_rule" in values:
        content["subject_rule"] = str(values["subject_rule"])
    if "expires_at" in values:
        expires_at = values["expires_at"]
        content["expires_at"] = expires_at.isoformat() if isinstance(expires_at, datetime) else ""
    return content
