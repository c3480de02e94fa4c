"""What somebody can do to sealed rows who can write to the database and cannot reach the keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from certuary.services.change_deps import ChangeDeps
from certuary.services.change_record import change_records
from certuary.services.ports import ManifestPartRow, ManifestRow, Record, RecordKind
from certuary.services.record_gate import Key
from tests.memory_records import MemoryRecords
from tests.unit.services.change_fixtures import ADMIN_1, ROOT_USER, installation
from tests.unit.services.sealing import put_user, signed_by

LINE_1: Final = Key("application", 1)
LINE_2: Final = Key("application", 2)


def application_values(name: str) -> dict[str, object]:
    return {
        "name": name,
        "username": name,
        "password_hash": f"$argon2id${name}",
        "group_id": 1,
        "networks": ["192.0.2.0/24"],
        "profile_ids": [],
        "labels": [],
        "subject_rule": "",
        "enabled": True,
        "expires_at": None,
    }


@dataclass(slots=True)
class Victim:
    """An installation with applications line-1 and line-2, and what its rows were before line-1's last change."""

    records: MemoryRecords
    deps: ChangeDeps
    old_rows: dict[tuple[RecordKind, int | str], Record] = field(default_factory=dict)
    old_head: ManifestRow | None = None
    old_parts: dict[tuple[str, int], tuple[int, ManifestPartRow]] = field(default_factory=dict)

    def row(self, key: Key) -> Record:
        return self.records.rows[key]

    def set(self, key: Key, **changes: Any) -> None:
        self.records.rows[key] = replace(self.row(key), **changes)

    def set_column(self, key: Key, **columns: object) -> None:
        self.set(key, values={**self.row(key).values, **columns})

    def set_part(self, name: tuple[str, int], old: str, new: str) -> None:
        revision, part = self.records.parts[name]
        assert old in part.body
        self.records.parts[name] = revision, replace(part, body=part.body.replace(old, new))


def victim() -> Victim:
    records, deps = installation()
    put_user(records, deps, ADMIN_1)
    with change_records(ROOT_USER, deps) as changes:
        line_1 = changes.create("application", application_values("line-1"))
        changes.create("application", application_values("line-2"))
    made = Victim(records, deps, dict(records.rows), records.head, dict(records.parts))
    with change_records(ADMIN_1, signed_by(ADMIN_1, deps)) as changes:
        changes.update(line_1, {"networks": ["10.0.0.0/8"]})
    records.audit.clear()
    return made


@dataclass(frozen=True, slots=True)
class Attack:
    """`broken` are the records that are not believed any more, each with a part of the reason."""

    name: str
    do: Callable[[Victim], None]
    broken: dict[Key, str]
    quiet: bool = True
    """Whether the rows keep their revisions."""


def _delete(at: Victim) -> None:
    del at.records.rows[LINE_1]


def _retire(at: Victim) -> None:
    at.records.gone[LINE_1] = replace(at.records.rows.pop(LINE_1), removed_at=at.deps.clock.now())


def _insert(at: Victim, **changes: Any) -> None:
    row = replace(at.row(LINE_1), id=3, **changes)
    values = {**row.values, "name": "line-3", "username": "line-3"}
    at.records.rows["application", 3] = replace(row, values=values)


def _swap(at: Victim) -> None:
    one, two = at.row(LINE_1), at.row(LINE_2)
    at.records.rows[LINE_1], at.records.rows[LINE_2] = replace(two, id=1), replace(one, id=2)


def _swap_seals(at: Victim) -> None:
    one, two = at.row(LINE_1), at.row(LINE_2)
    at.set(LINE_1, seal=two.seal, version=two.version)
    at.set(LINE_2, seal=one.seal, version=one.version)


