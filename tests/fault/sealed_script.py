"""Ten thousand sealed applications as one SQL script, signed by the home's first administrator beforehand.

A transaction of the store takes seconds for that many, in which SQLite lets nobody else write. The script leaves behind
what it would.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from certuary.server.config import Settings, load_settings
from certuary.server.wiring import open_high_water, open_store, unlock_keys
from certuary.services.entitlement import actor_of
from certuary.services.initialise import load_pepper
from certuary.services.passwords import Passwords
from certuary.services.ports import Record, RecordStore
from certuary.services.seal_changes import Sealing
from certuary.services.signing_key import Signer, certificate_of, open_operator_keys, unwrap
from certuary.services.trust import OPERATOR_ROLE, read_trust
from tests.command import admin_password
from tests.sealed_rows import SealedRows, sign_rows

_FIRST_ID = 1001
_ROWS_A_STATEMENT = 500


def script_that_adds(count: int, home: Path) -> str:
    """Applications `many-1` ..., each a copy of the quickstart one. To be run in one transaction, and once."""
    from django.db import connections

    settings = load_settings(home)
    records = open_store(settings).records
    try:
        quickstart = records.find("application", name="quickstart")
        assert quickstart is not None
        rows = [_copy(quickstart, number) for number in range(1, count + 1)]
        signed = sign_rows(rows, records, _sealing(settings, records), datetime.now(UTC))
    finally:
        connections.close_all()
    binary = "X'{}'" if settings.database.startswith("sqlite") else "'\\x{}'"
    return "\n".join(_statements(signed, binary))


def _copy(quickstart: Record, number: int) -> Record:
    values = {**quickstart.values, "name": f"many-{number}", "username": f"many-{number}"}
    return Record(kind="application", id=_FIRST_ID + number, revision=0, values=values)


def _sealing(settings: Settings, records: RecordStore) -> Sealing:
    keys = unlock_keys(settings)
    passwords = Passwords(load_pepper(keys.store(("secret",))))
    admin = records.find("user", name="admin")
    assert admin is not None
    key = unwrap(str(admin.values["signing_key"]), "admin", admin_password(settings.home), passwords)
    return Sealing(
        operator=open_operator_keys(keys.store((OPERATOR_ROLE,)), read_trust(settings.keys_dir)),
        high_water=open_high_water(settings),
        signer=Signer(actor=actor_of(admin), certificate=certificate_of(admin), key=key),
    )


def _statements(signed: SealedRows, binary: str) -> Iterator[str]:
    revision = "(SELECT value FROM config_revision)"
    yield "UPDATE config_revision SET value = value + 1;"
    for start in range(0, len(signed.records), _ROWS_A_STATEMENT):
        rows = [_columns(row) for row in signed.records[start : start + _ROWS_A_STATEMENT]]
        values = ",\n".join(f"({revision}, {', '.join(map(_literal, row.values()))})" for row in rows)
        yield f"INSERT INTO applications (revision, {', '.join(rows[0])}) VALUES\n{values};"
    for part in signed.parts:
        yield (
            "INSERT INTO manifest_parts (kind, number, revision, body)"
            f" VALUES ('{part.kind}', {part.number}, {revision}, {_literal(part.body)})"
            f" ON CONFLICT (kind, number) DO UPDATE SET body = excluded.body, revision = excluded.revision;"
        )
    signature = binary.format(signed.head.signature.hex())
    yield f"UPDATE manifest SET body = {_literal(signed.head.body)}, signature = {signature};"


def _columns(row: Record) -> Mapping[str, object]:
    return {"id": row.id, **row.values, "version": row.version, "seal": row.seal}


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool | int):
        return str(value).upper()
    if isinstance(value, list):
        value = json.dumps(value)
    return "'" + str(value).replace("'", "''") + "'"
