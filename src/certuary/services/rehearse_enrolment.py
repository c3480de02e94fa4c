"""Rehearse an enrolment: every rule that a request would meet, in order, issuing nothing and storing nothing.

The rules are those of `find_profile`, `why_not` and `plan_enrolment`; none is written here a second time. What a dry
run cannot know it takes for right: the password, the connection that a challengePassword is bound to, and that the
workers hold the authority's key.
"""

from __future__ import annotations

import binascii
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Protocol

from certuary.core.certificate import CertificatePlan
from certuary.core.csr import Csr, parse_csr
from certuary.core.enrolment_step import Step
from certuary.core.est import Operation
from certuary.core.transfer import decode_body
from certuary.core.values import SERIAL_RANDOM_OCTETS, fold_address, make_serial
from certuary.errors import BodyTooLarge, CertuaryError, NotAuthenticated
from certuary.services.authenticate import Caller, why_not
from certuary.services.authorise import find_profile
from certuary.services.enrol import EnrolDeps, EnrolRequest, plan_enrolment
from certuary.services.keys_in_flight import KeysInFlight
from certuary.services.ports import Clock
from certuary.services.snapshot import ActiveProfile, Snapshot

LONGEST_BODY: Final = 64 * 1024
"""As the EST listener takes it."""


class Outcome(StrEnum):
    PASSED = "passed"
    STOPPED = "stopped here"
    NOT_REACHED = "not reached"


class SnapshotSource(Protocol):
    """`services.load_snapshot.SnapshotLoader`, as far as it is needed here."""

    def load(self) -> Snapshot: ...

    def refresh(self) -> Snapshot | None: ...


class CurrentSnapshot:
    """The configuration as it is at the call, read again only where it changed. For any thread."""

    def __init__(self, source: SnapshotSource) -> None:
        self._source = source
        self._snapshot: Snapshot | None = None
        self._lock = threading.Lock()

    def __call__(self) -> Snapshot:
        with self._lock:
            if self._snapshot is None:
                self._snapshot = self._source.load()
            else:
                self._snapshot = self._source.refresh() or self._snapshot
            return self._snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalDeps:
    """`snapshot` is what the database says now, with stand-ins for the issuing keys, which the portal does not hold."""

    snapshot: Callable[[], Snapshot]
    enrol: EnrolDeps
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What is asked. `application_id` of an application whose password is taken for right."""

    operation: Operation
    label: str | None
    body: bytes
    application_id: int
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    step: Step
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """`refusal` is what the client would be told, `reason` what the audit event would say beside it. `csr` is there
    when the request can be read at all, `plan` when it would be granted."""

    steps: tuple[StepResult, ...]
    refusal: CertuaryError | None
    reason: str
    csr: Csr | None
    plan: CertificatePlan | None
    profile: ActiveProfile | None
    replaces: str | None


def rehearse_enrolment(asked: Rehearsal, deps: RehearsalDeps) -> Rehearsed:
    """`BodyTooLarge` for what the listener would not even read. Reads the database; blocking."""
    if len(asked.body) > LONGEST_BODY:
        raise BodyTooLarge("a request's body is at most 64 KiB")
    return _Walk(asked, deps).result()


class _Walk:
    """One rehearsal, from the first step to where it stops."""

    def __init__(self, asked: Rehearsal, deps: RehearsalDeps) -> None:
        self._asked = asked
        self._deps = deps
        self._reached: list[Step] = []
        self._csr = _readable(asked.body)
        self._profile: ActiveProfile | None = None
        self._plan: CertificatePlan | None = None
        self._replaces: str | None = None

    def result(self) -> Rehearsed:
        refusal: CertuaryError | None = None
        try:
            self._take()
        except CertuaryError as problem:
            refusal = problem
        return Rehearsed(
            steps=_results(self._reached, is_stopped=refusal is not None),
            refusal=refusal,
            reason=refusal.reason if isinstance(refusal, NotAuthenticated) else "",
            csr=self._csr,
            plan=self._plan,
            profile=self._profile,
            replaces=self._replaces,
        )

    def _take(self) -> None:
        asked, now, snapshot = self._asked, self._deps.clock.now(), self._deps.snapshot()
        self._reached.append(Step.ENDPOINT)
        self._profile = find_profile(snapshot, asked.label)
        self._reached.append(Step.APPLICATION)
        application = snapshot.applications_by_id.get(asked.application_id)
        reason = why_not(application, fold_address(asked.address), now)
        if application is None or reason is not None:
            raise NotAuthenticated(str(reason))
        caller = Caller(application=application, certificate=None, by_password=True)
        request = EnrolRequest(
            operation=asked.operation,
            label=asked.label,
            body=asked.body,
            request_id="",
            address=asked.address,
            now=now,
            serial=make_serial(int(now.timestamp() * 1000), secrets.token_bytes(SERIAL_RANDOM_OCTETS)),
            tls_unique=self._fitting_tls_unique,
        )
        # A set of its own: a dry run holds up nobody's key, and nobody else's holds up a dry run.
        deps = replace(self._deps.enrol, keys_in_flight=KeysInFlight())
        planned = plan_enrolment(request, caller, snapshot, self._profile, deps, self._reached.append)
        self._plan, self._replaces = planned.plan, planned.replaces

    def _fitting_tls_unique(self) -> bytes | None:
        """A dry run has no connection, so the challengePassword is compared with itself: what is left of the rule is
        that it must be base64."""
        assert self._csr is not None
        assert self._csr.challenge_password is not None
        try:
            return binascii.a2b_base64(self._csr.challenge_password.encode(), strict_mode=True)
        except binascii.Error:
            return b""


def _readable(body: bytes) -> Csr | None:
    """For showing it, also where a step before the reading of it stops the request."""
    try:
        return parse_csr(decode_body(body))
    except CertuaryError:
        return None


def _results(reached: list[Step], *, is_stopped: bool) -> tuple[StepResult, ...]:
    stopped_at = reached[-1] if is_stopped else None
    found = []
    for step in Step:
        outcome = Outcome.PASSED if step in reached else Outcome.NOT_REACHED
        found.append(StepResult(step=step, outcome=Outcome.STOPPED if step is stopped_at else outcome))
    return tuple(found)
