"""What commands work with: the settings, the stores, and, for a change, who makes it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from certuary.cli import prompts
from certuary.cli.invocation import Invocation
from certuary.errors import ConfigError, NotAuthenticated
from certuary.est.request import make_request_id
from certuary.keystore.file import UnlockedKeys
from certuary.server.config import Settings
from certuary.server.wiring import home_marker, open_store, unlock_keys
from certuary.services.authenticate_user import authenticate_user
from certuary.services.change_record import ChangeDeps
from certuary.services.entitlement import Actor
from certuary.services.first_start import is_initialised
from certuary.services.guarded_clock import GuardedClock, utc_now
from certuary.services.initialise import load_pepper
from certuary.services.passwords import Passwords
from certuary.services.ports import Clock, RecordStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSession:
    """A command that changes something: its actor has proved a password."""

    settings: Settings
    records: RecordStore
    keys: UnlockedKeys
    passwords: Passwords
    actor: Actor
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


def open_change(shared: Invocation) -> ChangeSession:
    """Ask who it is, and check it, before anything is changed."""
    settings = open_settings(shared)
    name, password = _credentials(shared)
    records = open_store(settings).records
    keys = unlock_keys(settings)
    passwords = Passwords(load_pepper(keys.store(("secret",))))
    deps = ChangeDeps(
        records=records,
        clock=system_clock(),
        marker=lambda: home_marker(settings, keys),
        request_id=make_request_id(os.urandom),
    )
    actor = authenticate_user(name, password, passwords, deps)
    return ChangeSession(
        settings=settings, records=records, keys=keys, passwords=passwords, actor=actor, deps=deps
    )


def _credentials(shared: Invocation) -> tuple[str, str]:
    if shared.admin and shared.admin_password_file:
        return shared.admin, prompts.read_password_file(shared.admin_password_file)
    if not prompts.can_ask():
        raise NotAuthenticated("no user was named")
    name = shared.admin or prompts.ask("User: ")
    if shared.admin_password_file:
        return name, prompts.read_password_file(shared.admin_password_file)
    return name, prompts.ask_password(f"Password of {name}: ")
