"""A revocation is never erased, and none is forged: only what holds its mark changes the list."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from certuary.core.certificate import build_root, sign_plan
from certuary.core.crl import build_crl, listed_entries
from certuary.services.ports import CrlRow
from certuary.services.review_revocations import Review, ReviewDeps, review_revocations
from tests.memory_records import MARKER, NOW, MemoryCrls, marked_certificate, revoked_certificate

KEY = ec.generate_private_key(ec.SECP256R1())
ISSUER = sign_plan(build_root(KEY.public_key(), organization="Acme", serial=1, now=NOW), KEY).certificate
SINCE = NOW - timedelta(days=1)


def believed(review: Review) -> CrlRow:
    """The CRL that a review leads to."""
    der = build_crl(
        issuer=ISSUER,
        signer=KEY,
        number=1,
        this_update=NOW,
        next_update=NOW + timedelta(days=1),
        revoked=review.new,
        kept=review.kept,
    )
    return CrlRow(
        authority_id=2,
        number=1,
        covers_revision=9,
        this_update=NOW,
        next_update=NOW + timedelta(days=1),
        der=der,
        marker=MARKER,
    )


class Setting:
    def __init__(self) -> None:
        self.crls = MemoryCrls()
        self.crl: CrlRow | None = None

    def review(self, since: datetime = SINCE) -> Review:
        return review_revocations(2, self.crl, since=since, deps=ReviewDeps(crls=self.crls, marker=MARKER))

    def publish(self) -> None:
        self.crl = believed(self.review())


def listed(review: Review) -> set[int]:
    return {serial for serial, _ in listed_entries(believed(review).der)}


def found(review: Review) -> dict[int, str]:
    return {one.serial: one.reason for one in review.altered}


@pytest.fixture
def setting() -> Setting:
    return Setting()


@pytest.fixture
def published(setting: Setting) -> Setting:
    """Certificate 7 is revoked, and the CRL says so."""
    setting.crls.certificate_rows.append(revoked_certificate(7))
    setting.publish()
    return setting


def test_what_was_revoked_is_new_once_and_kept_as_it_was_listed(setting: Setting) -> None:
    setting.crls.certificate_rows += [
        revoked_certificate(8, revoked_at=NOW + timedelta(seconds=1)),
        revoked_certificate(7),
        marked_certificate(9),
        revoked_certificate(6, authority_id=3),
    ]
    first = setting.review()
    assert [entry.serial for entry in first.new] == [7, 8]
    assert first.new[0].reason == "superseded"
    setting.publish()
    second = setting.review()
    assert (second.new, len(second.kept), second.altered) == ((), 2, ())


@pytest.mark.parametrize(
    "changes",
    [
        {"revoked_at": None, "revocation_reason": None, "revoked_revision": None},
        {"revoked_at": None},
        {"not_after": NOW - timedelta(days=400), "revoked_at": NOW - timedelta(days=400)},
        {"authority_id": 3},
        {"serial": 1234},
    ],
    ids=repr,
)
def test_a_revocation_that_plain_sql_erased_stays_and_is_named(
    published: Setting, changes: dict[str, Any]
) -> None:
    published.crls.alter(7, **changes)
    review = published.review()
    assert listed(review) >= {7}
    assert "the CRL keeps its revocation" in found(review)[7]


def test_a_revoked_certificate_whose_row_was_deleted_stays_listed(published: Setting) -> None:
    published.crls.certificate_rows.clear()
    review = published.review()
    assert listed(review) == {7}
    assert "its record is gone" in found(review)[7]


def test_a_row_put_back_with_the_mark_it_had_before_is_an_erased_revocation(published: Setting) -> None:
    published.crls.certificate_rows = [marked_certificate(7)]
    review = published.review()
    assert listed(review) == {7}
    assert "before it was revoked" in found(review)[7]


def test_the_date_and_reason_on_the_list_do_not_follow_plain_sql(published: Setting) -> None:
    published.crls.alter(7, revoked_at=NOW + timedelta(days=1), revocation_reason="keyCompromise")
    assert published.crl is not None
    assert published.review().kept == tuple(entry for _, entry in listed_entries(published.crl.der))


@pytest.mark.parametrize(
    "changes",
    [
        {"revoked_at": NOW, "revocation_reason": "superseded", "revoked_revision": 5},
        {"revoked_at": NOW},
        {"revoked_at": NOW, "mark": None},
    ],
    ids=repr,
)
def test_a_forged_revocation_is_left_off_and_named(setting: Setting, changes: dict[str, Any]) -> None:
    setting.crls.certificate_rows = [replace(marked_certificate(7), **changes)]
    review = setting.review()
    assert (review.kept, review.new) == ((), ())
    assert "left off the CRL" in found(review)[7]


def test_an_entry_leaves_when_its_certificate_has_expired_by_a_record_that_holds(setting: Setting) -> None:
    setting.crls.certificate_rows.append(
        revoked_certificate(7, not_after=NOW + timedelta(days=1), revoked_at=NOW)
    )
    setting.publish()
    review = setting.review(since=NOW + timedelta(days=2))
    assert (review.kept, review.altered) == ((), ())


def test_an_entry_stays_that_the_database_does_not_list_yet_and_has_not_expired(published: Setting) -> None:
    published.crls.revoked_serials = lambda authority_id, *, since: iter(())  # type: ignore[method-assign]  # read a moment before
    review = published.review()
    assert (len(review.kept), review.altered) == (1, ())


def test_a_reason_that_is_missing_is_unspecified(setting: Setting) -> None:
    setting.crls.certificate_rows.append(revoked_certificate(7, revocation_reason=None))
    assert setting.review().new[0].reason == "unspecified"


def test_what_was_revoked_while_it_is_looked_up_waits_for_the_next_list(setting: Setting) -> None:
    setting.crls.certificate_rows.append(marked_certificate(7))
    setting.crls.revoked_serials = lambda authority_id, *, since: iter([7])  # type: ignore[method-assign]  # of another moment
    review = setting.review()
    assert (review.new, review.altered) == ((), ())
