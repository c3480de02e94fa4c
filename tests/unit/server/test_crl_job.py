from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from certuary.core.certificate import SigningKey, build_root, sign_plan
from certuary.errors import ClockUnsafe, DatabaseDown
from certuary.server.crl_job import CrlJob, CrlJobDeps
from certuary.server.lease import LEASE_SECONDS, Lease
from certuary.services.ports import AuditRow, CrlRow, Record, RecordStore, RecordTransaction
from certuary.status.documents import PublishedAuthority
from tests.memory_records import MARKER, MemoryCrls, marked_certificate, revoked_certificate

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
TICK = 0.5
DAY = 24 * 3600.0


def _authority(identifier: int, name: str, kind: str) -> Record:
    plan = build_root(KEY.public_key(), organization=name, serial=identifier, now=START)
    values = {
        "name": name,
        "kind": kind,
        "certificate_der": sign_plan(plan, KEY).der,
        "crl_lifetime_seconds": int(DAY),
        "key_name": name,
        "issuer_id": None,
    }
    return Record(kind="authority", id=identifier, revision=1, values=values)


class Database(MemoryCrls):
    """Records, CRLs and leases in memory, shared by the jobs of several nodes."""

    def __init__(self) -> None:
        self.authorities = [_authority(1, "root", "root"), _authority(2, "issuing", "issuing")]
        super().__init__()
        self.lease: tuple[str, float] | None = None
        self.steady = 0.0
        self.down = False
        self.found: list[AuditRow] = []
        self.searches = 0
        self.reads_of_latest = 0

    def revoke(self, serial: int) -> None:
        self.revision += 1
        self.certificate_rows.append(revoked_certificate(serial, self.revision, revoked_at=self.now()))

    def now(self) -> datetime:
        return START + timedelta(seconds=self.steady)

    # RecordStore

    def all(self, kind: str) -> tuple[Record, ...]:
        return tuple(self.authorities)

    @contextmanager
    def transaction(self) -> Iterator[RecordTransaction]:
        yield cast(RecordTransaction, self)

    def add_audit(self, row: AuditRow) -> None:
        self.found.append(row)

    # CrlStore

    def latest(self, authority_id: int, *, below: int | None = None) -> CrlRow | None:
        self.reads_of_latest += 1
        return super().latest(authority_id, below=below)

    def current_revision(self) -> int:
        if self.down:
            raise DatabaseDown("the database cannot be used")
        return super().current_revision()

    def has_revocation_after(self, authority_id: int, revision: int) -> bool:
        self.searches += 1
        return super().has_revocation_after(authority_id, revision)

    # LeaseStore

    def acquire(self, name: str, holder: str, *, seconds: int) -> bool:
        if self.lease is not None and self.lease[0] != holder and self.lease[1] > self.steady:
            return False
        self.lease = (holder, self.steady + seconds)
        return True

    def release(self, name: str, holder: str) -> None:
        if self.lease is not None and self.lease[0] == holder:
            self.lease = None


class Node:
    def __init__(self, database: Database, holder: str = "a") -> None:
        self.database = database
        self.shown: dict[str, PublishedAuthority] = {}
        self.holds_key = True
        self.job = CrlJob(
            CrlJobDeps(
                records=cast(RecordStore, database),
                crls=database,
                lease=Lease(database, "jobs", holder),
                signer_of=self._signer_of,
                clock=database,
                steady=lambda: database.steady,
                marker=MARKER,
            ),
            self._show,
        )

    def run(self, seconds: float) -> None:
        end = self.database.steady + seconds
        while self.database.steady < end:
            self.job.tick()
            self.database.steady += TICK

    def serials(self) -> set[int]:
        crl = self.shown["issuing"].crl
        assert crl is not None
        return {entry.serial_number for entry in x509.load_der_x509_crl(crl.der)}

    def _signer_of(self, record: Record) -> SigningKey | None:
        return KEY if self.holds_key and record.values["kind"] == "issuing" else None

    def _show(self, authorities: tuple[PublishedAuthority, ...]) -> None:
        self.shown = {authority.name: authority for authority in authorities}


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def node(database: Database) -> Node:
    return Node(database)


def test_the_first_round_publishes_and_shows_the_issuing_authority_s_crl(node: Node) -> None:
    node.run(TICK)
    shown = node.shown["issuing"].crl
    assert shown is not None
    assert shown.number == 1
    assert node.shown["root"].crl is None
    assert not node.job.problems


def test_a_revocation_is_on_the_crl_within_two_seconds(node: Node, database: Database) -> None:
    node.run(5)
    database.revoke(7)
    node.run(2)
    assert node.serials() == {7}


