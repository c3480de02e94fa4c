"""Identities bound to users and taken away, and who comes in by one, over records in memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from certuary.core.identity import MOST, BoundCertificate, OidcIdentity
from certuary.errors import (
    AlreadyExists,
    Conflict,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    SecondPersonNeeded,
)
from certuary.services.authenticate_identity import authenticate_identity, has_identity
from certuary.services.change_deps import ChangeDeps
from certuary.services.entitlement import CA_ADMINISTRATOR, OFFICER, Actor
from certuary.services.manage_identity import bind_identity, identities_of, unbind_identity
from certuary.services.manage_user import declare_key_compromised, set_user_enabled
from certuary.services.ports import Record
from certuary.services.switch_rule import switch_rule
from tests.memory_records import NOW, MemoryRecords
from tests.unit.services.change_fixtures import ADMIN_1, ROOT_USER, detail_of, installation, kinds_of
from tests.unit.services.sealing import gate_of, put_user, signed_by

OLGA = Actor(name="olga", role=OFFICER, group_ids=frozenset({1}))
PETRA = Actor(name="petra", role=OFFICER, group_ids=frozenset({1}))
SECOND = Actor(name="second", role=CA_ADMINISTRATOR)
IDENTITY = OidcIdentity(issuer="https://id.example", claim="sub", subject="248289761001")
CERTIFICATE = BoundCertificate(sha256="0a" * 32, subject="CN=Olga")


@pytest.fixture
def place() -> tuple[MemoryRecords, ChangeDeps]:
    records, deps = installation()
    for actor in (ROOT_USER, OLGA, PETRA):
        put_user(records, deps, actor)
    records.audit.clear()
    return records, deps


Place = tuple[MemoryRecords, ChangeDeps]


def user_of(records: MemoryRecords, name: str) -> Record:
    found = records.find("user", name=name)
    assert found is not None
    return found


def write(records: MemoryRecords, name: str, **values: object) -> None:
    """As plain SQL would: without a seal."""
    user = user_of(records, name)
    records.rows["user", user.id] = replace(user, values={**user.values, **values})


def test_an_identity_is_bound_sealed_and_audited(place: Place) -> None:
    records, deps = place
    bound = bind_identity(ROOT_USER, "olga", IDENTITY, deps)
    assert identities_of(bound) == (IDENTITY,)
    assert has_identity(user_of(records, "olga"), IDENTITY)
    gate_of(records, deps).check(user_of(records, "olga"))
    assert kinds_of(records) == ["user.changed"]


def test_a_second_one_stands_beside_the_first_and_each_is_taken_away_alone(place: Place) -> None:
    records, deps = place
    bind_identity(ROOT_USER, "olga", IDENTITY, deps)
    bind_identity(ROOT_USER, "olga", CERTIFICATE, deps)
    unbind_identity(ROOT_USER, "olga", IDENTITY, deps)
    assert identities_of(user_of(records, "olga")) == (CERTIFICATE,)


@pytest.mark.parametrize("holder", ["olga", "petra"])
def test_an_identity_is_one_user_s(place: Place, holder: str) -> None:
    _, deps = place
    bind_identity(ROOT_USER, holder, IDENTITY, deps)
    with pytest.raises(AlreadyExists, match=f"{holder}'s already") as refusal:
        bind_identity(ROOT_USER, "olga", IDENTITY, deps)
    assert refusal.value.rule == "identity-taken"


def test_a_user_has_so_many_and_no_more(place: Place) -> None:
    _, deps = place
    for number in range(MOST):
        bind_identity(ROOT_USER, "olga", replace(IDENTITY, subject=str(number)), deps)
    with pytest.raises(Conflict, match="take one away first"):
        bind_identity(ROOT_USER, "olga", IDENTITY, deps)


def test_what_is_not_there_is_not_taken_away(place: Place) -> None:
    _, deps = place
    with pytest.raises(NotFound, match="no such identity"):
        unbind_identity(ROOT_USER, "olga", IDENTITY, deps)


def test_a_ca_administrator_alone_binds_and_nobody_else_to_themselves(place: Place) -> None:
    records, deps = place
    put_user(records, deps, ADMIN_1)
    for actor in (ADMIN_1, OLGA):
        with pytest.raises(NotPermitted):
            bind_identity(actor, "olga", IDENTITY, signed_by(actor, deps))
        with pytest.raises(NotPermitted):
            unbind_identity(actor, "olga", IDENTITY, signed_by(actor, deps))


def test_where_changes_of_users_take_two_so_does_this(place: Place) -> None:
    records, deps = place
    bind_identity(ROOT_USER, "olga", IDENTITY, deps)
    put_user(records, deps, SECOND)
    switch_rule(ROOT_USER, "user", enabled=True, deps=deps)
    with pytest.raises(SecondPersonNeeded):
        bind_identity(ROOT_USER, "olga", CERTIFICATE, replace(deps, may_ask=True))
    for change, identity in ((bind_identity, CERTIFICATE), (unbind_identity, IDENTITY)):
        with pytest.raises(Conflict, match="another CA Administrator asks"):
            change(ROOT_USER, ROOT_USER.name, identity, replace(deps, may_ask=True))
    with pytest.raises(SecondPersonNeeded):
        unbind_identity(ROOT_USER, "olga", IDENTITY, replace(deps, may_ask=True))
    assert identities_of(user_of(records, "olga")) == (IDENTITY,)


def test_who_is_named_by_a_sealed_record_comes_in(place: Place) -> None:
    records, deps = place
    bind_identity(ROOT_USER, "olga", IDENTITY, deps)
    assert authenticate_identity(IDENTITY, gate_of(records, deps), deps).values["name"] == "olga"


def refused(records: MemoryRecords, deps: ChangeDeps) -> str:
    with pytest.raises(NotAuthenticated):
        authenticate_identity(IDENTITY, gate_of(records, deps), deps)
    assert kinds_of(records)[-1] == "user.refused"
    return str(detail_of(records)["reason"])


def test_an_identity_of_nobody_opens_nothing(place: Place) -> None:
    assert refused(*place).startswith("no user has this identity")
    assert place[0].audit[-1].target == ""


def test_one_that_plain_sql_wrote_opens_nothing(place: Place) -> None:
    records, deps = place
    write(records, "olga", identities=[IDENTITY.to_json()])
    assert refused(records, deps).startswith("the user's record cannot be believed")
    assert records.audit[-1].target == "user:olga"


def test_a_copy_that_plain_sql_wrote_keeps_its_owner_not_out(place: Place) -> None:
    records, deps = place
    bind_identity(ROOT_USER, "petra", IDENTITY, deps)
    write(records, "olga", identities=[IDENTITY.to_json()])
    assert authenticate_identity(IDENTITY, gate_of(records, deps), deps).values["name"] == "petra"


def test_a_disabled_user_stays_out(place: Place) -> None:
    records, deps = place
    bind_identity(ROOT_USER, "olga", IDENTITY, deps)
    set_user_enabled(ROOT_USER, "olga", enabled=False, deps=deps)
    assert refused(records, deps) == "disabled user"


def test_a_user_whose_key_counts_as_compromised_stays_out(place: Place) -> None:
    records, deps = place
    bind_identity(ROOT_USER, "olga", IDENTITY, deps)
    declare_key_compromised(ROOT_USER, "olga", NOW, deps)
    assert refused(records, deps) == "the user's signing key counts as compromised"
