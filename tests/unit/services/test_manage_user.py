from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from certuary.core import seal as seals
from certuary.errors import Conflict, InvalidSeal, InvalidValue, NotAuthenticated, NotFound, NotPermitted
from certuary.services.authenticate_user import authenticate_user
from certuary.services.change_deps import ChangeDeps
from certuary.services.change_record import change_records
from certuary.services.entitlement import Actor
from certuary.services.manage_user import (
    NewUser,
    UserSaved,
    add_user,
    change_authenticators,
    change_user,
    declare_key_compromised,
    recover_user,
    remove_authenticators,
    set_user_enabled,
    set_user_password,
)
from certuary.services.passwords import Passwords
from certuary.services.ports import RecordTransaction
from certuary.services.record_gate import Key
from tests.memory_records import NOW, FixedClock, MemoryRecords
from tests.unit.services.attacks import LINE_1, LINE_2, Victim, victim
from tests.unit.services.change_fixtures import (
    ADMIN_1,
    AUDITOR_1,
    OFFICER_1,
    PASSWORDS,
    ROOT_USER,
    installation,
    kinds_of,
)
from tests.unit.services.sealing import (
    PASSWORD,
    gate_of,
    operator,
    put_user,
    sealing_of,
    signed_by,
    signer,
)

ADMIN_ROW = Key("user", 1)


def new(name: str = "olga", role: str = "officer", groups: tuple[str, ...] = ("GRP_001",)) -> NewUser:
    return NewUser(name=name, role=role, groups=groups, password=None)


def test_a_new_user_has_role_groups_and_a_password_shown_once() -> None:
    _, deps = installation()
    saved = add_user(ROOT_USER, new(groups=("GRP_001", "Plant", "GRP_001")), PASSWORDS, deps)
    assert saved.record.values["role"] == "officer"
    assert saved.record.values["group_ids"] == [1, 2]
    assert saved.generated_password is not None
    assert PASSWORDS.verify(str(saved.record.values["password_hash"]), saved.generated_password)
    assert saved.generated_password not in repr(saved)


def test_a_new_user_can_sign_in_and_sign() -> None:
    records, deps = installation()
    saved = add_user(ROOT_USER, new(), PASSWORDS, deps)
    assert saved.generated_password is not None
    gate = gate_of(records, deps)
    signed_in = authenticate_user("olga", saved.generated_password, PASSWORDS, gate, deps)
    assert signed_in.certificate == b64decode(str(saved.record.values["signing_certificate"]))
    assert records.audit[0].detail.count("(secret)") == 2


def test_a_brought_password_is_not_shown() -> None:
    _, deps = installation()
    request = NewUser(name="olga", role="CA Administrator", groups=(), password="brought along")
    saved = add_user(ROOT_USER, request, PASSWORDS, deps)
    assert saved.generated_password is None
    assert saved.record.values["role"] == "ca-administrator"


@pytest.mark.parametrize("role", ["administrator", "officer"])
def test_a_user_of_these_roles_needs_a_group(role: str) -> None:
    _, deps = installation()
    with pytest.raises(InvalidValue, match="--group"):
        add_user(ROOT_USER, new(role=role, groups=()), PASSWORDS, deps)


def test_an_auditor_without_groups_who_reads_everything_is_made_by_a_ca_administrator_alone() -> None:
    records, deps = installation()
    limited = Actor(name="paul", role="administrator", group_ids=frozenset({1}))
    with pytest.raises(NotPermitted):
        add_user(limited, new(role="auditor", groups=()), PASSWORDS, deps)
    saved = add_user(ROOT_USER, new(role="auditor", groups=()), PASSWORDS, deps)
    assert saved.record.values["group_ids"] == []
    assert records.find("user", id=saved.record.id) is not None


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (new(role="boss"), InvalidValue),
        (new(name="a/b"), InvalidValue),
        (new(groups=("GRP_009",)), NotFound),
        (NewUser(name="o", role="officer", groups=("1",), password="short"), InvalidValue),
    ],
)
def test_a_user_that_cannot_be_is_refused(request_: NewUser, problem: type[Exception]) -> None:
    records, deps = installation()
    with pytest.raises(problem):
        add_user(ROOT_USER, request_, PASSWORDS, deps)
    assert records.all("user") == ()


