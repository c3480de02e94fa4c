"""What commands work with: the settings, the stores, and, for a change, who makes it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from certuary.cli import prompts
from certuary.cli.invocation import Invocation
from certuary.errors import ConfigError, NotAuthenticated
from certuary.est.request import make_request_id
from certuary.keystore.file import UnlockedKeys
from certuary.server.config import Settings
from certuary.server.wiring import home_marker, open_high_water, open_store, unlock_keys
from certuary.services.accept_rollback import LoneGate
from certuary.services.audit_stream import commands_chain
from certuary.services.authenticate_user import authenticate_user
from certuary.services.believed_records import BelievedRecords
from certuary.services.change_deps import ChangeDeps
from certuary.services.entitlement import Actor
from certuary.services.first_start import is_initialised
from certuary.services.guarded_clock import GuardedClock, utc_now
from certuary.services.high_water import HighWater
from certuary.services.initialise import load_pepper
from certuary.services.passwords import Passwords
from certuary.services.ports import Clock, CrlStore, RecordStore
from certuary.services.record_gate import Gate, RecordGate
from certuary.services.seal_changes import Sealing
from certuary.services.signing_key import OperatorKeys, open_operator_keys
from certuary.services.trust import AUDIT_ROLE, OPERATOR_ROLE, read_trust


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSession:
    """A command that changes something: its actor has proved a password."""

    settings: Settings
    records: RecordStore
    crls: CrlStore
    keys: UnlockedKeys
    passwords: Passwords
    actor: Actor
    deps: ChangeDeps


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedKeys:
    """What the key store's passphrase opens for a command."""

    keys: UnlockedKeys
    crls: CrlStore
    passwords: Passwords
    operator: OperatorKeys
    high_water: HighWater
    deps: ChangeDeps


def system_clock() -> Clock:
    return GuardedClock(wall=utc_now, steady=time.monotonic, newest_event_at=None)


def open_settings(shared: Invocation) -> Settings:
    """`ConfigError` when the home is not initialised."""
    settings = shared.settings()
    if not is_initialised(settings.home):
        raise ConfigError(f"{settings.home} is not initialised; run: certuary init --home {settings.home}")
    return settings


def open_records(shared: Invocation) -> RecordStore:
    """For a command that only reads."""
    return open_store(open_settings(shared)).records


@contextmanager
def one_moment(shared: Invocation) -> Iterator[RecordStore]:
    """As `open_records`; what is read within is of the moment of the first read, whatever others change."""
    records = open_records(shared)
    # The store's modules want a configured database before they are imported.
    from certuary.store.database import consistent_read, database_errors

    with database_errors(), consistent_read():
        yield records


def open_change(shared: Invocation, *, despite_manifest: bool = False) -> ChangeSession:
    """Ask who it is, and check it, before anything is changed.

    `despite_manifest` is for the command that makes a new one: records then stand for themselves.
    """
    settings = open_settings(shared)
    name, password = _credentials(shared)
    opened = open_keys(settings)
    records, trust = opened.deps.records, opened.operator.trust
    gate: Gate
    if despite_manifest:
        gate = LoneGate(records, trust, opened.high_water)
    else:
        gate = RecordGate.open(records, trust, opened.high_water)
    signer = authenticate_user(name, password, opened.passwords, gate, opened.deps)
    sealing = Sealing(operator=opened.operator, high_water=opened.high_water, signer=signer)
    if isinstance(gate, RecordGate):
        records = BelievedRecords(records, gate)
    return ChangeSession(
        settings=settings,
        records=records,
        crls=opened.crls,
        keys=opened.keys,
        passwords=opened.passwords,
        actor=signer.actor,
        deps=replace(opened.deps, sealing=sealing, records=records),
    )


def open_keys(settings: Settings) -> OpenedKeys:
    """Unlock the key store; nobody has signed in yet."""
    keys = unlock_keys(settings)
    stores = open_store(settings, chain=lambda: commands_chain(keys.store((AUDIT_ROLE,))))
    return OpenedKeys(
        keys=keys,
        crls=stores.crls,
        passwords=Passwords(load_pepper(keys.store(("secret",)))),
        operator=open_operator_keys(keys.store((OPERATOR_ROLE,)), read_trust(settings.keys_dir)),
        high_water=open_high_water(settings),
        deps=ChangeDeps(
            records=stores.records,
            clock=system_clock(),
            marker=lambda: home_marker(settings, keys),
            request_id=make_request_id(os.urandom),
        ),
    )


def open_gate(settings: Settings, records: RecordStore) -> RecordGate:
    """What tells good records from altered ones, for a command that only reads: it needs no passphrase."""
    return RecordGate.open(records, read_trust(settings.keys_dir), open_high_water(settings))


def _credentials(shared: Invocation) -> tuple[str, str]:
    if shared.admin and shared.admin_password_file:
        return shared.admin, prompts.read_password_file(shared.admin_password_file)
    if not prompts.can_ask():
        raise NotAuthenticated("no user was named")
    name = shared.admin or prompts.ask("User: ")
    if shared.admin_password_file:
        return name, prompts.read_password_file(shared.admin_password_file)
    return name, prompts.ask_password(f"Password of {name}: ")
