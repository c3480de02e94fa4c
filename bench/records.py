"""Write many applications into a home's database: `python -m bench.records HOME COUNT`, a process of its own.

Straight through the record store, since registering them one by one would hash one password each. All have the
same password; per number there is one that may enrol, one on another network, one disabled and one expired.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from certuary.server.config import load_settings
from certuary.server.wiring import open_key_store, open_store, unlock_keys
from certuary.services.passwords import PEPPER_NAME, Passwords
from certuary.services.ports import RecordTransaction

PASSWORD = "the-same-password-for-all"
KINDS = ("usable", "elsewhere", "disabled", "expired")


def username(kind: str, number: int) -> str:
    return f"{kind}-{number:03d}"


def main(home: Path, count: int) -> None:
    settings = load_settings(home)
    role_keys = unlock_keys(settings).role_keys(("secret",))
    passwords = Passwords(open_key_store(settings, role_keys).load_secret(PEPPER_NAME))
    password_hash = passwords.hash(PASSWORD)
    with open_store(settings).records.transaction() as transaction:
        for kind in KINDS:
            for number in range(count):
                _add(transaction, kind, number, password_hash)


def _add(transaction: RecordTransaction, kind: str, number: int, password_hash: str) -> None:
    group = transaction.find("group", code="GRP_001")
    assert group is not None
    yesterday = datetime.now(UTC) - timedelta(days=1)
    transaction.create(
        "application",
        {
            "name": username(kind, number),
            "username": username(kind, number),
            "password_hash": password_hash,
            "group_id": group.id,
            "networks": ["10.0.0.0/8"] if kind == "elsewhere" else ["127.0.0.0/8"],
            "profile_ids": [],
            "labels": [],
            "subject_rule": "",
            "enabled": kind != "disabled",
            "expires_at": yesterday if kind == "expired" else None,
        },
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
