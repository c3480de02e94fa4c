"""What the tests of changes share: a small installation in memory, and people with roles."""

from __future__ import annotations

import json
from typing import Any

from certuary.services.change_record import ChangeDeps
from certuary.services.entitlement import ADMINISTRATOR, AUDITOR, CA_ADMINISTRATOR, OFFICER, Actor
from certuary.services.initialise import shipped_profiles
from certuary.services.passwords import Passwords
from tests.memory_records import MARKER, FixedClock, MemoryRecords

PASSWORDS = Passwords(b"pepper")
ROOT_USER = Actor(name="root-user", role=CA_ADMINISTRATOR)
ADMIN_1 = Actor(name="admin-1", role=ADMINISTRATOR, group_ids=frozenset({1}))
OFFICER_1 = Actor(name="officer-1", role=OFFICER, group_ids=frozenset({1}))
AUDITOR_1 = Actor(name="auditor-1", role=AUDITOR, group_ids=frozenset({1}))


def installation() -> tuple[MemoryRecords, ChangeDeps]:
    """Groups 1 and 2, profiles tls-device (1) and tls-server (2), label plant."""
    records = MemoryRecords()
    for code, name in (("GRP_001", "Default"), ("GRP_002", "Plant")):
        records.create("group", {"code": code, "name": name})
    for name in ("tls-device", "tls-server"):
        toml = next(toml for toml in shipped_profiles() if f'name = "{name}"' in toml)
        records.create("profile", {"name": name, "current_version": 1, "toml": toml})
    records.create("label", {"name": "plant", "profile_id": 2})
    return records, ChangeDeps(
        records=records,
        clock=FixedClock(),
        marker=lambda: MARKER,
        request_id="r1",
        address="192.0.2.7",
    )


def detail_of(records: MemoryRecords, index: int = -1) -> dict[str, Any]:
    detail: dict[str, Any] = json.loads(records.audit[index].detail)
    return detail


def kinds_of(records: MemoryRecords) -> list[str]:
    return [event.kind for event in records.audit]
