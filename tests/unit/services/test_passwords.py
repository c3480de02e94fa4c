from __future__ import annotations

import threading
from collections.abc import Iterable
from ipaddress import ip_address

import pytest

from certuary.core.values import Address
from certuary.errors import RateLimited
from certuary.services import password_checker, password_quota
from certuary.services.credential_cache import CredentialCache
from certuary.services.password_checker import PasswordChecker
from certuary.services.password_quota import Lane, PasswordQuota
from certuary.services.passwords import Passwords, generate_password

HERE = ip_address("10.0.0.7")
THERE = ip_address("10.0.0.8")


def test_a_password_fits_its_hash_only_with_the_same_pepper() -> None:
    passwords = Passwords(b"pepper")
    stored = passwords.hash("correct horse")
    assert passwords.verify(stored, "correct horse")
    assert not passwords.verify(stored, "wrong horse")
    assert not Passwords(b"other pepper").verify(stored, "correct horse")
    assert not passwords.verify("not a hash", "correct horse")


def test_generated_passwords_are_long_and_different() -> None:
    made = {generate_password() for _ in range(50)}
    assert len(made) == 50
    assert all(len(password) == 29 for password in made)


def test_the_cache_knows_a_password_until_it_was_not_used_for_its_time() -> None:
    cache = CredentialCache(b"k" * 32, ttl_seconds=10)
    cache.remember("plant", "secret", "hash-1", steady_now=100)
    assert cache.holds("plant", "secret", "hash-1", steady_now=109)
    assert cache.holds("plant", "secret", "hash-1", steady_now=118)
    assert not cache.holds("plant", "secret", "hash-1", steady_now=128)
    assert not cache.holds("plant", "secret", "hash-1", steady_now=118)


@pytest.mark.parametrize(
    ("username", "password", "stored_hash"),
    [
        ("plant", "secret", "hash-2"),
        ("plant", "Secret", "hash-1"),
        ("plan", "tsecret", "hash-1"),
        ("plants", "ecret", "hash-1"),
        ("lab", "secret", "hash-1"),
    ],
)
def test_the_cache_misses_when_any_part_differs(username: str, password: str, stored_hash: str) -> None:
    cache = CredentialCache(b"k" * 32)
    cache.remember("plant", "secret", "hash-1", steady_now=0)
    assert not cache.holds(username, password, stored_hash, steady_now=1)


def test_the_cache_forgets_the_oldest_when_full() -> None:
    cache = CredentialCache(b"k" * 32, capacity=2)
    for username in ("a", "b", "c"):
        cache.remember(username, "x", "h", steady_now=0)
    assert [cache.holds(one, "x", "h", steady_now=1) for one in "abc"] == [False, True, True]


def admit(
    quota: PasswordQuota, username: str, *, at: float = 0.0, address: Address = HERE, own: bool = False
) -> Lane | None:
    return quota.admit(username, address, known=own, on_own_network=own, steady_now=at)


def count(lanes: Iterable[Lane | None]) -> int:
    return sum(lane is not None for lane in lanes)


def test_guessing_from_one_address_is_slowed_whatever_names_it_uses() -> None:
    quota = PasswordQuota()
    admitted = count(admit(quota, f"user-{number}") for number in range(1000))
    assert admitted == password_quota.ADDRESS_BURST + password_quota.STRANGERS_BURST


def test_guessing_one_name_from_many_addresses_is_slowed() -> None:
    quota = PasswordQuota()
    addresses = [ip_address(0x0A000000 + number) for number in range(1000)]
    lanes = [quota.admit("plant", one, known=True, on_own_network=False, steady_now=0) for one in addresses]
    assert count(lanes) == password_quota.USERNAME_BURST


def test_an_application_on_its_own_network_is_checked_once_a_second_under_any_flood() -> None:
    quota = PasswordQuota()
    while admit(quota, "plant"):
        pass
    assert admit(quota, "plant", own=True) is Lane.RESERVED
    assert admit(quota, "plant", own=True, at=0.01) is None


