"""Enrolment while the other processes of a node are busy: pages read, users written, CRLs made.

Run as `python -m bench.neighbours HOME STATUS_URL SECONDS` it is the busy one.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from bench.fill import fill, revoke_newest
from bench.plan import Plan
from bench.rates import measure_fresh
from bench.report import Results
from bench.servers import est_server
from certuary.core.mark import Marker
from certuary.core.values import serial_from_text
from certuary.server.config import load_settings
from certuary.server.wiring import home_marker, open_store, unlock_keys
from certuary.services.ports import RecordStore
from certuary.services.revoke import Revocation, revoke

_RATE = 200.0
_PAGES = ("/readyz", "/metrics", "/crl/issuing.crl", "/ca.pem")
_PAUSE_SECONDS = 0.05
_USER_EVERY = 4  # rounds: five users and a hundred pages a second, one revocation a second
_REVOKE_EVERY = 20


def neighbours(plan: Plan, results: Results) -> None:
    home = plan.directory / "neighbours"
    with est_server(home, plan.cores) as server:
        measure_fresh("first enrolments", server, plan)
    count = plan.revoked_certificates
    fill(home, count * 2)
    revoke_newest(home, count)
    with est_server(home, plan.cores) as server:
        time.sleep(3)  # the CRL of the certificates just revoked
        quiet = measure_fresh(f"fresh, password, at {_RATE:.0f}/s, alone", server, plan, rate=_RATE)
        seconds = plan.seconds + 6
        command = [
            sys.executable,
            "-m",
            "bench.neighbours",
            str(home),
            server.server.status_url,
            str(seconds),
        ]
        busy = subprocess.Popen(command, stdout=subprocess.PIPE)
        time.sleep(2)
        loud = measure_fresh(f"fresh, password, at {_RATE:.0f}/s, beside the rest", server, plan, rate=_RATE)
        output, _ = busy.communicate(timeout=60)
    if busy.returncode:
        raise SystemExit("the neighbours' work failed")
    done = json.loads(output)
    results.add(quiet)
    results.add(loud)
    results.judge(
        f"enrolment p99 while pages are read, users written and a CRL of {count:,} entries is made",
        f"{quiet.p99:.2f} ms alone, {loud.p99:.2f} ms beside {done['pages']} pages, {done['users']} users and "
        f"{done['crls']} CRLs in {seconds:.0f} s",
        None,
    )


def work(home: Path, status_url: str, seconds: float) -> None:
    settings = load_settings(home)
    store = open_store(settings)
    marker = home_marker(settings, unlock_keys(settings))
    serials = _unrevoked(home)
    first_crl, done = _crl_number(status_url), {"pages": 0, "users": 0}
    ends = time.monotonic() + seconds
    turn = 0
    while time.monotonic() < ends:
        for page in _PAGES:
            with urllib.request.urlopen(status_url + page, timeout=10) as answer:
                answer.read()
            done["pages"] += 1
        if turn % _USER_EVERY == 0:
            _add_user(store.records, turn)
            done["users"] += 1
        if turn % _REVOKE_EVERY == 0:
            _revoke(store.records, serials.pop(), marker)
        turn += 1
        time.sleep(_PAUSE_SECONDS)
    print(json.dumps({**done, "crls": _crl_number(status_url) - first_crl}))


def _unrevoked(home: Path) -> list[int]:
    database = sqlite3.connect(home / "certuary.db")
    rows = database.execute(
        "SELECT serial FROM certificates WHERE source = 'est' AND revoked_at IS NULL ORDER BY id LIMIT 1000"
    ).fetchall()
    database.close()
    return [serial_from_text(serial) for (serial,) in rows]


def _crl_number(status_url: str) -> int:
    with urllib.request.urlopen(f"{status_url}/crl/issuing.crl", timeout=10) as answer:
        crl = x509.load_der_x509_crl(answer.read())
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


class _Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)


def _add_user(records: RecordStore, number: int) -> None:
    with records.transaction() as transaction:
        transaction.create(
            "user",
            {
                "name": f"bench-{number}",
                "role": "auditor",
                "group_ids": [],
                "password_hash": "",
                "enabled": False,
            },
        )


def _revoke(records: RecordStore, serial: int, marker: Marker) -> None:
    issuing = records.find("authority", name="issuing")
    assert issuing is not None
    assert isinstance(issuing.id, int)
    revocation = Revocation(
        authority_id=issuing.id, serial=serial, reason="superseded", actor_kind="system", actor="bench"
    )
    revoke(revocation, records, _Clock(), marker)


if __name__ == "__main__":
    work(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
