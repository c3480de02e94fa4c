"""What the tests of changes share: a small installation in memory, and people with roles."""

from __future__ import annotations

import json
from typing import Any

from certuary.services.change_deps import ChangeDeps
from certuary.services.entitlement import ADMINISTRATOR, AUDITOR, OFFICER, Actor
from certuary.services.initialise import shipped_profiles
from certuary.services.record_gate import key_of
from tests.memory_records import MARKER, FixedClock, MemoryRecords
from tests.unit.services.sealing import PASSWORDS, ROOT_USER, new_sealing, seal_as_they_are

__all__ = [
    "ADMIN_1",
    "AUDITOR_1",
    "OFFICER_1",
    "PASSWORDS",
    "ROOT_USER",
    "detail_of",
    "installation",
    "kinds_of",
]

ADMIN_1 = Actor(name="admin-1", role=ADMINISTRATOR, group_ids=frozenset({1}))
OFFICER_1 = Actor(name="officer-1", role=OFFICER, group_ids=frozenset({1}))
AUDITOR_1 = Actor(name="auditor-1", role=AUDITOR, group_ids=frozenset({1}))


def installation() -> tuple[MemoryRecords, ChangeDeps]:
    """Groups 1 and 2, profiles tls-device (1) and tls-server (2), label plant; all signed by the root user, who signs
    what changes, too."""
    records = MemoryRecords()
    for code, name in (("GRP_001", "Default"), ("GRP_002", "Plant")):
        records.create("group", {"code": code, "name": name})
    for name in ("tls-device", "tls-server"):
        toml = next(toml for toml in shipped_profiles() if f'name = "{name}"' in toml)
        records.create("profile", {"name": name, "current_version": 1, "toml": toml})
    records.create("label", {"name": "plant", "profile_id": 2})
    sealing = new_sealing()
    seal_as_they_are(records, sealing, map(key_of, records.rows.values()))
    deps = ChangeDeps(
        records=records,
        clock=FixedClock(),
        marker=lambda: MARKER,
        request_id="r1",
        address="192.0.2.7",
        sealing=sealing,
    )
    return records, deps


def detail_of(records: MemoryRecords, index: int = -1) -> dict[str, Any]:
    detail: dict[str, Any] = json.loads(records.audit[index].detail)
    return detail


def kinds_of(records: MemoryRecords) -> list[str]:
    return [event.kind for event in records.audit]