def test_an_administrator_adds_officers_and_no_administrators() -> None:
    records, deps = installation()
    deps = signed_by(ADMIN_1, deps)
    saved = add_user(ADMIN_1, new(), PASSWORDS, deps)
    assert gate_of(records, deps).check(records.rows["user", saved.record.id]).signer == "admin-1"
    with pytest.raises(NotPermitted):
        add_user(ADMIN_1, new(name="adam", role="administrator"), PASSWORDS, deps)
    assert [user.values["name"] for user in records.all("user")] == ["olga"]


def test_the_last_enabled_ca_administrator_is_not_disabled() -> None:
    _, deps = installation()
    for name in ("one", "two"):
        add_user(ROOT_USER, new(name=name, role="ca-administrator", groups=()), PASSWORDS, deps)
    assert set_user_enabled(ROOT_USER, "one", enabled=False, deps=deps).values["enabled"] is False
    with pytest.raises(Conflict, match="two is the last"):
        set_user_enabled(ROOT_USER, "two", enabled=False, deps=deps)
    assert set_user_enabled(ROOT_USER, "two", enabled=True, deps=deps).values["enabled"] is True
    assert set_user_enabled(ROOT_USER, "one", enabled=True, deps=deps).values["enabled"] is True
    set_user_enabled(ROOT_USER, "two", enabled=False, deps=deps)


def test_everybody_gives_themselves_a_new_password() -> None:
    records, deps = installation()
    put_user(records, deps, AUDITOR_1)
    own = signed_by(AUDITOR_1, deps)
    made_up = set_user_password(AUDITOR_1, "auditor-1", None, PASSWORDS, own)
    assert made_up.generated_password is not None
    chosen = set_user_password(AUDITOR_1, "auditor-1", "a better one", PASSWORDS, own)
    assert chosen.generated_password is None
    assert PASSWORDS.verify(str(chosen.record.values["password_hash"]), "a better one")
    assert kinds_of(records) == ["user.changed", "user.changed"]


def test_ones_own_new_password_keeps_the_key_and_what_it_signed() -> None:
    at = victim()
    before = at.row(ADMIN_ROW).values
    set_user_password(ADMIN_1, "admin-1", "a better one", PASSWORDS, signed_by(ADMIN_1, at.deps))
    after = at.row(ADMIN_ROW).values
    assert after["signing_certificate"] == before["signing_certificate"]
    assert after["signing_key"] != before["signing_key"]
    gate = gate_of(at.records, at.deps)
    assert gate.check(at.row(LINE_1)).signer == "admin-1"
    assert gate.check(at.row(ADMIN_ROW)).signer == "admin-1"
    signed_in = authenticate_user("admin-1", "a better one", PASSWORDS, gate, at.deps)
    assert signed_in.certificate == signer(ADMIN_1).certificate
    with pytest.raises(NotAuthenticated):
        authenticate_user("admin-1", PASSWORD, PASSWORDS, gate, at.deps)


def test_a_reset_by_a_ca_administrator_makes_a_new_key_and_voids_nothing() -> None:
    at = victim()
    before = at.row(ADMIN_ROW).values
    saved = set_user_password(ROOT_USER, "admin-1", "given to her", PASSWORDS, at.deps)
    assert saved.record.values["signing_certificate"] != before["signing_certificate"]
    gate = gate_of(at.records, at.deps)
    assert gate.check(at.row(ADMIN_ROW)).signer == "root-user"
    assert gate.check(at.row(LINE_1)).signer == "admin-1"
    authenticate_user("admin-1", "given to her", PASSWORDS, gate, at.deps)


@pytest.mark.parametrize("actor", [ADMIN_1, AUDITOR_1], ids=lambda actor: actor.role)
def test_nobody_but_a_ca_administrator_gives_another_a_new_password(actor: Actor) -> None:
    records, deps = installation()
    put_user(records, deps, OFFICER_1)
    before = dict(records.rows)
    with pytest.raises(NotPermitted, match="takes a CA Administrator"):
        set_user_password(actor, "officer-1", None, PASSWORDS, signed_by(actor, deps))
    assert records.rows == before
    assert kinds_of(records) == ["change.refused"]


