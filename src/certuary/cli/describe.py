"""Records as people see them: names in place of numbers, and no secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from certuary.services.ports import Record, RecordStore

Described = Mapping[str, object]

_HIDDEN: Final = frozenset(
    {
        "password_hash",
        "signing_key",
        "signing_certificate",
        "compromised_keys",
        "identities",
        "authenticators",
        "must_change_password",
        "certificate_der",
        "toml",
        "version_id",
        "created_at",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Names:
    groups: Mapping[object, object]
    profiles: Mapping[object, object]


def describe_all(records: RecordStore, rows: Sequence[Record]) -> list[Described]:
    names = _read_names(records)
    return [_describe(row, names) for row in rows]


def describe_one(records: RecordStore, record: Record) -> Described:
    return _describe(record, _read_names(records))


def _read_names(records: RecordStore) -> _Names:
    return _Names(
        groups={group.id: group.values["code"] for group in records.all("group")},
        profiles={profile.id: profile.values["name"] for profile in records.all("profile")},
    )


def _describe(record: Record, names: _Names) -> Described:
    described: dict[str, object] = {} if record.kind == "property" else {"id": record.id}
    for key, value in record.values.items():
        if key in _HIDDEN:
            continue
        if key == "group_id":
            described["group"] = names.groups.get(value, value)
        elif key == "profile_id":
            described["profile"] = names.profiles.get(value, value)
        elif key == "group_ids" and isinstance(value, list | tuple):
            described["groups"] = [names.groups.get(number, number) for number in value]
        elif key == "profile_ids" and isinstance(value, list | tuple):
            described["profiles"] = [names.profiles.get(number, number) for number in value]
        else:
            described[key] = value
    return described