def test_the_reserve_treats_names_that_do_not_exist_alike() -> None:
    quota = PasswordQuota()
    lanes = [admit(quota, "nobody") for _ in range(50)]
    assert lanes[0] is Lane.ORDINARY
    assert Lane.RESERVED in lanes
    assert lanes[-1] is None


def test_the_quota_recovers_with_time() -> None:
    quota = PasswordQuota()
    while admit(quota, "plant"):
        pass
    assert admit(quota, "plant", at=5.0)


def test_ipv6_addresses_of_one_network_count_as_one() -> None:
    quota = PasswordQuota()
    addresses = [ip_address(f"2001:db8::{number:x}") for number in range(1, 500)]
    lanes = [
        quota.admit(f"u{number}", one, known=True, on_own_network=False, steady_now=0)
        for number, one in enumerate(addresses)
    ]
    assert count(lanes) == password_quota.ADDRESS_BURST


def test_the_quota_remembers_a_bounded_number_of_names() -> None:
    buckets = password_quota._Buckets(1.0, 1.0)
    for number in range(password_quota.CAPACITY + 10):
        buckets.take(number, 0.0)
    assert len(buckets._buckets) == password_quota.CAPACITY


class SlowPasswords(Passwords):
    """Holds each check until it is let go, and remembers the order."""

    def __init__(self) -> None:
        super().__init__(b"pepper")
        self.started = threading.Event()
        self.go = threading.Event()
        self.order: list[str] = []

    def verify(self, stored_hash: str, password: str) -> bool:
        self.started.set()
        self.go.wait(10)
        self.order.append(password)
        if password == "explode":
            raise RuntimeError("broken")
        return password == stored_hash


def test_checks_of_the_reserve_go_first() -> None:
    passwords = SlowPasswords()
    checker = PasswordChecker(passwords)
    futures = [checker.check("a", "first", reserved=False), checker.check("a", "second", reserved=False)]
    futures.append(checker.check("reserved", "reserved", reserved=True))
    passwords.go.set()
    results = [future.result(10) for future in futures]
    checker.close()
    assert results == [False, False, True]
    assert passwords.order.index("reserved") < passwords.order.index("second")


def test_too_many_waiting_checks_are_refused_and_not_queued() -> None:
    passwords = SlowPasswords()
    checker = PasswordChecker(passwords)
    checker.check("a", "running", reserved=False)
    while passwords.started.wait(10) and len(checker._waiting) < password_checker.MAX_WAITING:
        checker.check("a", "b", reserved=False)
    with pytest.raises(RateLimited) as refused:
        checker.check("a", "b", reserved=False)
    assert refused.value.retry_after >= 1
    passwords.go.set()
    checker.close()


def test_a_failing_check_fails_its_own_caller_only() -> None:
    passwords = SlowPasswords()
    passwords.go.set()
    checker = PasswordChecker(passwords)
    broken = checker.check("a", "explode", reserved=False)
    fine = checker.check("a", "a", reserved=False)
    with pytest.raises(RuntimeError):
        broken.result(10)
    assert fine.result(10)
    checker.close()


def test_a_check_without_a_stored_hash_is_false_after_the_same_work() -> None:
    checker = PasswordChecker(Passwords(b"pepper"))
    assert checker.check(None, "anything", reserved=False).result(10) is False
    checker.close()


def test_a_cancelled_check_does_not_run() -> None:
    passwords = SlowPasswords()
    checker = PasswordChecker(passwords)
    checker.check("a", "first", reserved=False)
    cancelled = checker.check("a", "never", reserved=False)
    assert cancelled.cancel()
    last = checker.check("a", "last", reserved=False)
    passwords.go.set()
    last.result(10)
    checker.close()
    assert passwords.order == ["first", "last"]
