"""What was done to a record, by the audit log, in words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from certuary.services.ports import StoredEvent
from certuary.services.two_persons import PREFIX
from certuary.store.audit import events_about

SWITCHES: Final = f"switch:{PREFIX}"
"""How the targets of events about the two-person rule begin."""
_WORDS: Final = {
    "user.added": "added",
    "user.changed": "changed",
    "user.refused": "sign-in refused",
    "user.recovered": "recovered by whoever holds the key store's passphrase",
    "user.adopted": "signed as it stands",
    "user.signed-in": "signed in",
    "user.signed-out": "signed out",
    "group.added": "added",
    "group.changed": "changed",
    "group.adopted": "signed as it stands",
    "approval.requested": "asked for",
    "approval.approved": "approved: the change is made",
    "approval.rejected": "rejected",
    "approval.withdrawn": "withdrawn",
    "switch.added": "switched on",
    "switch.changed": "switched",
    "switch.adopted": "signed as it stands",
    "switch.forgotten": "accepted that it is gone",
}
_COLUMNS: Final = {
    "password_hash": "password",
    "signing_key": "signing key",
    "signing_certificate": "signing certificate",
    "authenticators": "second factors",
    "must_change_password": "first password",
    "identities": "identities",
    "group_ids": "groups",
    "compromised_keys": "key compromised",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    at: datetime
    actor: str
    what: str
    address: str
    request_id: str


def history(targets: Sequence[str]) -> tuple[Happened, ...]:
    """The newest first; the audit log has the rest."""
    return tuple(_happened(event) for event in events_about(targets))


def _happened(event: StoredEvent) -> Happened:
    row = event.event
    what = _WORDS.get(row.kind, row.kind)
    more = row.target.removeprefix(SWITCHES) if row.target.startswith(SWITCHES) else _more(row.detail)
    return Happened(
        at=row.at,
        actor=row.actor or row.actor_kind,
        what=f"{what}: {more}" if more else what,
        address=row.address,
        request_id=row.request_id,
    )


def _more(text: str) -> str:
    try:
        detail = json.loads(text)
    except ValueError:
        return ""
    if not isinstance(detail, dict):
        return ""
    if "reason" in detail:
        return str(detail["reason"])
    before, after = detail.get("before"), detail.get("after")
    if not isinstance(after, dict) or not isinstance(before, dict):
        return ""
    return ", ".join(_COLUMNS.get(name, name.replace("_", " ")) for name in after)