def test_a_revocation_below_the_revision_that_the_crl_covers_is_listed_within_three_seconds(
    node: Node, database: Database
) -> None:
    """Plain SQL set the revision back, somebody revoked, and the revision rose again."""
    database.revision = 5000
    node.run(5)
    database.revision = 1
    database.revoke(7)
    database.revision = 6000
    node.run(3)
    assert node.serials() == {7}
    published = len(database.rows)
    node.run(60)
    assert len(database.rows) == published


def test_revocations_that_come_together_share_a_crl(node: Node, database: Database) -> None:
    node.run(5)
    before = len(database.rows)
    database.revoke(7)
    node.job.tick()
    database.revoke(8)
    database.steady += 0.4
    node.run(3)
    assert node.serials() == {7, 8}
    assert len(database.rows) == before + 1


def test_without_a_revocation_the_next_crl_comes_at_half_the_lifetime(node: Node, database: Database) -> None:
    node.run(5)
    database.steady = DAY / 2 - 60
    node.run(30)
    assert len(database.rows) == 1
    database.steady = DAY / 2 + 1
    node.run(1)
    assert [row.number for row in database.rows] == [1, 2]


def test_a_change_that_is_no_revocation_is_looked_at_once_and_publishes_nothing(
    node: Node, database: Database
) -> None:
    node.run(5)
    database.revision += 1
    database.searches = 0
    node.run(5)
    assert len(database.rows) == 1
    assert database.searches == 2  # once for each authority


def test_a_quiet_minute_reads_no_crl(node: Node, database: Database) -> None:
    node.run(5)
    database.reads_of_latest = 0
    node.run(60)
    assert database.reads_of_latest == 0


def test_one_node_publishes_and_the_other_shows_it(database: Database) -> None:
    first, second = Node(database, "a"), Node(database, "b")
    for _ in range(10):
        first.job.tick()
        second.job.tick()
        database.steady += TICK
    assert [row.number for row in database.rows] == [1]
    assert second.shown["issuing"].crl == database.rows[0]


def test_a_revocation_seen_by_two_nodes_makes_one_crl(database: Database) -> None:
    first, second = Node(database, "a"), Node(database, "b")
    for tick in range(20):
        if tick == 8:
            database.revoke(7)
        first.job.tick()
        second.job.tick()
        database.steady += TICK
    assert [row.number for row in database.rows] == [1, 2]
    assert second.serials() == {7}


def test_another_node_goes_on_when_the_holder_is_gone(database: Database) -> None:
    first, second = Node(database, "a"), Node(database, "b")
    first.run(2)
    database.revoke(7)
    second.run(LEASE_SECONDS + 4)
    assert second.serials() == {7}


def test_a_holder_that_stops_hands_over_at_once(database: Database) -> None:
    first, second = Node(database, "a"), Node(database, "b")
    first.run(2)
    first.job.stop()
    database.revoke(7)
    second.run(2)
    assert second.serials() == {7}


def test_a_crl_made_elsewhere_is_shown_within_the_reload_interval(node: Node, database: Database) -> None:
    node.run(5)
    newer = replace(database.rows[0], number=9, this_update=database.now(), marker=MARKER)
    database.rows.append(newer)
    node.run(2.5)
    assert node.shown["issuing"].crl == newer


def test_while_the_database_is_away_the_last_crl_stays_shown(node: Node, database: Database) -> None:
    node.run(5)
    database.down = True
    with pytest.raises(DatabaseDown):
        node.job.tick()
    assert node.shown["issuing"].crl == database.rows[0]


def test_an_issuing_key_that_does_not_open_is_a_problem_and_a_root_s_is_none(node: Node) -> None:
    node.holds_key = False
    node.run(2)
    assert node.job.problems == ("the CRL of issuing cannot be made: its key does not open",)
    node.holds_key = True
    node.run(10)
    assert not node.job.problems


def test_a_clock_that_jumped_is_a_problem_until_it_is_right(node: Node, database: Database) -> None:
    def jumped() -> datetime:
        raise ClockUnsafe("the clock jumped")

    right, database.now = database.now, jumped  # type: ignore[method-assign]  # the fault under test
    node.run(2)
    assert all("the clock jumped" in problem for problem in node.job.problems)
    assert node.job.problems
    database.now = right  # type: ignore[method-assign]
    node.run(10)
    assert not node.job.problems
    assert len(database.rows) == 1


def test_an_authority_added_later_gets_its_crl(node: Node, database: Database) -> None:
    node.run(5)
    database.authorities.append(_authority(3, "second", "issuing"))
    database.revision += 1
    node.run(2)
    assert node.shown["second"].crl is not None


def test_a_new_crl_lifetime_is_used_from_the_next_crl_on(node: Node, database: Database) -> None:
    node.run(5)
    old = database.authorities[1]
    database.authorities[1] = replace(old, revision=2, values={**old.values, "crl_lifetime_seconds": 3600})
    database.revoke(7)
    node.run(3)
    newest = database.rows[-1]
    assert newest.next_update - newest.this_update == timedelta(hours=1)