ATTACKS: Final = (
    Attack(
        "an altered column",
        lambda at: at.set_column(LINE_1, password_hash="$argon2id$mallory"),
        {LINE_1: "password_hash: not what 'admin-1' signed on 2026-11-23T12:00:00Z"},
    ),
    Attack(
        "two altered columns",
        lambda at: at.set_column(LINE_1, enabled=False, group_id=2),
        {LINE_1: "group_id, enabled: not what"},
    ),
    Attack(
        "an altered group",
        lambda at: at.set_column(Key("group", 1), name="Mine"),
        {Key("group", 1): "name: not what 'root-user' signed"},
    ),
    Attack(
        "an altered profile",
        lambda at: at.set_column(Key("profile", 1), toml="anything = true"),
        {Key("profile", 1): "toml: not what 'root-user' signed"},
    ),
    Attack(
        "a label that selects another profile",
        lambda at: at.set_column(Key("label", 1), profile_id=1),
        {Key("label", 1): "profile_id: not what"},
    ),
    Attack("an inserted row with a copied seal", _insert, {Key("application", 3): "nobody signed it"}),
    Attack(
        "an inserted row without a seal",
        lambda at: _insert(at, seal="", version=0),
        {Key("application", 3): "nobody signed it"},
    ),
    Attack(
        "an older row with its seal",
        lambda at: at.records.rows.update({LINE_1: at.old_rows[LINE_1]}),
        {LINE_1: "an older row was put back: it is version 1, and version 2 is the newest"},
    ),
    Attack(
        "an older row under the newest version",
        lambda at: at.records.rows.update({LINE_1: replace(at.old_rows[LINE_1], version=2)}),
        {LINE_1: "its seal is not the one that 'root-user' signed"},
    ),
    Attack(
        "a version that nobody signed",
        lambda at: at.set(LINE_1, version=9),
        {LINE_1: "its version 9 was never signed; 2 was"},
    ),
    Attack("a removed seal", lambda at: at.set(LINE_1, seal=""), {LINE_1: "its seal was removed"}),
    Attack("a damaged seal", lambda at: at.set(LINE_1, seal="{"), {LINE_1: "its seal cannot be read"}),
    Attack(
        "two rows swapped",
        _swap,
        {LINE_1: "an older row was put back", LINE_2: "its version 2 was never signed"},
    ),
    Attack(
        "two seals swapped",
        _swap_seals,
        {LINE_1: "an older row was put back", LINE_2: "its version 2 was never signed"},
    ),
    Attack("a deleted row", _delete, {LINE_1: "its row is gone"}),
    Attack("a row marked as removed", _retire, {LINE_1: "its row is gone"}),
    Attack(
        "a part of the manifest altered",
        lambda at: at.set_part(("application", 0), "line-2", "line-9"),
        {LINE_1: "its part of the manifest was altered", LINE_2: "its part of the manifest was altered"},
    ),
    Attack(
        "an older part of the manifest",
        lambda at: at.records.parts.update({Key("application", 0): at.old_parts["application", 0]}),
        {LINE_1: "its part of the manifest was altered", LINE_2: "its part of the manifest was altered"},
    ),
    Attack(
        "a part of the manifest deleted",
        lambda at: at.records.parts.pop(("application", 0)) and None,
        {LINE_1: "its part of the manifest was altered", LINE_2: "its part of the manifest was altered"},
    ),
)
"""Those that leave the head of the manifest."""


def _roll_back(at: Victim) -> None:
    at.records.rows, at.records.head, at.records.parts = at.old_rows, at.old_head, at.old_parts


def _alter_head(at: Victim) -> None:
    assert at.records.head is not None
    body = at.records.head.body.replace('"sequence":', '"sequence":1')
    at.records.head = replace(at.records.head, body=body)


def _delete_head(at: Victim) -> None:
    at.records.head = None


@dataclass(frozen=True, slots=True)
class HeadAttack:
    """After it nothing at all is believed, and `reason` is why."""

    name: str
    do: Callable[[Victim], None]
    reason: str


HEAD_ATTACKS: Final = (
    HeadAttack("everything set back", _roll_back, "the records were set back: their manifest is number"),
    HeadAttack("an altered manifest", _alter_head, "the manifest was not signed by this installation"),
    HeadAttack("a deleted manifest", _delete_head, "the database holds no manifest"),
)
