"""A worker whose configuration goes back, or cannot be read any more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest

from certuary.errors import DatabaseDown
from certuary.server import worker as worker_module
from certuary.server.child import ChildOrders
from certuary.server.config import Settings
from certuary.server.worker import Worker, _Current
from certuary.services.certificate_directory import CertificateDirectory
from certuary.services.snapshot import Snapshot
from tests.memory_records import MARKER, nothing_listed
from tests.unit.services.builders import snapshot
from tests.unit.services.enrolling import AUTHORITY, MemoryCertificates, issued_row


class Loader:
    def __init__(self) -> None:
        self.answer: Callable[[], Snapshot | None] = lambda: None
        self.problems = ()

    def refresh(self) -> Snapshot | None:
        return self.answer()

    def take_revoked(self) -> tuple[tuple[int, int], ...]:
        return ()


class Nothing:
    problem = None

    def refresh(self) -> None: ...

    def current(self) -> None: ...


class Reloading:
    """A worker with nothing but what reloads its configuration."""

    def __init__(self, home: Path) -> None:
        orders = ChildOrders(
            home=home,
            flags={},
            listen_fd=-1,
            board_fd=-1,
            slot=0,
            role_keys={},
            node="n",
            stream="s",
            stream_key=b"k",
            trust="",
        )
        self.worker = cast(Any, Worker(orders, Settings(home=home), -1))
        self.loader = Loader()
        self.worker._stream_is_open = True
        self.worker._loader = self.loader
        self.worker._loaded = snapshot(revision=5)
        self.worker._current = _Current(snapshot=self.worker._loaded)
        self.worker._directory = CertificateDirectory(MemoryCertificates(), MARKER, nothing_listed)
        self.worker._identity = self.worker._blocklist_file = Nothing()

    def reload(self) -> None:
        with ThreadPoolExecutor(max_workers=1) as self.worker._reloading:
            asyncio.run(self.worker._reload())
        self.worker._disable_when_stale()

    @property
    def disabled_reason(self) -> str | None:
        return self.worker._current.snapshot.disabled_reason  # type: ignore[no-any-return]


@pytest.fixture
def reloading(tmp_path: Path) -> Reloading:
    return Reloading(tmp_path)


def raising(problem: Exception) -> Callable[[], Snapshot | None]:
    def refresh() -> Snapshot | None:
        raise problem

    return refresh


@pytest.mark.parametrize("problem", [DatabaseDown("away"), ValueError("month must be in 1..12")])
def test_est_is_disabled_while_the_configuration_cannot_be_read_for_long(
    reloading: Reloading, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    reloading.loader.answer = raising(problem)
    reloading.reload()
    assert reloading.disabled_reason is None
    monkeypatch.setattr(worker_module, "STALE_SECONDS", 0.0)
    time.sleep(0.01)
    reloading.reload()
    assert reloading.disabled_reason == "the configuration cannot be read from the database"
    monkeypatch.undo()
    reloading.loader.answer = lambda: None
    reloading.reload()
    assert reloading.disabled_reason is None


def test_certificates_are_looked_up_anew_when_an_older_database_takes_over(reloading: Reloading) -> None:
    row = issued_row()
    known = reloading.worker._directory = CertificateDirectory(
        MemoryCertificates(row), MARKER, nothing_listed
    )
    known.look_up(row.der, (AUTHORITY,))
    reloading.loader.answer = lambda: snapshot(revision=6)
    reloading.reload()
    assert known.remembered(row.der) is not None
    reloading.loader.answer = lambda: snapshot(revision=4)
    reloading.reload()
    assert known.remembered(row.der) is None
