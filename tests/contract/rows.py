"""Rows for the tests of the store: complete, valid, and different where it matters."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from certuary.core.audit_chain import Chain
from certuary.services.ports import (
    AuditRow,
    BatchItem,
    CertificateRow,
    EnrolmentRow,
    ProfileVersionRow,
    Record,
)
from certuary.store.event_stream import EventStream
from certuary.store.records import DjangoRecordStore
from tests.memory_records import MARKER

STREAM = "0123456789abcdef"
STREAM_KEY = b"a key for tests of audit streams"
NOW = datetime(2026, 11, 23, 12, 0, 0, 250000, tzinfo=UTC)
sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For values that SQLite alone keeps in such a column."""
_serials = itertools.count(0x0193_5B2A_0000 << 96)


def sql(statement: str, parameters: Sequence[str] = ()) -> None:
    """What somebody types into `sqlite3` or `psql`; BLOB is an octet as that database spells it."""
    blob = "X'01'" if connection.vendor == "sqlite" else "'\\x01'::bytea"
    with connection.cursor() as cursor:
        cursor.execute(statement.replace("BLOB", blob), parameters or None)


def certificate_row(**changes: Any) -> CertificateRow:
    row = CertificateRow(
        authority_id=2,
        serial=next(_serials),
        profile_version_id=1,
        application_id=1,
        subject="CN=dev-1,O=Acme",
        subject_key="cn=dev-1,o=acme",
        alternative_names='["DNS:dev-1.plant.example"]',
        key_hash="ab" * 32,
        not_before=NOW - timedelta(minutes=5),
        not_after=NOW + timedelta(days=90),
        der=b"\x30\x00\xff",
        source="est",
        replaces=None,
        issued_at=NOW,
    )
    return replace(row, **changes, marker=MARKER)


def profile_version_row(profile_id: int, **changes: Any) -> ProfileVersionRow:
    values: dict[str, Any] = {"number": 1, "toml": "one", "created_at": NOW, "created_by": "alice"}
    return ProfileVersionRow(profile_id=profile_id, **(values | changes), marker=MARKER)


def enrolment_row(**changes: Any) -> EnrolmentRow:
    row = EnrolmentRow(
        request_id="0193-request",
        at=NOW,
        operation="simpleenroll",
        outcome="issued",
        reason="",
        application_id=1,
        profile_version_id=1,
        label="",
        address="192.0.2.7",
        serial=1,
        csr_der=b"\x30\x01\x00",
    )
    return replace(row, **changes)


def audit_row(**changes: Any) -> AuditRow:
    row = AuditRow(
        at=NOW,
        kind="enrolment.issued",
        actor_kind="application",
        actor="plant-gateways",
        target="01",
        request_id="0193-request",
        address="192.0.2.7",
        detail="{}",
    )
    return replace(row, **changes)


def issued_item(**changes: Any) -> BatchItem:
    row = certificate_row(**changes)
    return BatchItem(audit=audit_row(), enrolment=enrolment_row(serial=row.serial), certificate=row)


def new_chain(stream: str = STREAM) -> Chain:
    return Chain(stream, STREAM_KEY)


def new_store(stream: str = STREAM) -> DjangoRecordStore:
    """Like one process each: it goes on where it was itself."""
    return DjangoRecordStore(EventStream(lambda: new_chain(stream)))


def application_values(name: str, **changes: Any) -> dict[str, Any]:
    """Of group 1, which `add_group` makes."""
    values: dict[str, Any] = {
        "name": name,
        "username": f"{name}-user",
        "password_hash": "$argon2id$...",
        "group_id": 1,
        "networks": ["192.0.2.0/24"],
        "profile_ids": [1],
        "labels": ["plant"],
        "subject_rule": "",
        "enabled": True,
        "expires_at": None,
    }
    return values | changes


def add_group(store: DjangoRecordStore, code: str = "GRP_001") -> Record:
    with store.transaction() as transaction:
        return transaction.create("group", {"code": code, "name": f"group {code}"})
