from __future__ import annotations

import pytest

from certuary.errors import NotAuthenticated
from certuary.services.authenticate_user import authenticate_user
from certuary.services.entitlement import Actor
from certuary.services.passwords import Passwords
from tests.memory_records import MemoryRecords
from tests.unit.services.change_fixtures import PASSWORDS, detail_of, installation, kinds_of

HASH = PASSWORDS.hash("correct horse")


class CountingPasswords(Passwords):
    def __init__(self) -> None:
        super().__init__(b"pepper")
        self.computations = 0

    def verify(self, stored_hash: str, password: str) -> bool:
        self.computations += 1
        return super().verify(stored_hash, password)


def add_user(records: MemoryRecords, *, enabled: bool = True) -> None:
    values = {
        "name": "olga",
        "role": "officer",
        "group_ids": [1, 2],
        "password_hash": HASH,
        "enabled": enabled,
    }
    records.create("user", values)


def test_the_right_password_gives_the_actor_with_role_and_groups() -> None:
    records, deps = installation()
    add_user(records)
    actor = authenticate_user("olga", "correct horse", PASSWORDS, deps)
    assert actor == Actor(name="olga", role="officer", group_ids=frozenset({1, 2}))
    assert records.audit == []


@pytest.mark.parametrize(
    ("name", "password", "enabled", "reason"),
    [
        ("nobody", "correct horse", True, "unknown user"),
        ("olga", "wrong", True, "wrong password"),
        ("olga", "wrong", False, "wrong password"),
        ("olga", "correct horse", False, "disabled user"),
    ],
)
def test_a_refusal_tells_the_caller_nothing_and_the_audit_why(
    name: str, password: str, enabled: bool, reason: str
) -> None:
    records, deps = installation()
    add_user(records, enabled=enabled)
    passwords = CountingPasswords()
    with pytest.raises(NotAuthenticated) as refusal:
        authenticate_user(name, password, passwords, deps)
    assert str(refusal.value) == "not-authenticated: valid credentials are needed"
    assert kinds_of(records) == ["user.refused"]
    assert (records.audit[0].actor, detail_of(records)) == (name, {"reason": reason})
    assert passwords.computations == 1
