"""Real seals for unit tests: an installation's operator keys, and users who can sign, made once a session."""

from __future__ import annotations

import atexit
import itertools
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

from certuary.core.operator_ca import certify_user
from certuary.keystore.memory import MemoryKeyStore
from certuary.services.change_deps import ChangeDeps
from certuary.services.create_trust import create_trust
from certuary.services.entitlement import CA_ADMINISTRATOR, Actor
from certuary.services.high_water import HighWater
from certuary.services.passwords import Passwords
from certuary.services.ports import Record, RecordKind
from certuary.services.record_gate import Key, RecordGate, key_of
from certuary.services.seal_changes import Sealing, open_gate, seal_changes
from certuary.services.signing_key import (
    NewSigningKey,
    OperatorKeys,
    Signer,
    make_signing_key,
    open_operator_keys,
)
from certuary.services.trust import Trust
from tests.memory_records import INSTANCE, NOW, MemoryRecords

PASSWORDS = Passwords(b"pepper")
PASSWORD = "correct horse"
ROOT_USER = Actor(name="root-user", role=CA_ADMINISTRATOR)
_numbers = itertools.count(1)


def make_operator(instance: str = INSTANCE) -> OperatorKeys:
    """Those of a new installation."""
    keys = MemoryKeyStore()
    directory = scratch() / f"keys-{next(_numbers)}"
    directory.mkdir()
    return open_operator_keys(keys, create_trust(keys, directory, instance=instance, now=NOW))


@cache
def operator() -> OperatorKeys:
    return make_operator()


@cache
def scratch() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="certuary-tests-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


def trust() -> Trust:
    return operator().trust


def signing_key(name: str, password: str = PASSWORD) -> NewSigningKey:
    return _signing_key(name, password)


@cache
def _signing_key(name: str, password: str) -> NewSigningKey:
    """Wrapping it takes a password computation."""
    return make_signing_key(name, password, PASSWORDS, operator(), NOW)


@cache
def password_hash(password: str = PASSWORD) -> str:
    return PASSWORDS.hash(password)


@cache
def signer(actor: Actor) -> Signer:
    made = signing_key(actor.name)
    return Signer(actor=actor, certificate=made.certificate, key=made.key)


def certificate_for(name: str, key: NewSigningKey) -> bytes:
    """Another certificate of the operator CA, over a key that exists."""
    public_key = key.key.public_key()
    return certify_user(
        public_key,  # type: ignore[arg-type]  # a signing key is P-256
        user=name,
        issuer=trust().operator_certificate,
        issuer_key=operator().operator,
        serial=7,
        now=NOW,
    )


def new_high_water() -> HighWater:
    return HighWater(scratch() / f"high-water-{next(_numbers)}.json")


def new_sealing(actor: Actor = ROOT_USER, high_water: HighWater | None = None) -> Sealing:
    return Sealing(operator=operator(), high_water=high_water or new_high_water(), signer=signer(actor))


def sealing_of(deps: ChangeDeps) -> Sealing:
    assert deps.sealing is not None
    return deps.sealing


def signed_by(actor: Actor, deps: ChangeDeps) -> ChangeDeps:
    return replace(deps, sealing=replace(sealing_of(deps), signer=signer(actor)))


def gate_of(records: MemoryRecords, deps: ChangeDeps) -> RecordGate:
    """Over what the records say now."""
    return RecordGate.open(records, trust(), sealing_of(deps).high_water)


def seal_as_they_are(records: MemoryRecords, sealing: Sealing, keys: Iterable[Key]) -> None:
    """Sign rows that a test put there itself."""
    with records.transaction() as transaction:
        seen = seal_changes(transaction, tuple(keys), open_gate(transaction, sealing), sealing, NOW)
    sealing.high_water.rise(seen)


def put(records: MemoryRecords, deps: ChangeDeps, kind: RecordKind, values: dict[str, object]) -> Record:
    """A sealed record, of which no event tells."""
    record = records.create(kind, values)
    seal_as_they_are(records, sealing_of(deps), [key_of(record)])
    return records.rows[kind, record.id]


def put_user(
    records: MemoryRecords, deps: ChangeDeps, actor: Actor, *, enabled: bool = True, password: str = PASSWORD
) -> Record:
    values: dict[str, object] = {
        "name": actor.name,
        "role": actor.role,
        "group_ids": sorted(actor.group_ids),
        "password_hash": password_hash(password),
        "enabled": enabled,
        "compromised_keys": None,
        **signing_key(actor.name, password).columns,
    }
    return put(records, deps, "user", values)