def test_a_user_who_is_disabled_has_signed_what_was_signed() -> None:
    at = victim()
    set_user_enabled(ROOT_USER, "admin-1", enabled=False, deps=at.deps)
    gate = gate_of(at.records, at.deps)
    assert gate.check(at.row(LINE_1)).signer == "admin-1"
    with pytest.raises(NotAuthenticated):
        authenticate_user("admin-1", PASSWORD, PASSWORDS, gate, at.deps)


def a_minute_later(deps: ChangeDeps) -> ChangeDeps:
    return replace(deps, clock=FixedClock(NOW + timedelta(minutes=1)))


@pytest.mark.parametrize(("seconds", "is_void"), [(-1, True), (0, True), (1, False)])
def test_what_a_compromised_key_signed_is_listed_void_or_not(seconds: int, is_void: bool) -> None:
    at = victim()
    since = NOW + timedelta(seconds=seconds)
    (signed,) = declare_key_compromised(ROOT_USER, "admin-1", since, a_minute_later(at.deps))
    assert (signed.kind, signed.name, signed.at, signed.is_void) == ("application", "line-1", NOW, is_void)
    fingerprint = seals.fingerprint(signer(ADMIN_1).certificate)
    assert at.row(ADMIN_ROW).values["compromised_keys"] == {fingerprint: seals.moment_text(since)}


def test_no_key_is_compromised_in_the_future() -> None:
    at = victim()
    with pytest.raises(InvalidValue, match="in the future"):
        declare_key_compromised(ROOT_USER, "admin-1", NOW + timedelta(seconds=1), at.deps)
    assert not at.row(ADMIN_ROW).values["compromised_keys"]


def test_a_key_declared_compromised_twice_counts_from_the_last_word() -> None:
    at = victim()
    deps = a_minute_later(at.deps)
    declare_key_compromised(ROOT_USER, "admin-1", NOW + timedelta(seconds=1), deps)
    gate_of(at.records, deps).check(at.row(LINE_1))
    declare_key_compromised(ROOT_USER, "admin-1", NOW - timedelta(days=1), deps)
    with pytest.raises(InvalidSeal, match="compromised"):
        gate_of(at.records, at.deps).check(at.row(LINE_1))


def test_after_a_compromise_a_reset_gives_a_key_that_counts() -> None:
    at = victim()
    declare_key_compromised(ROOT_USER, "admin-1", NOW, at.deps)
    set_user_password(ROOT_USER, "admin-1", "given to her", PASSWORDS, at.deps)
    gate = gate_of(at.records, at.deps)
    signed_in = authenticate_user("admin-1", "given to her", PASSWORDS, gate, at.deps)
    sealing = replace(sealing_of(at.deps), signer=signed_in)
    with change_records(ADMIN_1, replace(at.deps, sealing=sealing)) as changes:
        changes.update(at.row(LINE_2), {"enabled": False})
    gate = gate_of(at.records, at.deps)
    gate.check(at.row(LINE_2))
    with pytest.raises(InvalidSeal, match="compromised"):
        gate.check(at.row(LINE_1))


def test_nobody_declares_the_own_key_compromised() -> None:
    records, deps = installation()
    put_user(records, deps, ROOT_USER)
    with pytest.raises(Conflict, match="another CA Administrator"):
        declare_key_compromised(ROOT_USER, "root-user", NOW, deps)


def test_an_administrator_declares_no_key_compromised() -> None:
    at = victim()
    put_user(at.records, at.deps, OFFICER_1)
    with pytest.raises(NotPermitted):
        declare_key_compromised(ADMIN_1, "officer-1", NOW, signed_by(ADMIN_1, at.deps))


def recover(at: Victim, name: str, password: str | None = None) -> UserSaved:
    """Nobody has signed in: what is needed is what the key store's passphrase opens."""
    deps = replace(at.deps, sealing=None)
    return recover_user(name, password, PASSWORDS, operator(), sealing_of(at.deps).high_water, deps)


