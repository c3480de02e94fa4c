"""The dashboard's counts, on both databases: right after revocations, a stop in the middle, and a move."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.db import connection
from django.db.models import Count
from django.db.models.functions import TruncDate

from certuary.services.ports import CertificateRow, EnrolmentRow, NewestRows, NodeRow
from certuary.store.counts import DjangoCounts
from certuary.store.dashboard import (
    DayCount,
    counting_state,
    expiring_by_day,
    issued_by_day,
    refused_by_day,
)
from certuary.store.models import Certificate, CountingPosition, DailyCount, Enrolment
from certuary.store.nodes import DjangoNodeStore, list_nodes
from tests.contract.rows import (
    NOW,
    add_group,
    application_values,
    certificate_row,
    enrolment_row,
    new_store,
    profile_version_row,
    sqlite_only,
)
from tests.memory_records import MARKER

pytestmark = pytest.mark.usefixtures("database_url")

TODAY = NOW.date()
EXPIRY = (NOW + timedelta(days=90)).date()


class FixedClock:
    def now(self) -> object:
        return NOW


@pytest.fixture
def counts() -> DjangoCounts:
    return DjangoCounts(FixedClock())  # type: ignore[arg-type]  # a clock that stands still


@pytest.fixture(autouse=True)
def application(database_url: str) -> int:
    """Application 1 of group 1, and profile 1 with version 1."""
    store = new_store()
    add_group(store)
    add_group(store, "GRP_002")
    with store.transaction() as transaction:
        transaction.create("profile", {"name": "device", "current_version": 1})
        transaction.add_profile_version(profile_version_row(1))
        transaction.create("application", application_values("gateways"))
    return 1


def issue(*rows: CertificateRow) -> None:
    with new_store().transaction() as transaction:
        for row in rows:
            transaction.add_certificate(row)


def refuse(*rows: EnrolmentRow) -> None:
    for row in rows:
        values = {name: getattr(row, name) for name in EnrolmentRow.__slots__}
        Enrolment.objects.create(**values | {"serial": None})


def revoke(row: CertificateRow) -> None:
    with new_store().transaction() as transaction:
        transaction.revoke_certificate(
            row.authority_id, row.serial, at=NOW, reason="superseded", marker=MARKER
        )


def count_all(counts: DjangoCounts, *, size: int = 100) -> None:
    for _ in range(100):
        if counts.count_slice(counts.newest_rows(), size=size):
            return
    raise AssertionError("it never comes to an end")


def issued(found: Iterable[DayCount]) -> list[tuple[date, int | str, int]]:
    return [(one.day, one.what, one.count) for one in found]


def expiring() -> dict[date, int]:
    return {day: count for day, count in expiring_by_day(TODAY, date.max, None).items() if count}


def test_certificates_are_counted_by_day_and_profile_and_by_the_day_they_expire(counts: DjangoCounts) -> None:
    yesterday = NOW - timedelta(days=1)
    issue(certificate_row(), certificate_row(issued_at=yesterday), certificate_row())
    count_all(counts)
    assert issued(issued_by_day(TODAY - timedelta(days=30), None)) == [
        (yesterday.date(), 1, 1),
        (TODAY, 1, 2),
    ]
    assert expiring() == {EXPIRY: 3}


def test_refusals_are_counted_by_rule_and_other_outcomes_are_not(counts: DjangoCounts) -> None:
    refuse(
        enrolment_row(outcome="refused", reason="key-refused"),
        enrolment_row(outcome="refused", reason="key-refused"),
        enrolment_row(outcome="refused", reason="subject-refused"),
        enrolment_row(),
    )
    count_all(counts)
    assert issued(refused_by_day(TODAY, None)) == [(TODAY, "key-refused", 2), (TODAY, "subject-refused", 1)]


def test_counting_again_adds_nothing(counts: DjangoCounts) -> None:
    issue(certificate_row())
    count_all(counts)
    count_all(counts)
    assert expiring() == {EXPIRY: 1}


def test_counting_in_slices_of_one_comes_to_the_same(counts: DjangoCounts) -> None:
    rows = [certificate_row() for _ in range(5)]
    issue(*rows)
    revoke(rows[3])
    refuse(enrolment_row(outcome="refused", reason="key-refused"))
    count_all(counts, size=1)
    assert expiring() == {EXPIRY: 4}
    assert issued(issued_by_day(TODAY, None)) == [(TODAY, 1, 5)]
    assert counting_state().is_complete


def test_a_revoked_certificate_does_not_expire_whichever_was_looked_at_first(counts: DjangoCounts) -> None:
    before, between, after = (certificate_row() for _ in range(3))
    issue(before, between)
    revoke(before)  # revoked before its certificate is counted
    count_all(counts)
    assert expiring() == {EXPIRY: 1}
    revoke(between)  # and after
    count_all(counts)
    assert expiring() == {}
    issue(after)
    revoke(after)
    count_all(counts)
    assert expiring() == {}


def test_a_revocation_of_a_row_that_is_not_settled_waits_for_it(counts: DjangoCounts) -> None:
    first, late = certificate_row(), certificate_row()
    issue(first)
    settled = counts.newest_rows()
    issue(late)
    revoke(late)
    counts.count_slice(settled, size=100)
    assert expiring() == {EXPIRY: 1}
    count_all(counts)
    assert expiring() == {EXPIRY: 1}


def test_rows_beyond_what_is_settled_are_left_for_later(counts: DjangoCounts) -> None:
    issue(certificate_row())
    settled = counts.newest_rows()
    issue(certificate_row())
    assert counts.count_slice(settled, size=100)
    assert expiring() == {EXPIRY: 1}


def test_a_number_left_out_by_an_undone_transaction_does_not_stop_the_count(counts: DjangoCounts) -> None:
    rows = [certificate_row() for _ in range(4)]
    issue(*rows)
    Certificate.objects.filter(pk__in=[2, 3]).delete()
    count_all(counts, size=1)
    assert expiring() == {EXPIRY: 2}


def test_the_listener_s_own_certificate_is_not_counted(counts: DjangoCounts) -> None:
    issue(certificate_row(source="tls", application_id=None, profile_version_id=None))
    count_all(counts)
    assert expiring() == {}
    assert issued_by_day(TODAY, None) == ()


def test_numbers_are_those_of_the_groups_asked_for(counts: DjangoCounts) -> None:
    with new_store().transaction() as transaction:
        transaction.create("application", application_values("routers", group_id=2))
    issue(certificate_row(), certificate_row(application_id=2), certificate_row(application_id=None))
    count_all(counts)
    assert issued(issued_by_day(TODAY, None)) == [(TODAY, 1, 3)]
    assert issued(issued_by_day(TODAY, (2,))) == [(TODAY, 1, 1)]
    assert issued_by_day(TODAY, ()) == ()
    assert expiring_by_day(TODAY, EXPIRY, (1, 2)) == {EXPIRY: 2}


def test_an_application_that_moved_is_noticed_and_counted_anew(
    counts: DjangoCounts, application: int
) -> None:
    issue(certificate_row())
    count_all(counts)
    assert not counts.has_moved_application()
    with new_store().transaction() as transaction:
        transaction.update("application", application, {"group_id": 2})
    assert counts.has_moved_application()
    counts.recount()
    assert not counting_state().is_complete
    count_all(counts)
    assert issued(issued_by_day(TODAY, (2,))) == [(TODAY, 1, 1)]
    assert issued_by_day(TODAY, (1,)) == ()


def test_a_missing_position_means_counting_from_the_beginning(counts: DjangoCounts) -> None:
    issue(certificate_row(), certificate_row())
    count_all(counts)
    CountingPosition.objects.all().delete()
    DailyCount.objects.update(count=77)
    count_all(counts)
    assert issued(issued_by_day(TODAY, None)) == [(TODAY, 1, 2)]


def test_a_revision_forged_by_sql_does_not_stop_later_revocations_from_counting(counts: DjangoCounts) -> None:
    forged, honest = certificate_row(), certificate_row()
    issue(forged, honest)
    Certificate.objects.filter(pk=1).update(revoked_revision=10**15)
    count_all(counts, size=1)
    revoke(honest)
    count_all(counts)
    assert expiring() == {EXPIRY: 1}


@pytest.mark.parametrize("value", ["'no time'", "5", "X'ff'", "''"])
@pytest.mark.parametrize("column", ["issued_at", "not_after"])
@sqlite_only
def test_a_time_that_cannot_be_read_stops_no_count(counts: DjangoCounts, column: str, value: str) -> None:
    issue(certificate_row(), certificate_row())
    alter(f"UPDATE certificates SET {column} = {value} WHERE id = 1")
    count_all(counts)
    assert expiring() == {EXPIRY: 1 + (column != "not_after")}
    assert issued(issued_by_day(TODAY, None)) == [(TODAY, 1, 1 + (column != "issued_at"))]


@sqlite_only
def test_numbers_that_are_none_stop_no_count(counts: DjangoCounts) -> None:
    issue(certificate_row(), certificate_row(), certificate_row())
    alter("UPDATE certificates SET application_id = 'x' WHERE id = 1")
    alter("UPDATE certificates SET profile_version_id = X'ff' WHERE id = 2")
    alter("UPDATE applications SET group_id = 'x'")
    count_all(counts)
    assert issued(issued_by_day(TODAY, None)) == [(TODAY, 0, 1), (TODAY, 1, 2)]
    assert issued(issued_by_day(TODAY, (0,))) == [(TODAY, 0, 1), (TODAY, 1, 2)]
    assert not counts.has_moved_application()


def alter(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA foreign_keys = OFF")
        cursor.execute(statement)


def test_of_two_that_count_the_same_slice_only_one_is_taken(
    counts: DjangoCounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue(certificate_row())
    count_all(counts)
    issue(certificate_row())
    stale = CountingPosition.objects.get(id=1)
    count_all(counts)
    monkeypatch.setattr("certuary.store.counts._position", lambda now: stale)
    assert not counts.count_slice(counts.newest_rows(), size=100)
    assert expiring() == {EXPIRY: 2}


def test_days_long_gone_are_pruned(counts: DjangoCounts) -> None:
    old = NOW - timedelta(days=500)
    issue(certificate_row(issued_at=old, not_after=old + timedelta(days=1)), certificate_row())
    count_all(counts)
    counts.prune()
    assert issued(issued_by_day(date.min, None)) == [(TODAY, 1, 1)]
    assert expiring_by_day(date.min, date.max, None) == {EXPIRY: 1}


def test_nothing_at_all_is_a_count_of_nothing(counts: DjangoCounts) -> None:
    assert counting_state().counted_at is None
    assert counts.count_slice(NewestRows(certificate_id=0, enrolment_id=0), size=1) is True
    assert issued_by_day(TODAY, None) == ()


def test_a_node_replaces_what_it_said_before_and_is_forgotten_after_a_week() -> None:
    nodes = DjangoNodeStore()
    row = NodeRow(
        name="n1",
        hostname="a.example",
        version="1",
        ready=True,
        reasons=(),
        warnings=("w",),
        started_at=NOW,
        seen_at=NOW,
    )
    nodes.put(row)
    nodes.put(row)
    assert list_nodes(NOW) == (row,)
    assert list_nodes(NOW + timedelta(days=8)) == ()


def test_counts_are_those_of_a_look_at_every_row(counts: DjangoCounts) -> None:
    dice = random.Random(7)
    rows = [
        certificate_row(
            application_id=dice.choice([1, None]),
            profile_version_id=dice.choice([1, None]),
            issued_at=NOW - timedelta(hours=dice.randrange(200)),
            not_after=NOW + timedelta(hours=dice.randrange(-100, 2400)),
        )
        for _ in range(120)
    ]
    issue(*rows[:60])
    for row in rows[:60:3]:
        revoke(row)
    counts.count_slice(counts.newest_rows(), size=40)
    issue(*rows[60:])
    for row in rows[1::4]:
        if row not in rows[:60:3]:
            revoke(row)
    count_all(counts, size=17)

    found = Certificate.objects.exclude(source="tls")
    days = found.annotate(day=TruncDate("issued_at", tzinfo=UTC)).values_list("day")
    per_day = dict(days.annotate(n=Count("id")).order_by("day"))
    summed: Counter[date] = Counter()
    for one in issued_by_day(date.min, None):
        summed[one.day] += one.count
    assert summed == per_day
    midnight = datetime.combine(TODAY, time(), UTC)
    for window in (7, 30, 90):
        expiring = expiring_by_day(TODAY, TODAY + timedelta(days=window - 1), None)
        until = midnight + timedelta(days=window)
        kept = found.filter(not_after__gte=midnight, not_after__lt=until, revoked_at__isnull=True)
        assert sum(expiring.values()) == kept.count() > 0
