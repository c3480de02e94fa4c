"""CPU per enrolment: fresh and keep-alive, SQLite and PostgreSQL, password and certificate; and both floors."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs7

from bench.bare_cryptography import bare_microseconds
from bench.load import Exchange, Stream, client_context, run
from bench.material import Prepared, encode_enrolment, encode_get, make_csr, make_csrs
from bench.plan import Plan
from bench.report import Measurement, Results
from bench.servers import ENROL, REENROL, EstServer, check, empty_server, est_server, total
from tests.postgres import PostgresServer

_WIDTH = 8
_WIDE = 32
WIDTH_AT_A_RATE = 200

FRESH_LIMIT = {"SQLite": 2.2, "PostgreSQL": 1.8}
KEEP_ALIVE_LIMIT = {"SQLite": 3.2, "PostgreSQL": 2.5}


def sqlite(plan: Plan, results: Results) -> None:
    with est_server(plan.directory / "sqlite", plan.cores) as server:
        _all_ways("SQLite", server, plan, results)


def postgresql(plan: Plan, results: Results) -> None:
    with PostgresServer.start(durable=True) as postgres:
        postgres.create_database("postgresql")
        results.note(f"PostgreSQL {version_of(postgres)}, default settings, fsync on.")
        with est_server(plan.directory / "postgresql", plan.cores, postgres=postgres) as server:
            _all_ways("PostgreSQL", server, plan, results)


def _all_ways(database: str, server: EstServer, plan: Plan, results: Results) -> None:
    certificates = ClientCertificates.enrol(server, plan)
    _fresh_against_its_floor(database, server, plan, results)
    _kept_against_its_floor(database, server, plan, results)
    wide = (
        ("fresh", password_stream(server, seconds=plan.seconds, width=_WIDE)),
        ("keep-alive", kept_stream(server, seconds=plan.seconds, width=_WIDE)),
    )
    for what, stream in wide:
        name = f"{database}, {what}, password, {_WIDE} connections"
        results.add(server.read(name, [stream], seconds=plan.seconds).measurement(name))
    results.add(certificates.measure_fresh(f"{database}, fresh, client certificate", ENROL))
    results.add(certificates.measure_kept(f"{database}, keep-alive, client certificate"))
    results.add(certificates.measure_fresh(f"{database}, fresh, re-enrolment by certificate", REENROL))
    results.add(_measure_resumed(f"{database}, resumed, password", server, plan))


def _fresh_against_its_floor(database: str, server: EstServer, plan: Plan, results: Results) -> None:
    """In turns of a few seconds, so that both see the same machine."""
    name = f"{database}, fresh, password"
    empty_stream = Stream(
        exchanges=itertools.repeat(Exchange(request=encode_get("/"))), context=client_context(), width=_WIDTH
    )
    stream = password_stream(server, seconds=plan.seconds + plan.turns)
    resumed_before = server.resumed_sessions()
    rows, floors = [], []
    with empty_server(plan.cores) as empty:
        for _ in range(plan.turns):
            floors.append(empty.read("empty answer", [empty_stream], seconds=plan.turn_seconds))
            rows.append(server.read(name, [stream], seconds=plan.turn_seconds))
    _refuse_resumed(name, server, resumed_before)
    floor = total(floors).measurement(f"empty answer, fresh, in turns with {database}")
    row = total(rows).measurement(name)
    limit = FRESH_LIMIT[database]
    target = f"fresh connection, password, durable on {database}: at most {limit} x the empty answer"
    _judge(target, row, floor, limit, results)


def _kept_against_its_floor(database: str, server: EstServer, plan: Plan, results: Results) -> None:
    name = f"{database}, keep-alive, password"
    prepared = make_csrs(names("bare", 1500))
    stream = kept_stream(server, seconds=plan.seconds + plan.turns)
    rows, floors = [], []
    for _ in range(plan.turns):
        floors.append(bare_microseconds(prepared, plan.cores))
        rows.append(server.read(name, [stream], seconds=plan.turn_seconds))
    floor = Measurement(name=f"bare cryptography, in turns with {database}", cpu=sum(floors) / len(floors))
    limit = KEEP_ALIVE_LIMIT[database]
    target = f"keep-alive, password, durable on {database}: at most {limit} x the bare cryptography"
    _judge(target, total(rows).measurement(name), floor, limit, results)


def _judge(target: str, row: Measurement, floor: Measurement, limit: float, results: Results) -> None:
    assert row.cpu is not None
    assert floor.cpu is not None
    results.add(floor)
    results.add(row)
    ratio = row.cpu / floor.cpu
    results.judge(target, f"{ratio:.2f} x ({row.cpu:.0f} µs / {floor.cpu:.0f} µs)", ratio <= limit)


def measure_fresh(name: str, server: EstServer, plan: Plan, *, rate: float | None = None) -> Measurement:
    """Enrolments by password, each on a connection of its own; fails if the server saw a session resumed."""
    stream = password_stream(server, seconds=plan.seconds, rate=rate)
    return _not_resumed(name, server, [stream], plan.seconds)


def password_stream(
    server: EstServer, *, seconds: float, width: int = _WIDTH, rate: float | None = None
) -> Stream:
    count = int((seconds + 2) * (rate or 1800))
    exchanges = server.enrolments(make_csrs(names("fresh", count)), close=True)
    width = width if rate is None else WIDTH_AT_A_RATE
    return Stream(exchanges=exchanges, context=client_context(), width=width, rate=rate)


def kept_stream(server: EstServer, *, seconds: float, width: int = _WIDTH) -> Stream:
    exchanges = server.enrolments(make_csrs(names("kept", int((seconds + 2) * 4000))), close=False)
    return Stream(exchanges=exchanges, context=client_context(), connections="keep-alive", width=width)


def _measure_resumed(name: str, server: EstServer, plan: Plan) -> Measurement:
    exchanges = server.enrolments(make_csrs(names("resumed", int((plan.seconds + 2) * 1800))), close=True)
    stream = Stream(exchanges=exchanges, context=client_context(), connections="resumed", width=_WIDTH)
    reading = server.read(name, [stream], seconds=plan.seconds)
    resumed, answered = reading.outcome.resumed, reading.outcome.answered
    if resumed < answered * 0.9:
        raise SystemExit(f"{name}: only {resumed} of {answered} sessions were resumed")
    return reading.measurement(name)


def _not_resumed(name: str, server: EstServer, streams: Sequence[Stream], seconds: float) -> Measurement:
    before = server.resumed_sessions()
    reading = server.read(name, streams, seconds=seconds)
    _refuse_resumed(name, server, before)
    return reading.measurement(name)


def _refuse_resumed(name: str, server: EstServer, before: int) -> None:
    resumed = server.resumed_sessions() - before
    if resumed:
        raise SystemExit(f"{name}: the server counted {resumed} resumed sessions; this row is not fresh")


class ClientCertificates:
    """Many devices, each with a certificate of this server, and what they send."""

    def __init__(self, server: EstServer, plan: Plan, files: Sequence[Path]) -> None:
        self._server = server
        self._plan = plan
        self._contexts = [client_context(str(file)) for file in files]

    @classmethod
    def enrol(cls, server: EstServer, plan: Plan) -> ClientCertificates:
        directory = plan.directory / f"{server.server.home.name}-devices"
        directory.mkdir()
        files = []
        for number in range(plan.client_certificates):
            file = directory / f"{number}.pem"
            file.write_bytes(_enrol_device(server, _device(number)))
            files.append(file)
        return cls(server, plan, files)

    def measure_fresh(self, name: str, path: str) -> Measurement:
        stream = self.stream(path, seconds=self._plan.seconds)
        return _not_resumed(name, self._server, [stream], self._plan.seconds)

    def stream(self, path: str, *, seconds: float, rate: float | None = None) -> Stream:
        """Every request over a new connection, with the next device's certificate."""
        count = int((seconds + 2) * (rate or 1500))
        numbers = [number % len(self._contexts) for number in range(count)]
        prepared = make_csrs(map(_device, numbers))
        exchanges = [
            self._exchange(one, path, close=True, number=number)
            for one, number in zip(prepared, numbers, strict=True)
        ]
        width = _WIDTH if rate is None else WIDTH_AT_A_RATE
        return Stream(exchanges=iter(exchanges), context=self._contexts[0], width=width, rate=rate)

    def measure_kept(self, name: str) -> Measurement:
        """Eight devices at a time, each on its own connection."""
        count = int((self._plan.seconds + 2) * 4000 / _WIDTH)
        streams = []
        for number in range(_WIDTH):
            prepared = make_csrs([_device(number)] * count)
            exchanges = [self._exchange(one, ENROL, close=False, number=number) for one in prepared]
            streams.append(
                Stream(
                    exchanges=iter(exchanges),
                    context=self._contexts[number],
                    connections="keep-alive",
                    width=1,
                )
            )
        return self._server.read(name, streams, seconds=self._plan.seconds).measurement(name)

    def _exchange(self, prepared: Prepared, path: str, *, close: bool, number: int) -> Exchange:
        return Exchange(
            request=encode_enrolment(prepared, path=path, close=close),
            key_der=prepared.key_der,
            context=self._contexts[number],
        )


def _enrol_device(server: EstServer, name: str) -> bytes:
    """Key and certificate in PEM, enrolled by password."""
    key = ec.generate_private_key(ec.SECP256R1())
    [exchange] = server.enrolments([make_csr(name, key)], close=True)
    stream = Stream(exchanges=iter([exchange]), context=client_context(), width=1)
    [outcome] = run(server.address, [stream], seconds=30, limit=1)
    check(name, [outcome])
    [certificate] = pkcs7.load_der_pkcs7_certificates(outcome.last_body)
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return key_pem + certificate.public_bytes(Encoding.PEM)


def version_of(postgres: PostgresServer) -> str:
    with psycopg.connect(postgres.url("postgres")) as connection:
        return psycopg.pq.version_pretty(connection.info.server_version)


def _device(number: int) -> str:
    return f"device-{number:05d}"


def names(prefix: str, count: int) -> Iterator[str]:
    """In no order, as a fleet enrols: its subjects land all over the index."""
    return (f"{prefix}-{os.urandom(5).hex()}" for _ in range(count))