def test_a_user_is_recovered_without_anybody_signing_in() -> None:
    at = victim()
    set_user_enabled(ROOT_USER, "admin-1", enabled=False, deps=at.deps)
    at.records.audit.clear()
    change_authenticators(Actor(name="admin-1", role="ca-administrator"), lambda: ("lost",), at.deps)
    saved = recover(at, "admin-1")
    assert saved.record.values["authenticators"] == []
    assert at.records.dropped_authenticators == [saved.record.id]
    assert saved.generated_password is not None
    gate = gate_of(at.records, at.deps)
    signed_in = authenticate_user("admin-1", saved.generated_password, PASSWORDS, gate, at.deps)
    assert signed_in.actor == ADMIN_1
    event = at.records.audit[-1]
    assert (event.kind, event.actor_kind, event.actor) == ("user.recovered", "system", "key store")
    assert saved.generated_password not in event.detail
    assert "argon2id" not in event.detail


def test_a_user_whose_record_was_altered_is_recovered_as_it_stands() -> None:
    at = victim()
    at.set_column(ADMIN_ROW, password_hash="$argon2id$mallory")
    saved = recover(at, "admin-1", "a better one")
    assert saved.generated_password is None
    gate = gate_of(at.records, at.deps)
    authenticate_user("admin-1", "a better one", PASSWORDS, gate, at.deps)


def test_nobody_is_recovered_who_is_not_there_or_with_a_password_that_is_none() -> None:
    at = victim()
    with pytest.raises(NotFound):
        recover(at, "nobody")
    with pytest.raises(InvalidValue):
        recover(at, "admin-1", "short")


def with_one_and_two() -> tuple[MemoryRecords, ChangeDeps]:
    records, deps = installation()
    for name in ("one", "two"):
        add_user(ROOT_USER, new(name=name, role="ca-administrator", groups=()), PASSWORDS, deps)
    return records, deps


def test_role_and_groups_are_changed_together() -> None:
    _, deps = installation()
    add_user(ROOT_USER, new(), PASSWORDS, deps)
    changed = change_user(ROOT_USER, "olga", role="Auditor", groups=("GRP_002", "Plant"), deps=deps)
    assert (changed.values["role"], changed.values["group_ids"]) == ("auditor", [2])


def test_nobody_changes_their_own_role() -> None:
    records, deps = installation()
    add_user(ROOT_USER, new(name="admin-1", role="administrator"), PASSWORDS, deps)
    with pytest.raises(Conflict, match="not you"):
        change_user(ADMIN_1, "admin-1", role="ca-administrator", groups=(), deps=deps)
    with pytest.raises(Conflict, match="not you"):
        change_user(
            ROOT_USER, ROOT_USER.name, role="auditor", groups=("GRP_001",), deps=with_root(records, deps)
        )


def with_root(records: MemoryRecords, deps: ChangeDeps) -> ChangeDeps:
    add_user(ROOT_USER, new(name=ROOT_USER.name, role="ca-administrator", groups=()), PASSWORDS, deps)
    return deps


def test_the_last_ca_administrator_is_not_demoted() -> None:
    _, deps = with_one_and_two()
    change_user(ROOT_USER, "one", role="officer", groups=("GRP_001",), deps=deps)
    with pytest.raises(Conflict, match="two is the last"):
        change_user(ROOT_USER, "two", role="officer", groups=("GRP_001",), deps=deps)


@pytest.mark.parametrize(
    ("role", "groups", "problem"),
    [
        ("emperor", ("GRP_001",), InvalidValue),
        ("officer", (), InvalidValue),
        ("officer", ("GRP_9",), NotFound),
    ],
)
def test_a_role_or_group_that_is_not_is_refused(
    role: str, groups: tuple[str, ...], problem: type[Exception]
) -> None:
    _, deps = installation()
    add_user(ROOT_USER, new(), PASSWORDS, deps)
    with pytest.raises(problem):
        change_user(ROOT_USER, "olga", role=role, groups=groups, deps=deps)


def test_an_administrator_raises_nobody_above_officers_and_auditors() -> None:
    _, deps = installation()
    add_user(ROOT_USER, new(), PASSWORDS, deps)
    change_user(ADMIN_1, "olga", role="auditor", groups=("GRP_001",), deps=deps)
    for role, groups in (("administrator", ("GRP_001",)), ("auditor", ("GRP_001", "GRP_002"))):
        with pytest.raises(NotPermitted):
            change_user(ADMIN_1, "olga", role=role, groups=groups, deps=deps)


