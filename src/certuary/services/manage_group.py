"""Add groups and labels: what applications are gathered by, and the path segments that select a profile."""

from __future__ import annotations

import re
from typing import Final

from certuary.core.est import check_label
from certuary.services.change_deps import ChangeDeps
from certuary.services.change_record import change_records
from certuary.services.entitlement import Actor
from certuary.services.find_record import find_group, find_named, find_profile
from certuary.services.names_and_times import checked_name
from certuary.services.ports import Record, RecordStore

_CODE: Final = re.compile(r"GRP_(\d+)")


def add_group(actor: Actor, name: str, deps: ChangeDeps) -> Record:
    """Its code is the next free one after GRP_001."""
    values = {"code": _next_code(deps.records), "name": checked_name(name, "a group")}
    with change_records(actor, deps) as changes:
        return changes.create("group", values)


def rename_group(actor: Actor, code: str, name: str, deps: ChangeDeps) -> Record:
    """Its code stays, and so does what points at it."""
    group = find_group(deps.records, code)
    with change_records(actor, deps) as changes:
        return changes.update(group, {"name": checked_name(name, "a group")})


def add_label(actor: Actor, name: str, profile: str, deps: ChangeDeps) -> Record:
    values = {"name": check_label(name), "profile_id": find_profile(deps.records, profile).id}
    with change_records(actor, deps) as changes:
        return changes.create("label", values)


def remove_label(actor: Actor, name: str, deps: ChangeDeps) -> None:
    """Its path answers 404 from then on; applications keep it among their labels, to no effect."""
    label = find_named(deps.records, "label", name)
    with change_records(actor, deps) as changes:
        changes.retire(label)


def _next_code(records: RecordStore) -> str:
    numbers = [
        int(match[1])
        for group in records.all("group")
        if (match := _CODE.fullmatch(str(group.values["code"])))
    ]
    return f"GRP_{max(numbers, default=0) + 1:03d}"
