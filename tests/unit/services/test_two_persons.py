"""The two-person rule in the services, over records in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from certuary.core.identity import OidcIdentity
from certuary.errors import Conflict, InvalidSeal, InvalidValue, NotFound, NotPermitted, SecondPersonNeeded
from certuary.services.approvals import LIFETIME, Wanted, ask_for_approval, may_decide, reject_approval
from certuary.services.change_deps import ChangeDeps
from certuary.services.change_record import change_records
from certuary.services.entitlement import ADMINISTRATOR, CA_ADMINISTRATOR, INSTALLER, OFFICER, Actor
from certuary.services.manage_group import add_group, add_label
from certuary.services.manage_identity import bind_identity
from certuary.services.manage_user import (
    NewUser,
    add_user,
    declare_key_compromised,
    remove_authenticators,
    set_user_password,
)
from certuary.services.ports import Record
from certuary.services.switch_rule import switch_rule
from certuary.services.two_persons import (
    RULES,
    Approved,
    as_requested,
    digest_of,
    groups_of,
    rule_for,
    rule_states,
)
from tests.memory_records import NOW, FixedClock, MemoryRecords
from tests.unit.services.change_fixtures import (
    ADMIN_1,
    AUDITOR_1,
    OFFICER_1,
    PASSWORDS,
    installation,
    kinds_of,
)
from tests.unit.services.sealing import (
    ROOT_USER,
    certificate_for,
    gate_of,
    put_user,
    signed_by,
    signing_key,
)

SECOND = Actor(name="second", role=CA_ADMINISTRATOR)
SHOWN = '["A new group", [], []]'
WANTED = Wanted(change="group-new", title="A new group", content='{"name": "Third"}', shown=SHOWN)


@dataclass(frozen=True, slots=True)
class Place:
    """Root user asks, `second` approves; changes of groups take two."""

    records: MemoryRecords
    deps: ChangeDeps
    users: dict[str, Record]

    @property
    def second(self) -> ChangeDeps:
        return signed_by(SECOND, self.deps)

    def ask(self) -> Record:
        with pytest.raises(SecondPersonNeeded) as needed:
            add_group(ROOT_USER, "Third", replace(self.deps, may_ask=True))
        asked = ask_for_approval(ROOT_USER, WANTED, needed.value, self.deps)
        return self.records.rows["approval", asked.id]

    def approve(self, approval: Record, deps: ChangeDeps | None = None, actor: Actor = SECOND) -> None:
        approved = Approved(record=approval, digest=digest_of(approval))
        add_group(actor, "Third", replace(deps or self.second, approval=approved))

    @property
    def is_made(self) -> bool:
        return self.records.find("group", name="Third") is not None


@pytest.fixture
def place() -> Place:
    records, deps = installation()
    users = {actor.name: put_user(records, deps, actor) for actor in (ROOT_USER, SECOND)}
    switch_rule(ROOT_USER, "group", enabled=True, deps=deps)
    records.audit.clear()
    return Place(records, deps, users)


def test_two_signatures_make_the_change_and_both_are_kept(place: Place) -> None:
    approval = place.ask()
    assert not place.is_made
    place.approve(approval)
    assert place.is_made
    assert kinds_of(place.records) == ["approval.requested", "group.added", "approval.approved"]
    decided = place.records.gone["approval", approval.id]
    gate = gate_of(place.records, place.deps)
    assert gate.check_alone(decided).signer == "second"
    assert gate.check_alone(as_requested(decided)).signer == "root-user"
    assert as_requested(decided).values == approval.values


def test_one_person_is_refused_and_that_is_audited(place: Place) -> None:
    with pytest.raises(SecondPersonNeeded, match="take two persons here: Groups"):
        add_group(ROOT_USER, "Third", place.deps)
    assert kinds_of(place.records) == ["change.refused"]
    assert not place.is_made


def test_what_is_wrong_with_a_change_is_said_before_it_waits(place: Place) -> None:
    with pytest.raises(NotPermitted) as refusal:
        add_group(ADMIN_1, "Third", signed_by(ADMIN_1, place.deps))
    assert refusal.value.rule == "not-permitted"


def test_other_kinds_of_change_take_one(place: Place) -> None:
    add_label(ROOT_USER, "fine", "tls-device", place.deps)
    assert place.records.find("label", name="fine") is not None


def test_it_is_used_once(place: Place) -> None:
    approval = place.ask()
    place.approve(approval)
    with pytest.raises(NotFound, match="decided or withdrawn"):
        add_group(
            SECOND,
            "Fourth",
            replace(place.second, approval=Approved(record=approval, digest=digest_of(approval))),
        )


def test_who_asked_is_not_the_second_person(place: Place) -> None:
    with pytest.raises(NotPermitted, match="another user does"):
        place.approve(place.ask(), place.deps, ROOT_USER)
    assert not place.is_made


def test_who_asked_is_not_the_second_person_under_another_account_with_the_same_key(place: Place) -> None:
    sealing = place.second.sealing
    assert sealing is not None
    assert place.deps.sealing is not None
    same_key = replace(
        sealing, signer=replace(sealing.signer, certificate=place.deps.sealing.signer.certificate)
    )
    with pytest.raises(NotPermitted):
        place.approve(place.ask(), replace(place.second, sealing=same_key))


def change_user(place: Place, **values: object) -> None:
    user = place.users["root-user"]
    with change_records(SECOND, place.second) as changes:
        changes.update(user, values)


def alter_user(place: Place) -> None:
    place.records.update("user", place.users["root-user"].id, {"role": "auditor"})


def let_time_pass(place: Place) -> None:
    assert isinstance(place.deps.clock, FixedClock)
    place.deps.clock.moment = NOW + LIFETIME + timedelta(seconds=1)


SPOILED: list[tuple[str, Callable[[Place], None], type[Exception]]] = [
    ("disabled", lambda at: change_user(at, enabled=False), NotPermitted),
    ("lowered", lambda at: change_user(at, role=OFFICER, group_ids=[1]), NotPermitted),
    ("altered by SQL", alter_user, InvalidSeal),
    ("removed by SQL", lambda at: at.records.retire("user", at.users["root-user"].id), InvalidSeal),
    ("too late", let_time_pass, Conflict),
]


@pytest.mark.parametrize(
    ("name", "spoil", "error"), SPOILED, ids=lambda one: one if isinstance(one, str) else ""
)
def test_a_request_is_void_when_its_first_person_is(
    name: str, spoil: Callable[[Place], None], error: type[Exception], place: Place
) -> None:
    approval = place.ask()
    spoil(place)
    with pytest.raises(error):
        place.approve(approval)
    assert not place.is_made


@pytest.mark.parametrize("column", ["content", "shown", "requester_id", "group_ids", "kind", "expires_at"])
def test_a_request_that_was_altered_by_sql_is_void(column: str, place: Place) -> None:
    approval = place.ask()
    place.records.update("approval", approval.id, {column: NOW if column == "expires_at" else 7})
    with pytest.raises(InvalidSeal):
        place.approve(place.records.rows["approval", approval.id])
    assert not place.is_made


def test_what_was_read_altered_and_put_back_is_not_what_is_approved(place: Place) -> None:
    approval = place.ask()
    altered = replace(approval, values={**approval.values, "content": '{"name": "Other"}'})
    with pytest.raises(Conflict, match="changed after it was shown"):
        place.approve(altered)


def test_another_digest_is_another_change(place: Place) -> None:
    approval = place.ask()
    with pytest.raises(Conflict) as refusal:
        add_group(SECOND, "Third", replace(place.second, approval=Approved(record=approval, digest="0")))
    assert refusal.value.rule == "digest-differs"


def test_a_request_that_another_signed_in_somebodys_name_is_void(place: Place) -> None:
    approval = place.ask()
    with change_records(SECOND, place.second) as changes:
        changes.adopt(approval)
    third = Actor(name="third", role=CA_ADMINISTRATOR)
    put_user(place.records, place.deps, third)
    with pytest.raises(InvalidSeal, match="not signed by its requester"):
        place.approve(place.records.rows["approval", approval.id], signed_by(third, place.deps), third)


def test_a_rejection_takes_a_reason_and_somebody_else(place: Place) -> None:
    approval = place.ask()
    with pytest.raises(InvalidValue):
        reject_approval(SECOND, approval, "  ", place.second)
    with pytest.raises(NotPermitted, match="withdraw"):
        reject_approval(ROOT_USER, approval, "why", place.deps)
    reject_approval(SECOND, approval, "why", place.second)
    assert place.records.gone["approval", approval.id].values["reason"] == "why"


def test_the_rule_counts_as_on_whatever_is_done_to_its_switch(place: Place) -> None:
    (switch,) = place.records.all("switch")
    good = dict(place.records.rows)

    def states() -> dict[str, bool]:
        found = rule_states(place.records, gate_of(place.records, place.deps))
        return {rule: state.is_on for rule, state in found.items()}

    only_groups = {rule: rule == "group" for rule in RULES}
    assert states() == only_groups
    place.records.update("switch", switch.id, {"enabled": False})
    assert states() == only_groups
    del place.records.rows["switch", switch.id]
    assert states() == only_groups
    place.records.rows = good
    place.records.create("switch", {"name": "two-persons.user", "enabled": False})
    assert states() == {**only_groups, "user": True}, "a switch that nobody signed"
    place.records.parts = {name: part for name, part in place.records.parts.items() if name[0] != "switch"}
    assert all(states().values())


def test_a_switch_that_cannot_be_believed_is_not_switched(place: Place) -> None:
    (switch,) = place.records.all("switch")
    del place.records.rows["switch", switch.id]
    with pytest.raises(InvalidSeal, match="counts as on"):
        switch_rule(ROOT_USER, "group", enabled=False, deps=place.deps)
    with pytest.raises(InvalidSeal, match="counts as on"):
        switch_rule(ROOT_USER, "group", enabled=True, deps=place.deps)


def test_a_switch_is_turned_off_by_two(place: Place) -> None:
    with pytest.raises(SecondPersonNeeded) as needed:
        switch_rule(ROOT_USER, "group", enabled=False, deps=place.deps)
    wanted = Wanted(change="switch-set", title="off", content="{}", shown="[]")
    asked = ask_for_approval(ROOT_USER, wanted, needed.value, place.deps)
    approval = place.records.rows["approval", asked.id]
    approved = Approved(record=approval, digest=digest_of(approval))
    switch_rule(SECOND, "group", enabled=False, deps=replace(place.second, approval=approved))
    add_group(ROOT_USER, "Third", place.deps)
    with pytest.raises(Conflict, match="off for Groups already"):
        switch_rule(ROOT_USER, "group", enabled=False, deps=place.deps)


def test_only_a_ca_administrator_turns_one_and_only_a_known_one(place: Place) -> None:
    with pytest.raises(NotPermitted):
        switch_rule(ADMIN_1, "user", enabled=True, deps=signed_by(ADMIN_1, place.deps))
    with pytest.raises(InvalidValue, match="did you mean 'profile'"):
        switch_rule(ROOT_USER, "profiles", enabled=True, deps=place.deps)


def test_what_each_change_is_under() -> None:
    user = {"name": "root-user", "password_hash": "a", "role": "x"}
    assert rule_for(ROOT_USER, "label", None, {}) == "profile"
    assert rule_for(ROOT_USER, "user", user, {**user, "password_hash": "b"}) is None
    assert rule_for(ROOT_USER, "user", user, {**user, "role": "b"}) == "user"
    assert rule_for(ROOT_USER, "user", user, {**user, "identities": [{"kind": "oidc"}]}) == "user"
    assert rule_for(ROOT_USER, "property", None, {}) is None
    assert rule_for(ROOT_USER, "approval", None, {}) is None
    assert rule_for(INSTALLER, "group", None, {}) is None
    assert rule_for(ROOT_USER, "switch", {"name": "two-persons.user"}, None) == "user"
    assert rule_for(ROOT_USER, "switch", None, {"name": "something-else"}) is None


def test_the_groups_of_a_change_are_those_before_and_after() -> None:
    assert groups_of("application", {"group_id": 1}, {"group_id": 2}) == (1, 2)
    assert groups_of("user", None, {"group_ids": [3, 3]}) == (3,)
    assert groups_of("group", {"id": 4}, None) == (4,)
    assert groups_of("profile", None, {"name": "x"}) == ()


@pytest.mark.parametrize(
    ("actor", "kind", "group_ids", "allowed"),
    [
        (SECOND, "authority", [], True),
        (ADMIN_1, "application", [1], True),
        (ADMIN_1, "application", [1, 2], False),
        (ADMIN_1, "application", [], False),
        (ADMIN_1, "application", [[1]], False),
        (ADMIN_1, "profile", [], True),
        (ADMIN_1, "revocation", [1], False),
        (ADMIN_1, "authority", [1], False),
        (OFFICER_1, "revocation", [1], True),
        (OFFICER_1, "revocation", [2], False),
        (OFFICER_1, "revocation", None, False),
        (OFFICER_1, "application", [1], False),
        (AUDITOR_1, "profile", [], False),
    ],
)
def test_who_may_make_a_change_may_approve_it(
    actor: Actor, kind: str, group_ids: object, allowed: bool
) -> None:
    role = OFFICER if kind == "revocation" else ADMINISTRATOR
    values = {"kind": kind, "group_ids": group_ids, "least_role": role, "requester": "root-user"}
    assert may_decide(actor, values) is allowed
    assert not may_decide(actor, {**values, "requester": actor.name})
    for least in ("", CA_ADMINISTRATOR, "another", None):
        assert may_decide(actor, {**values, "least_role": least}) is (actor is SECOND)


def alter_a_label(place: Place) -> Record:
    (label,) = place.records.all("label")
    return place.records.update("label", label.id, {"name": "altered"})


def adopt_a_label(place: Place) -> None:
    altered = alter_a_label(place)
    with change_records(ROOT_USER, place.deps) as changes:
        changes.adopt(altered)


def forget_a_label(place: Place) -> None:
    (label,) = place.records.all("label")
    del place.records.rows["label", label.id]
    with change_records(ROOT_USER, place.deps) as changes:
        changes.forget("label", "plant")


def add_user_of_1(place: Place, role: str) -> None:
    new = NewUser(name="eve", role=role, groups=("GRP_001",), password=None)
    add_user(ROOT_USER, new, PASSWORDS, place.deps)


IDENTITY = OidcIdentity(issuer="https://id.example", claim="sub", subject="1")
LEAST_ROLES: dict[str, tuple[str, Callable[[Place], object]]] = {
    "switch off": (
        CA_ADMINISTRATOR,
        lambda at: switch_rule(ROOT_USER, "profile", enabled=False, deps=at.deps),
    ),
    "adopt": (CA_ADMINISTRATOR, adopt_a_label),
    "forget": (CA_ADMINISTRATOR, forget_a_label),
    "password": (
        CA_ADMINISTRATOR,
        lambda at: set_user_password(ROOT_USER, "officer-1", None, PASSWORDS, at.deps),
    ),
    "second factors": (
        CA_ADMINISTRATOR,
        lambda at: remove_authenticators(ROOT_USER, "officer-1", at.deps),
    ),
    "compromised": (
        CA_ADMINISTRATOR,
        lambda at: declare_key_compromised(ROOT_USER, "officer-1", NOW, at.deps),
    ),
    "identity": (CA_ADMINISTRATOR, lambda at: bind_identity(ROOT_USER, "officer-1", IDENTITY, at.deps)),
    "an administrator": (CA_ADMINISTRATOR, lambda at: add_user_of_1(at, ADMINISTRATOR)),
    "a group": (CA_ADMINISTRATOR, lambda at: add_group(ROOT_USER, "Third", at.deps)),
    "an officer": (ADMINISTRATOR, lambda at: add_user_of_1(at, OFFICER)),
    "a label": (ADMINISTRATOR, lambda at: add_label(ROOT_USER, "fine", "tls-device", at.deps)),
}


@pytest.mark.parametrize("change", LEAST_ROLES)
def test_an_administrator_decides_what_an_administrator_may_change(change: str, place: Place) -> None:
    put_user(place.records, place.deps, OFFICER_1)
    for rule in ("profile", "user"):
        switch_rule(ROOT_USER, rule, enabled=True, deps=place.deps)
    role, make = LEAST_ROLES[change]
    before = dict(place.records.rows)
    with pytest.raises(SecondPersonNeeded) as needed:
        make(place)
    assert needed.value.least_role == role
    place.records.rows = before
    asked = ask_for_approval(ROOT_USER, WANTED, needed.value, place.deps)
    approval = place.records.rows["approval", asked.id]
    assert may_decide(ADMIN_1, approval.values) is (role == ADMINISTRATOR)
    if role == CA_ADMINISTRATOR:
        with pytest.raises(NotPermitted):
            reject_approval(ADMIN_1, approval, "why", signed_by(ADMIN_1, place.deps))
    reject_approval(SECOND, approval, "why", place.second)


def test_who_asked_is_not_the_second_person_with_a_new_key(place: Place) -> None:
    sealing = place.deps.sealing
    assert sealing is not None
    certificate = certificate_for("root-user", signing_key("root-user"))
    renewed = replace(sealing, signer=replace(sealing.signer, certificate=certificate))
    with pytest.raises(NotPermitted, match="another user does"):
        place.approve(place.ask(), replace(place.deps, sealing=renewed), ROOT_USER)


def test_an_approval_of_one_kind_makes_no_change_of_another(place: Place) -> None:
    approval = place.ask()
    switch_rule(ROOT_USER, "profile", enabled=True, deps=place.deps)
    approved = Approved(record=approval, digest=digest_of(approval))
    with pytest.raises(Conflict, match="takes an approval about: Profiles and labels"):
        add_label(SECOND, "fine", "tls-device", replace(place.second, approval=approved))


def test_the_rule_is_not_turned_on_where_nobody_could_be_the_second(place: Place) -> None:
    change_user(place, enabled=False)
    with pytest.raises(Conflict, match="needs two enabled CA Administrators"):
        switch_rule(SECOND, "profile", enabled=True, deps=place.second)


def test_that_a_switch_is_gone_is_accepted_by_two(place: Place) -> None:
    (switch,) = place.records.all("switch")
    del place.records.rows["switch", switch.id]
    with pytest.raises(SecondPersonNeeded), change_records(ROOT_USER, place.deps) as changes:
        changes.forget("switch", "two-persons.group")
    with pytest.raises(SecondPersonNeeded):
        add_group(ROOT_USER, "Third", place.deps)