def test_everybody_signs_the_list_of_their_own_second_factors() -> None:
    _, deps = installation()
    add_user(ROOT_USER, new(name="auditor-1", role="auditor"), PASSWORDS, deps)
    changed = change_authenticators(AUDITOR_1, lambda: ("b", "a"), deps)
    assert changed.values["authenticators"] == ["a", "b"]


def test_rows_of_factors_that_fail_to_be_written_leave_the_list_as_it_was() -> None:
    records, deps = installation()
    add_user(ROOT_USER, new(name="auditor-1", role="auditor"), PASSWORDS, deps)

    def write() -> tuple[str, ...]:
        raise Conflict("no")

    with pytest.raises(Conflict):
        change_authenticators(AUDITOR_1, write, deps)
    (user,) = records.all("user")
    assert user.values["authenticators"] == []


def test_a_ca_administrator_removes_the_factors_of_another() -> None:
    records, deps = installation()
    add_user(ROOT_USER, new(name="auditor-1", role="auditor"), PASSWORDS, deps)
    change_authenticators(AUDITOR_1, lambda: ("a",), deps)
    with pytest.raises(NotPermitted):
        remove_authenticators(ADMIN_1, "auditor-1", deps)
    with pytest.raises(Conflict):
        remove_authenticators(AUDITOR_1, "auditor-1", deps)
    user = remove_authenticators(ROOT_USER, "auditor-1", deps)
    assert user.values["authenticators"] == []
    assert records.dropped_authenticators[-1] == user.id


def test_a_password_that_somebody_else_has_seen_is_to_be_replaced() -> None:
    at = victim()
    added = add_user(ROOT_USER, new(), PASSWORDS, at.deps)
    reset = set_user_password(ROOT_USER, "admin-1", None, PASSWORDS, at.deps)
    recovered = recover(at, "admin-1")
    told = [one.record.values["must_change_password"] for one in (added, reset, recovered)]
    assert told == [True, True, True]


def test_a_new_password_ends_the_need_for_one() -> None:
    _, deps = installation()
    saved = add_user(ROOT_USER, new(name="auditor-1", role="auditor"), PASSWORDS, deps)
    with change_records(ROOT_USER, deps) as changes:
        changes.update(saved.record, {"must_change_password": True})
    changed = set_user_password(AUDITOR_1, "auditor-1", "a better one", PASSWORDS, deps)
    assert changed.record.values["must_change_password"] is False


class WatchedRecords(MemoryRecords):
    """Says whether a transaction is open, in which nobody else can write."""

    is_open = False

    @contextmanager
    def watched(self) -> Iterator[RecordTransaction]:
        with super()._transaction() as transaction:
            WatchedRecords.is_open = True
            try:
                yield transaction
            finally:
                WatchedRecords.is_open = False

    def transaction(self) -> AbstractContextManager[RecordTransaction]:
        return self.watched()


class WatchedPasswords(Passwords):
    """Refuses the slow work while a transaction is open."""

    def hash(self, password: str) -> str:
        assert not WatchedRecords.is_open
        return super().hash(password)

    def wrapping_key(self, password: str, salt: bytes, info: bytes) -> bytes:
        assert not WatchedRecords.is_open
        return super().wrapping_key(password, salt, info)


@pytest.mark.parametrize("what", ["a new user", "the own password", "another's password", "a recovery"])
def test_nobody_waits_in_the_database_for_a_password_to_be_hashed(what: str) -> None:
    records, deps = installation()
    put_user(records, deps, ROOT_USER)
    put_user(records, deps, OFFICER_1)
    watched, passwords = WatchedRecords(), WatchedPasswords(b"pepper")
    watched.__dict__ = records.__dict__
    deps = replace(deps, records=watched)
    if what == "a new user":
        add_user(ROOT_USER, new(), passwords, deps)
    elif what == "a recovery":
        high_water = sealing_of(deps).high_water
        recover_user("officer-1", "another password", passwords, operator(), high_water, deps)
    else:
        name = "root-user" if what == "the own password" else "officer-1"
        set_user_password(ROOT_USER, name, "another password", passwords, deps)
    assert not WatchedRecords.is_open
    assert records.audit[-1].kind.startswith("user.")
