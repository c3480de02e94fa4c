"""Attacks by values that no record holds, most of which cannot even be read: each database has its own."""

from __future__ import annotations

from tests.fault.attacks.attack import CHANGED, Attack
from tests.fault.attacks.scene import Ask

UNREADABLE = "it holds a value that cannot be read"
_DEEP = "[" * 3000 + "]" * 3000


def _attack(name: str, change: str, *, reason: str = UNREADABLE) -> Attack:
    return Attack(
        name=name,
        sql=f"UPDATE applications SET {change} WHERE name = 'narrow';",
        tables=("applications",),
        found={"application narrow": reason},
        asks={
            Ask(username="narrow", common_name="narrow-1"): (200, 401),
            Ask(username="quickstart"): (200, 200),
        },
    )


SQLITE = (
    _attack("SQLite: a date is replaced by octets", "created_at = x'ff'", reason=f"created_at: {CHANGED}"),
    _attack("SQLite: a version is replaced by a word", "version = 'first'"),
    _attack("SQLite: a seal is replaced by octets", "seal = x'00'"),
    _attack(
        "SQLite: a rule is no UTF-8", "subject_rule = CAST(x'ff' AS TEXT)", reason=f"subject_rule: {CHANGED}"
    ),
)
POSTGRESQL = (
    _attack("PostgreSQL: a date is at infinity", "expires_at = 'infinity'"),
    _attack("PostgreSQL: a date is before our era", "created_at = '4713-01-01 BC'"),
    _attack("PostgreSQL: a list is too deep", f"networks = '{_DEEP}'"),
)
