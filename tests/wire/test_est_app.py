"""The EST application in-process: what may change while a request waits."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

import certuary
from certuary.core.blocklist import EMPTY
from certuary.core.certificate import KEY_TYPES, build_root, sign_plan
from certuary.core.profile import Profile, compile_profile, issuer_facts
from certuary.core.values import fold_address
from certuary.est.app import build
from certuary.est.deps import EstDeps
from certuary.services.certificate_directory import CertificateDirectory
from certuary.services.credential_cache import CredentialCache
from certuary.services.enrol import EnrolDeps
from certuary.services.guarded_clock import GuardedClock, utc_now
from certuary.services.keys_in_flight import KeysInFlight
from certuary.services.password_quota import PasswordQuota
from certuary.services.ports import BatchItem
from certuary.services.snapshot import ActiveProfile, Authority, Snapshot
from tests.memory_records import MARKER, nothing_listed
from tests.unit.services.builders import application, snapshot

PROFILE_TOML = (Path(certuary.__file__).parent / "profiles/tls-device.toml").read_text()


class NoTls:
    certificate_der = None
    version = "TLSv1.3"
    memo: object = None
    address = fold_address("127.0.0.1")
    address_text = "127.0.0.1"

    def unique(self) -> bytes | None:
        return None


class Committed:
    def __init__(self) -> None:
        self.items: list[BatchItem] = []

    def submit_async(self, item: BatchItem, loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
        self.items.append(item)
        future: asyncio.Future[None] = loop.create_future()
        future.set_result(None)
        return future


class HeldChecker:
    """Every password fits, once `release` is called."""

    def __init__(self) -> None:
        self.waiting: Future[bool] = Future()

    def check(self, stored_hash: str | None, password: str, *, reserved: bool) -> Future[bool]:
        return self.waiting

    def release(self) -> None:
        self.waiting.set_result(True)


@dataclass
class World:
    """`current` is the snapshot in force."""

    current: Snapshot
    checker: HeldChecker
    writer: Committed

    def deps(self) -> EstDeps:
        return EstDeps(
            snapshot=lambda: self.current,
            clock=GuardedClock(wall=utc_now, steady=time.monotonic, newest_event_at=None),
            steady=time.monotonic,
            writer=self.writer,
            directory=CertificateDirectory(cast(Any, None), MARKER, nothing_listed),
            credentials=CredentialCache(os.urandom(32)),
            quota=PasswordQuota(),
            checker=cast(Any, self.checker),
            enrol=EnrolDeps(
                reader=cast(Any, None),
                blocklist=lambda: EMPTY,
                keys_in_flight=KeysInFlight(),
                is_listed=nothing_listed,
                marker=MARKER,
            ),
            blocking=ThreadPoolExecutor(max_workers=1),
            random_octets=os.urandom,
            count=lambda what: None,
        )


def usable_profile() -> ActiveProfile:
    key = KEY_TYPES["ec-p256"].generate()
    now = datetime.now(UTC)
    root = sign_plan(build_root(key.public_key(), organization="Test", serial=1, now=now), key)
    profile = Profile.from_toml(PROFILE_TOML)
    authority = Authority(
        id=1,
        name="issuing",
        certificate=root.certificate,
        certificate_der=root.der,
        chain=(root.der,),
        key_name="issuing",
        signer=key,
    )
    facts = issuer_facts(root.certificate, name="issuing", status_url="")
    compiled = compile_profile(profile, facts)
    return ActiveProfile(
        id=1, version_id=1, version=1, profile=profile, authority=authority, compiled=compiled
    )


@pytest.fixture
def world() -> World:
    made = snapshot(application(), profiles={1: usable_profile()})
    return World(current=made, checker=HeldChecker(), writer=Committed())


async def ask(world: World, while_it_waits: Snapshot | None) -> int:
    """The status of a request whose password waits for its check while the configuration changes."""
    statuses: list[int] = []

    async def receive() -> Mapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    headers = [(b"authorization", b"Basic " + base64.b64encode(b"plant:secret"))]
    scope = {
        "method": "GET",
        "raw_path": b"/est/cacerts",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "extensions": {"certuary.tls": NoTls()},
    }
    request = asyncio.ensure_future(build(world.deps())(scope, receive, send))
    await asyncio.sleep(0.01)
    assert not statuses, "it waits"
    if while_it_waits is not None:
        world.current = while_it_waits
    world.checker.release()
    await asyncio.wait_for(request, 5)
    return statuses[0]


def test_a_password_that_waited_is_accepted_while_nothing_changed(world: World) -> None:
    assert asyncio.run(ask(world, None)) == 200


def test_an_application_disabled_while_its_password_waits_is_out(world: World) -> None:
    disabled = application(enabled=False)
    changed = replace(
        world.current, applications={"plant": disabled}, applications_by_id={1: disabled}, revision=2
    )
    assert asyncio.run(ask(world, changed)) == 401


def test_est_disabled_while_a_password_waits_is_disabled_for_it(world: World) -> None:
    changed = replace(world.current, disabled_reason="a property is missing", revision=2)
    assert asyncio.run(ask(world, changed)) == 503


def test_another_change_meanwhile_is_no_refusal(world: World) -> None:
    assert asyncio.run(ask(world, replace(world.current, revision=2))) == 200
