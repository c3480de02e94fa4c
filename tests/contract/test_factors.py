"""Second factors' rows, read without the portal's library: the same digests as the portal signs, on both databases."""

from __future__ import annotations

import pytest

from certuary.store import authenticators
from tests.contract.rows import new_store, sql, sqlite_only


@pytest.fixture(autouse=True)
def _rows(database_url: str) -> None:
    """User 1 has an authenticator app and recovery codes."""
    from allauth.mfa.models import Authenticator

    user = {
        "name": "olga",
        "role": "auditor",
        "group_ids": [1],
        "password_hash": "",
        "enabled": True,
        "compromised_keys": None,
    }
    with new_store().transaction() as transaction:
        assert transaction.create("user", user).id == 1
    for kind, data in (
        ("totp", {"secret": "x", "n": 1}),
        ("recovery_codes", {"seed": "y", "used_mask": 3}),
    ):
        Authenticator.objects.create(user_id=1, type=kind, data=data)


def test_the_digests_are_those_that_the_portal_signs() -> None:
    from certuary.portal.second_factors import digests_of

    assert authenticators.digests() == {1: digests_of(1)}


def test_the_use_of_recovery_codes_changes_no_digest_and_another_secret_does() -> None:
    before = authenticators.digests()
    sql(
        'UPDATE mfa_authenticator SET data = \'{"seed": "y", "used_mask": 7}\' WHERE type = \'recovery_codes\''
    )
    assert authenticators.digests() == before
    sql('UPDATE mfa_authenticator SET data = \'{"secret": "z", "n": 1}\' WHERE type = \'totp\'')
    assert authenticators.digests() != before


@pytest.mark.parametrize(
    "change", ["data = '[]'", "data = '1'", "type = 'webauthn'", "created_at = '2020-01-01 00:00:00+00:00'"]
)
def test_a_row_that_says_something_else_has_another_digest(change: str) -> None:
    before = authenticators.digests()
    sql(f"UPDATE mfa_authenticator SET {change}")
    assert authenticators.digests() != before


@pytest.mark.parametrize(
    "change", ["type = CAST(X'ff' AS TEXT)", "created_at = 'garbage'", "created_at = 9e999"]
)
@sqlite_only
def test_a_row_that_cannot_be_read_is_one_that_nobody_signed(change: str) -> None:
    before = authenticators.digests()[1]
    sql(f"UPDATE mfa_authenticator SET {change} WHERE type = 'totp'")
    assert len(set(authenticators.digests()[1]) - set(before)) == 1


def test_a_database_without_the_table_has_no_factors() -> None:
    sql("DROP TABLE mfa_authenticator")
    assert authenticators.digests() == {}
