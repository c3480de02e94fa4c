"""What the database holds of enrolments, read past the server, and what must hold of it after any accident."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certuary.core.values import serial_to_text
from certuary.server.config import load_settings
from tests.fault.load import Received

_CERTIFICATES = "SELECT serial, profile_version_id, der FROM certificates WHERE source = 'est'"
_ENROLMENTS = (
    "SELECT request_id, serial, profile_version_id, csr_der FROM enrolments WHERE outcome = 'issued'"
)
_EVENTS = "SELECT request_id, target, detail FROM audit_events WHERE kind = 'enrolment.issued'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Rows by serial number. A serial, or a request, that comes twice is in `repeated`."""

    certificates: dict[str, tuple[int, bytes]]
    """Profile version and DER."""
    enrolments: dict[str, tuple[str, int, bytes]]
    """Request, profile version and CSR."""
    events: dict[str, tuple[str, dict[str, Any]]]
    """Request and detail."""
    repeated: tuple[str, ...]

    @property
    def common_names(self) -> set[str]:
        return {_common_name(der) for _, der in self.certificates.values()}


def query(home: Path, statement: str) -> list[tuple[Any, ...]]:
    database = load_settings(home).database
    if database.startswith("sqlite:///"):
        path = database.removeprefix("sqlite:///")
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
            return connection.execute(statement).fetchall()
    with psycopg.connect(database) as server:
        return server.execute(statement.encode()).fetchall()


def execute(home: Path, script: str) -> None:
    """Statements in one transaction, as plain SQL."""
    database = load_settings(home).database
    if database.startswith("sqlite:///"):
        path = database.removeprefix("sqlite:///")
        with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection:
            connection.executescript(f"BEGIN IMMEDIATE; {script} COMMIT;")
        return
    with psycopg.connect(database) as server:
        server.execute(script.encode())


def read_ledger(home: Path) -> Ledger:
    certificates, enrolments, events = (
        query(home, statement) for statement in (_CERTIFICATES, _ENROLMENTS, _EVENTS)
    )
    seen = Counter[str]()
    for row in certificates:
        seen[f"certificate {row[0]}"] += 1
    for row in enrolments:
        seen[f"enrolment of {row[1]}"] += 1
        seen[f"enrolment by request {row[0]}"] += 1
    for row in events:
        seen[f"event of {row[1]}"] += 1
        seen[f"event by request {row[0]}"] += 1
    return Ledger(
        certificates={serial: (version, bytes(der)) for serial, version, der in certificates},
        enrolments={
            serial: (request_id, version, bytes(csr)) for request_id, serial, version, csr in enrolments
        },
        events={
            target.removeprefix("certificate:"): (request_id, json.loads(detail))
            for request_id, target, detail in events
        },
        repeated=tuple(what for what, times in seen.items() if times > 1),
    )


def check_ledger(home: Path, received: Sequence[Received]) -> Ledger:
    """Nothing lost, nothing twice, nothing half-written."""
    ledger = read_ledger(home)
    assert ledger.repeated == ()
    assert ledger.certificates.keys() == ledger.enrolments.keys() == ledger.events.keys()
    for serial, (_, der) in ledger.certificates.items():
        request_id, _, csr = ledger.enrolments[serial]
        assert ledger.events[serial][0] == request_id
        assert _key(x509.load_der_x509_csr(csr)) == _key(x509.load_der_x509_certificate(der))
    for one in received:
        serial = serial_to_text(one.certificate.serial_number)
        assert serial in ledger.certificates, f"{one.common_name} was acknowledged, and is lost"
        assert ledger.certificates[serial][1] == one.certificate.public_bytes(Encoding.DER)
        assert ledger.enrolments[serial][0] == one.request_id
    return ledger


def _key(of: x509.Certificate | x509.CertificateSigningRequest) -> object:
    return of.public_key()


def _common_name(der: bytes) -> str:
    (attribute,) = x509.load_der_x509_certificate(der).subject.get_attributes_for_oid(
        x509.NameOID.COMMON_NAME
    )
    return str(attribute.value)
