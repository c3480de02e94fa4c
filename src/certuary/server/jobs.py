"""The background thread of a node's status process: it runs the jobs and keeps what the listener shows
up to date.

The thread owns its database connection. The event loop only ever reads `NodeState`, whose parts are
replaced whole.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from certuary.errors import CertuaryError, DatabaseDown
from certuary.status.documents import Document, PublishedAuthority, build_documents

_log = structlog.get_logger("certuary.jobs")

TICK_SECONDS = 0.5
_INSPECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeFacts:
    """What a look at this node's files tells."""

    passphrase_beside_keys: bool
    blocklist_entries: int
    tls_not_after: datetime | None


NOTHING_KNOWN = HomeFacts(passphrase_beside_keys=False, blocklist_entries=0, tls_not_after=None)


class NodeState:
    """Written by the thread, read by the event loop; each attribute refers to something immutable."""

    def __init__(self) -> None:
        self.authorities: tuple[PublishedAuthority, ...] = ()
        self.documents: Mapping[str, Document] = {}
        self.database_problem: str | None = "it has not answered yet"
        self.problems: tuple[str, ...] = ()
        self.home = NOTHING_KNOWN
        self.rounds = 0

    def publish(self, authorities: tuple[PublishedAuthority, ...]) -> None:
        self.authorities = authorities
        self.documents = build_documents(authorities)


class Job(Protocol):
    @property
    def problems(self) -> tuple[str, ...]: ...

    def tick(self) -> None: ...


class JobThread:
    """Runs the jobs one after the other, every half second. A job that fails does not stop the next round."""

    def __init__(
        self,
        jobs: Sequence[Job],
        state: NodeState,
        *,
        inspect_home: Callable[[], HomeFacts],
        steady: Callable[[], float],
        at_end: Callable[[], None],
    ) -> None:
        self._jobs = jobs
        self._state = state
        self._inspect_home = inspect_home
        self._inspect_at = float("-inf")
        self._steady = steady
        self._at_end = at_end
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_seconds: float) -> None:
        self._stop.set()
        self._thread.join(timeout_seconds)

    def round(self) -> None:
        """One round; nothing that goes wrong leaves it."""
        problems: list[str] = []
        self._state.database_problem = self._run_jobs(problems)
        self._inspect(problems)
        self._state.problems = tuple(problems)
        self._state.rounds += 1

    def _run(self) -> None:
        while not self._stop.is_set():
            self.round()
            self._stop.wait(TICK_SECONDS)
        try:
            self._at_end()
        except CertuaryError as problem:
            _log.warning("the jobs could not be handed over", problem=str(problem))

    def _run_jobs(self, problems: list[str]) -> str | None:
        for job in self._jobs:
            try:
                job.tick()
            except DatabaseDown as problem:
                return problem.detail
            except Exception as problem:
                _log.exception("a background job failed", job=type(job).__name__)
                problems.append(f"a background job failed ({type(job).__name__}): {_safe(problem)}")
            problems.extend(job.problems)
        return None

    def _inspect(self, problems: list[str]) -> None:
        if self._steady() < self._inspect_at:
            return
        try:
            self._state.home = self._inspect_home()
        except CertuaryError as problem:
            problems.append(str(problem))
            return  # looked at again in the next round, so that the problem stays shown
        self._inspect_at = self._steady() + _INSPECT_SECONDS


def _safe(problem: Exception) -> str:
    """Our own errors say what may be shown; of others only the log has the story."""
    return str(problem) if isinstance(problem, CertuaryError) else "see the log"
