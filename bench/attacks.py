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
from typing import get_args

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
_PASSWORD_RATE = 100.0
_CERTIFICATE_RATE = 100.0
_ATTACK_RATE = 500.0
_ATTACKERS = 50


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
    """Enrolments at a steady rate, alone, and again beside 500 wrong credentials a second."""
    with est_server(plan.directory / "attack", plan.cores) as server:
        certificates = ClientCertificates.enrol(server, plan)
        before = _steady(server, certificates, plan, None)
        for name, stream in zip(("password", "client certificate"), before, strict=True):
            results.add(_at_a_rate(f"{name} at 100/s, fresh, undisturbed", stream))
        for connections in get_args(Connections):
            if connections == "resumed":
                continue
            during = _steady(server, certificates, plan, connections)
            for name, quiet, loud in zip(("password", "certificate"), before, during, strict=True):
                results.add(_at_a_rate(f"{name} at 100/s, fresh, beside 500 wrong/s ({connections})", loud))
                ratio = loud.percentile(99) / quiet.percentile(99)
                results.judge(
                    f"500 wrong credentials a second ({connections}): p99 of {name} at most doubles",
                    f"{ratio:.2f} x ({quiet.percentile(99):.2f} -> {loud.percentile(99):.2f} ms)",
                    ratio <= 2,
                )


def _steady(
    server: EstServer, certificates: ClientCertificates, plan: Plan, attack: Connections | None
) -> tuple[Outcome, Outcome]:
    seconds = plan.attack_seconds
    streams = [
        password_stream(server, seconds=seconds, rate=_PASSWORD_RATE),
        certificates.stream(ENROL, seconds=seconds, rate=_CERTIFICATE_RATE),
    ]
    if attack is not None:
        streams.append(
            Stream(
                exchanges=_guesses(server, close=attack == "fresh"),
                context=client_context(),
                connections=attack,
                width=WIDTH_AT_A_RATE,
                rate=_ATTACK_RATE,
            )
        )
    run(server.address, streams, seconds=1.5)
    outcomes = run(server.address, streams, seconds=seconds)
    check("enrolments beside an attack", outcomes)
    if attack is not None and not set(outcomes[2].statuses) <= {401, 429}:
        raise SystemExit(f"wrong credentials were answered {dict(outcomes[2].statuses)}")
    return outcomes[0], outcomes[1]


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