# What plain SQL alters.


def alter_crl(database: Database, index: int, **changes: object) -> None:
    database.rows[index] = replace(database.rows[index], **changes)  # type: ignore[arg-type]


def test_an_erased_revocation_is_named_within_two_seconds_and_stays_on_the_next_crl(
    node: Node, database: Database
) -> None:
    node.run(5)
    database.revoke(7)
    node.run(5)
    database.alter(7, revoked_at=None, revocation_reason=None, revoked_revision=None)
    node.run(1.5)
    (problem,) = node.job.problems
    assert f"{7:036x}" in problem
    database.revoke(8)
    node.run(3)
    assert node.serials() == {7, 8}
    assert [(event.kind, event.target) for event in database.found] == [
        ("certificate.altered", f"certificate:{7:036x}")
    ]


def test_a_forged_revocation_is_named_within_two_seconds_and_not_listed(
    node: Node, database: Database
) -> None:
    node.run(5)
    database.certificate_rows.append(marked_certificate(7))
    database.alter(7, revoked_at=database.now(), revocation_reason="superseded", revoked_revision=1)
    node.run(1.5)
    (problem,) = node.job.problems
    assert f"{7:036x}" in problem
    assert node.serials() == set()


def test_what_was_put_right_is_a_problem_no_longer(node: Node, database: Database) -> None:
    node.run(5)
    database.revoke(7)
    node.run(5)
    right = database.certificate_rows[0]
    database.alter(7, revoked_at=None)
    node.run(2)
    assert node.job.problems
    database.certificate_rows = [right]
    node.run(2)
    assert not node.job.problems


def test_many_altered_rows_are_counted_and_all_audited(node: Node, database: Database) -> None:
    node.run(5)
    for serial in range(1, 151):
        database.certificate_rows.append(marked_certificate(serial))
        database.alter(serial, revoked_at=database.now())
    node.run(5)
    assert len(node.job.problems) == 11
    assert "140 more certificates" in node.job.problems[-1]
    assert len({event.target for event in database.found}) == len(database.found) == 150


def test_a_crl_without_a_good_mark_is_neither_served_nor_built_upon(node: Node, database: Database) -> None:
    node.run(5)
    database.revoke(7)
    node.run(5)
    good = node.shown["issuing"].crl
    assert good is not None
    forged = replace(database.rows[0], number=9)
    database.rows.append(forged)
    node.run(2.5)
    shown = node.shown["issuing"].crl
    assert shown is not None
    assert shown.number == 10
    assert node.serials() == {7}
    (problem,) = node.job.problems
    assert "CRL 9 of issuing" in problem
    assert [event.kind for event in database.found] == ["crl.altered"]
    database.rows.remove(forged)
    node.run(31)
    assert not node.job.problems


def test_a_node_that_starts_serves_the_newest_crl_that_holds_its_mark(node: Node, database: Database) -> None:
    node.run(5)
    database.revoke(7)
    node.run(5)
    alter_crl(database, -1, covers_revision=999)
    starting = Node(database, "b")
    starting.job.tick()
    assert starting.shown["issuing"].crl == database.rows[0]
    assert "CRL 2 of issuing" in starting.job.problems[0]
    assert database.found == []  # the holder of the lease audits


def test_a_crl_that_was_deleted_is_published_anew_from_memory(node: Node, database: Database) -> None:
    node.run(5)
    database.revoke(7)
    node.run(5)
    del database.rows[:]
    database.certificate_rows.clear()
    node.run(3)
    assert [row.number for row in database.rows] == [3]
    assert node.serials() == {7}


def test_an_older_crl_never_takes_the_place_of_the_one_that_is_shown(node: Node, database: Database) -> None:
    node.run(5)
    database.revoke(7)
    node.run(5)
    node.holds_key = False
    del database.rows[-1]
    node.run(5)
    assert node.serials() == {7}


def test_a_root_whose_key_is_elsewhere_is_looked_after_as_well(node: Node, database: Database) -> None:
    node.run(5)
    database.certificate_rows.append(marked_certificate(7, authority_id=1))
    database.alter(7, revoked_at=database.now())
    node.run(6)
    assert any("of root was altered" in problem for problem in node.job.problems)


def test_who_loses_the_lease_leaves_the_revocations_to_the_holder(node: Node, database: Database) -> None:
    node.run(5)
    database.certificate_rows.append(marked_certificate(7))
    database.alter(7, revoked_at=database.now())
    node.run(2)
    assert node.job.problems
    database.lease = ("b", database.steady + 1000)
    node.run(LEASE_SECONDS + 4)
    assert not node.job.problems
