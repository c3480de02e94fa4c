"""What a stranger can learn from refusals, and what a guesser can do to those who have a right to enrol."""

from __future__ import annotations

import itertools
import random
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from bench.load import Connections, Exchange, Outcome, Stream, client_context, run
from bench.material import basic, encode_enrolment, make_csr
from bench.plan import Plan
from bench.rates import WIDTH_AT_A_RATE, ClientCertificates, password_stream
from bench.records import PASSWORD, username
from bench.report import Measurement, Results
from bench.servers import ENROL, EstServer, check, est_server

_APPLICATIONS = 60
_RELOAD_SECONDS = 3.0
_ALIKE_WITHIN = 0.05
_RATE = 60.0
_ATTACK_RATE = 500.0
_ATTACKERS = 50
_SETTLE_SECONDS = 3.0
_WAYS = ("password", "certificate")


def refusals(plan: Plan, results: Results) -> None:
    """401s of each kind in a random order, one at a time, each from an address that has not been seen."""
    kinds = ("unknown user", "wrong password", "wrong network", "disabled", "expired")
    with est_server(plan.directory / "refusals", plan.cores) as server:
        _add_applications(server)
        order = [kind for _ in range(plan.refusals_per_kind) for kind in random.sample(kinds, len(kinds))]
        stream = Stream(exchanges=_refused(order), context=client_context(), width=1)
        reading = server.read("401, all kinds", [stream], seconds=len(order) * 0.5, warm_seconds=0.5)
    outcome = reading.outcome
    cpu = reading.measurement("401").cpu
    # The warm-up has used up the first ones.
    measured = order[-outcome.answered :]
    medians = {}
    for kind in kinds:
        times = [took for took, of in zip(outcome.times, measured, strict=True) if of == kind]
        medians[kind] = statistics.median(times) * 1000
        part = Outcome(times=times)
        results.add(
            Measurement(name=f"401, {kind}", cpu=cpu, p50=part.percentile(50), p99=part.percentile(99))
        )
    spread = max(medians.values()) / min(medians.values()) - 1
    results.judge(
        "401s: medians of unknown user, wrong password, wrong network, disabled (and expired) within 5 %",
        f"{spread:.1%} ({', '.join(f'{kind} {median:.2f} ms' for kind, median in medians.items())})",
        spread <= _ALIKE_WITHIN,
    )


def _refused(order: list[str]) -> Iterator[Exchange]:
    """The right password wherever it is not the password that is wrong: that must not show either."""
    csr = make_csr("refused")
    for turn, kind in enumerate(order):
        number = turn % _APPLICATIONS
        user, password = {
            "unknown user": (f"nobody-{secrets.token_hex(4)}", PASSWORD),
            "wrong password": (username("usable", number), secrets.token_hex(8)),
            "wrong network": (username("elsewhere", number), PASSWORD),
            "disabled": (username("disabled", number), PASSWORD),
            "expired": (username("expired", number), PASSWORD),
        }[kind]
        request = encode_enrolment(csr, path=ENROL, authorization=basic(user, password))
        yield Exchange(request=request, status=401, source=_loopback_address())


def attack(plan: Plan, results: Results) -> None:
    """Enrolments at a steady rate, alone, and again beside 500 wrong credentials a second.

    Guesses are made over connections of their own ("fresh") and over connections that stay open ("keep-alive").
    """
    with est_server(plan.directory / "attack", plan.cores) as server:
        certificates = ClientCertificates.enrol(server, plan)
        quiet = _steady(server, certificates, plan, None)
        for name in _WAYS:
            results.add(_at_a_rate(f"{name} at {_RATE:.0f}/s, fresh, undisturbed", quiet[name]))
        for connections in ("keep-alive", "fresh"):
            loud = _steady(server, certificates, plan, connections)
            guesses = f"{_ATTACK_RATE:.0f} wrong/s ({connections})"
            for name in _WAYS:
                results.add(_at_a_rate(f"{name} at {_RATE:.0f}/s, fresh, beside {guesses}", loud[name]))
                _judge(
                    f"beside {guesses}: p99 of {name} enrolments at most doubles",
                    quiet[name],
                    loud[name],
                    results,
                )
            answers = ", ".join(f"{status}: {count}" for status, count in loud["guesses"].statuses.items())
            results.note(f"{guesses}: {loud['guesses'].rate:.0f}/s were answered ({answers}).")


def _judge(target: str, quiet: Outcome, loud: Outcome, results: Results) -> None:
    before, during = quiet.percentile(99), loud.percentile(99)
    ratio = during / before
    results.judge(target, f"{ratio:.2f} x ({before:.2f} -> {during:.2f} ms)", ratio <= 2)


def _steady(
    server: EstServer, certificates: ClientCertificates, plan: Plan, attack: Connections | None
) -> dict[str, Outcome]:
    seconds = plan.attack_seconds + _SETTLE_SECONDS
    streams = {
        "password": password_stream(server, seconds=seconds, rate=_RATE),
        "certificate": certificates.stream(ENROL, seconds=seconds, rate=_RATE),
    }
    if attack is not None:
        streams["guesses"] = Stream(
            exchanges=_guesses(server, close=attack == "fresh"),
            context=client_context(),
            connections=attack,
            width=WIDTH_AT_A_RATE,
            rate=_ATTACK_RATE,
        )
    found = run(
        server.address, list(streams.values()), seconds=plan.attack_seconds, settle_seconds=_SETTLE_SECONDS
    )
    check("enrolments beside an attack", found)
    outcomes = dict(zip(streams, found, strict=True))
    if attack is not None and not set(outcomes["guesses"].statuses) <= {401, 429}:
        raise SystemExit(f"wrong credentials were answered {dict(outcomes['guesses'].statuses)}")
    return outcomes


def _guesses(server: EstServer, *, close: bool) -> Iterator[Exchange]:
    """Random names, every tenth time a name that exists; from fifty addresses of the application's network."""
    csr = make_csr("guess")
    for turn in itertools.count():
        user = server.username if turn % 10 == 0 else secrets.token_hex(6)
        yield Exchange(
            request=encode_enrolment(
                csr, path=ENROL, authorization=basic(user, secrets.token_hex(8)), close=close
            ),
            status=None,
            source=f"127.66.0.{1 + turn % _ATTACKERS}",
        )


def _at_a_rate(name: str, outcome: Outcome) -> Measurement:
    return Measurement(name=name, rate=outcome.rate, p50=outcome.percentile(50), p99=outcome.percentile(99))


def _add_applications(server: EstServer) -> None:
    home = str(server.server.home)
    subprocess.run([sys.executable, "-m", "bench.records", home, str(_APPLICATIONS)], check=True)
    time.sleep(_RELOAD_SECONDS)


def _loopback_address() -> str:
    return f"127.{random.randrange(1, 255)}.{random.randrange(1, 255)}.{random.randrange(1, 255)}"
