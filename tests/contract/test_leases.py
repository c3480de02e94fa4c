"""The contract of `LeaseStore` on both databases."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F

from certuary.store.leases import DjangoLeaseStore
from certuary.store.models import Lease

pytestmark = pytest.mark.usefixtures("database_url")


@pytest.fixture
def leases() -> DjangoLeaseStore:
    return DjangoLeaseStore()


def _shift_end(seconds: float) -> None:
    Lease.objects.update(expires_at=F("expires_at") + timedelta(seconds=seconds))


def test_a_lease_is_held_by_one_and_prolonged_by_it(leases: DjangoLeaseStore) -> None:
    assert leases.acquire("jobs", "a", seconds=10)
    assert not leases.acquire("jobs", "b", seconds=10)
    assert leases.acquire("jobs", "a", seconds=10)


def test_prolonging_moves_the_end(leases: DjangoLeaseStore) -> None:
    leases.acquire("jobs", "a", seconds=10)
    before = Lease.objects.get(name="jobs").expires_at
    leases.acquire("jobs", "a", seconds=15)
    assert Lease.objects.get(name="jobs").expires_at - before >= timedelta(seconds=5)


def test_a_lease_that_ran_out_is_taken_over(leases: DjangoLeaseStore) -> None:
    leases.acquire("jobs", "a", seconds=10)
    _shift_end(-11)
    assert leases.acquire("jobs", "b", seconds=10)
    assert not leases.acquire("jobs", "a", seconds=10)


def test_a_lease_given_back_is_free_at_once(leases: DjangoLeaseStore) -> None:
    leases.acquire("jobs", "a", seconds=10)
    leases.release("jobs", "a")
    assert leases.acquire("jobs", "b", seconds=10)


def test_nobody_gives_back_another_s_lease(leases: DjangoLeaseStore) -> None:
    leases.acquire("jobs", "a", seconds=10)
    leases.release("jobs", "b")
    assert not leases.acquire("jobs", "b", seconds=10)


def test_leases_of_other_names_are_independent(leases: DjangoLeaseStore) -> None:
    assert leases.acquire("jobs", "a", seconds=10)
    assert leases.acquire("other", "b", seconds=10)


def test_an_end_that_a_clock_far_ahead_wrote_blocks_nobody(leases: DjangoLeaseStore) -> None:
    leases.acquire("jobs", "a", seconds=10)
    _shift_end(3600)
    assert leases.acquire("jobs", "b", seconds=10)


def test_of_many_that_ask_at_once_one_gets_it(leases: DjangoLeaseStore) -> None:
    together = threading.Barrier(6)
    got: list[str] = []

    def ask(holder: str) -> None:
        together.wait()
        if leases.acquire("jobs", holder, seconds=10):
            got.append(holder)
        connection.close()

    threads = [threading.Thread(target=ask, args=(f"node-{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
