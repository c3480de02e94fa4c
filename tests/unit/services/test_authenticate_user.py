from __future__ import annotations

import pytest

from certuary.errors import NotAuthenticated
from certuary.services.authenticate_user import authenticate_user
from certuary.services.entitlement import OFFICER, Actor
from certuary.services.manage_user import declare_key_compromised
from certuary.services.passwords import Passwords
from certuary.services.record_gate import key_of
from tests.memory_records import NOW
from tests.unit.services.change_fixtures import ROOT_USER, detail_of, installation, kinds_of
from tests.unit.services.sealing import (
    PASSWORD,
    PASSWORDS,
    gate_of,
    password_hash,
    put_user,
    seal_as_they_are,
    sealing_of,
    signing_key,
)

OLGA = Actor(name="olga", role=OFFICER, group_ids=frozenset({1, 2}))


class CountingPasswords(Passwords):
    def __init__(self) -> None:
        super().__init__(b"pepper")
        self.computations = 0

    def verify(self, stored_hash: str, password: str) -> bool:
        self.computations += 1
        return super().verify(stored_hash, password)


def test_the_right_password_gives_the_actor_with_role_and_groups_able_to_sign() -> None:
    records, deps = installation()
    put_user(records, deps, OLGA)
    signer = authenticate_user("olga", PASSWORD, PASSWORDS, gate_of(records, deps), deps)
    assert signer.actor == OLGA
    assert signer.certificate == signing_key("olga").certificate
    assert signer.key.public_key() == signing_key("olga").key.public_key()
    assert repr(signer.key) not in repr(signer)
    assert records.audit == []


@pytest.mark.parametrize(
    ("name", "password", "enabled", "reason"),
    [
        ("nobody", PASSWORD, True, "unknown user"),
        ("olga", "wrong", True, "wrong password"),
        ("olga", "wrong", False, "wrong password"),
        ("olga", PASSWORD, False, "disabled user"),
    ],
)
def test_a_refusal_tells_the_caller_nothing_and_the_audit_why(
    name: str, password: str, enabled: bool, reason: str
) -> None:
    records, deps = installation()
    put_user(records, deps, OLGA, enabled=enabled)
    passwords = CountingPasswords()
    with pytest.raises(NotAuthenticated) as refusal:
        authenticate_user(name, password, passwords, gate_of(records, deps), deps)
    assert str(refusal.value) == "not-authenticated: valid credentials are needed"
    assert kinds_of(records) == ["user.refused"]
    assert (records.audit[0].actor, detail_of(records)) == (name, {"reason": reason})
    assert passwords.computations == 1


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"role": "ca-administrator"}, "cannot be believed: role: not what 'root-user' signed"),
        ({"group_ids": [1, 2, 3]}, "cannot be believed: group_ids"),
        ({"password_hash": password_hash("another one")}, "wrong password"),
        ({"signing_key": signing_key("mallory").columns["signing_key"]}, "cannot be believed: signing_key"),
    ],
)
def test_a_user_whose_record_was_altered_does_not_sign_in(columns: dict[str, object], reason: str) -> None:
    records, deps = installation()
    user = put_user(records, deps, OLGA)
    records.update("user", user.id, columns)
    with pytest.raises(NotAuthenticated):
        authenticate_user("olga", PASSWORD, PASSWORDS, gate_of(records, deps), deps)
    assert reason in detail_of(records)["reason"]


def test_a_user_whose_password_hash_was_replaced_does_not_sign_in_with_the_intruders_password() -> None:
    records, deps = installation()
    user = put_user(records, deps, OLGA)
    records.update("user", user.id, {"password_hash": password_hash("another one")})
    with pytest.raises(NotAuthenticated, match="valid credentials"):
        authenticate_user("olga", "another one", PASSWORDS, gate_of(records, deps), deps)
    assert "cannot be believed: password_hash" in detail_of(records)["reason"]


def test_a_key_that_does_not_open_with_the_right_password_is_refused() -> None:
    records, deps = installation()
    user = put_user(records, deps, OLGA)
    other = signing_key("olga", "an older password").columns
    records.update("user", user.id, other)
    seal_as_they_are(records, sealing_of(deps), [key_of(user)])
    with pytest.raises(NotAuthenticated):
        authenticate_user("olga", PASSWORD, PASSWORDS, gate_of(records, deps), deps)
    assert detail_of(records)["reason"] == "the signing key of 'olga' does not open"


def test_a_user_whose_key_counts_as_compromised_does_not_sign_in() -> None:
    records, deps = installation()
    put_user(records, deps, OLGA)
    declare_key_compromised(ROOT_USER, "olga", NOW, deps)
    with pytest.raises(NotAuthenticated):
        authenticate_user("olga", PASSWORD, PASSWORDS, gate_of(records, deps), deps)
    assert detail_of(records)["reason"] == "the user's signing key counts as compromised"
