"""`certuary init`: make a home."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from certuary.cli.home_lock import locked_home
from certuary.cli.invocation import Invocation, Reading, invocation
from certuary.cli.output import emit, progress
from certuary.cli.prompts import read_password_file
from certuary.cli.session import system_clock
from certuary.cli.settings_file import add_settings, settings_to_add
from certuary.errors import AlreadyExists
from certuary.est.request import make_request_id
from certuary.keystore.file import FileKeyStore, create_key_store
from certuary.keystore.index import INDEX_NAME
from certuary.portal.settings import table_settings
from certuary.server.config import Settings
from certuary.server.wiring import Stores, load_marker, open_store
from certuary.services.audit_stream import commands_chain
from certuary.services.change_deps import ChangeDeps
from certuary.services.first_start import (
    first_start_path,
    forget_secrets,
    is_initialised,
    root_path,
)
from certuary.services.initialise import (
    DEFAULT_ADMIN,
    InitialiseDeps,
    NewHome,
    check_new_home,
    initialise,
)
from certuary.services.ports import KeyStore

app = typer.Typer(add_completion=False)

_LOCAL = ("localhost", "::1", "0.0.0.0", "::")  # noqa: S104  # compared with, not bound to


@app.command(cls=Reading)
def init(
    context: typer.Context,
    hostname: Annotated[
        list[str] | None, typer.Option("--hostname", help="A name clients reach the server by. Repeatable.")
    ] = None,
    organization: Annotated[
        str | None, typer.Option("--organization", help="O= of the authorities. (default: Certuary)")
    ] = None,
    key: Annotated[
        str, typer.Option("--key", help="ec-p256, ec-p384, rsa-3072, rsa-4096 or ed25519.")
    ] = "ec-p256",
    database_url: Annotated[
        str | None,
        typer.Option("--database-url", help="postgresql://USER@HOST/DATABASE. (default: SQLite in the home)"),
    ] = None,
    admin: Annotated[
        str, typer.Option("--admin", envvar="CERTUARY_ADMIN", help="The first CA Administrator's name.")
    ] = DEFAULT_ADMIN,
    admin_password_file: Annotated[
        Path | None,
        typer.Option(
            "--admin-password-file",
            envvar="CERTUARY_ADMIN_PASSWORD_FILE",
            help="A file with the password; made up when not given.",
        ),
    ] = None,
    passphrase_file: Annotated[
        Path | None,
        typer.Option(
            "--passphrase-file", help="The key store's passphrase; kept beside the keys when not given."
        ),
    ] = None,
    forget: Annotated[
        bool,
        typer.Option("--forget-secrets", help="Delete first-start.txt and quickstart.netrc, and do no more."),
    ] = False,
) -> None:
    """Make a home: keys, authorities, database, the first user, a first application.

    What a newcomer needs goes to HOME/first-start.txt, for its owner alone, and to the screen.
    """
    shared = invocation(context)
    if forget:
        _forget(shared)
        return
    flags: dict[str, object] = {
        "hostnames": hostname, "organization": organization, "database_url": database_url,
    }  # fmt: skip
    settings = shared.settings(flags)
    with locked_home(settings.home):
        if is_initialised(settings.home):
            raise AlreadyExists(f"{settings.home} is initialised already")
        password = read_password_file(admin_password_file) if admin_password_file else None
        _initialise(settings, flags, _new_home(settings, key, admin, password), passphrase_file)
    _announce(shared, settings)


def _new_home(settings: Settings, key_type: str, admin: str, password: str | None) -> NewHome:
    return NewHome(
        home=settings.home,
        organization=settings.organization,
        hostnames=settings.hostnames,
        key_type=key_type,
        admin_name=admin,
        admin_password=password,
        est_url=f"https://{_in_url(_reachable_host(settings))}:{settings.est_port}/.well-known/est",
        portal_url=f"https://{_in_url(_reachable_host(settings))}:{settings.portal_port}/",
        status_url=settings.public_status_url,
        command=_own_command(),
    )


def _own_command() -> str:
    """`certuary`, or with its path where a shell would not find this installation's by that name."""
    own = Path(sys.executable).with_name("certuary")
    found = shutil.which("certuary")
    on_path = found is not None and Path(found).resolve() == own.resolve()
    return str(own) if own.exists() and not on_path else "certuary"


def _initialise(
    settings: Settings, flags: dict[str, object], new: NewHome, passphrase_file: Path | None
) -> None:
    tell = progress()
    check_new_home(new)
    lines = settings_to_add(settings.home, flags)
    tell("making the key store")
    keys = _open_or_create_key_store(settings, passphrase_file)
    tell("making the tables")
    stores = _make_tables(settings, keys, tell)
    add_settings(settings.home, lines)  # not sooner: a database URL that does not work is not kept
    changes = ChangeDeps(
        records=stores.records,
        clock=system_clock(),
        marker=lambda: load_marker(keys, stores.records.instance()),
        request_id=make_request_id(os.urandom),
    )
    initialise(
        new,
        InitialiseDeps(
            keys=keys, keys_dir=settings.keys_dir, changes=changes, crls=stores.crls, progress=tell
        ),
    )


def _make_tables(settings: Settings, keys: KeyStore, tell: Callable[[str], None]) -> Stores:
    stores = open_store(
        settings, chain=lambda: commands_chain(keys), must_be_current=False, django=table_settings()
    )
    # The store's modules want a configured database before they are imported.
    from certuary.store.setup import migrate

    migrate(tell)
    return stores


def _open_or_create_key_store(settings: Settings, passphrase_file: Path | None) -> KeyStore:
    """An attempt before this one may have made it."""
    if (settings.keys_dir / INDEX_NAME).exists():
        return FileKeyStore.unlock(settings.keys_dir).store()
    return create_key_store(settings.keys_dir, passphrase_file).store()


def _announce(shared: Invocation, settings: Settings) -> None:
    """The secrets go to a terminal; never into a pipe, where they would end in somebody's log."""
    path = first_start_path(settings.home)
    data = {"home": str(settings.home), "root": str(root_path(settings.home)), "first_start": str(path)}
    if shared.as_json or not sys.stdout.isatty() or not path.exists():
        emit(shared, data, f"{settings.home} is initialised; how to go on, and the passwords: {path}")
        return
    emit(shared, data, path.read_text())


def _forget(shared: Invocation) -> None:
    forgotten = [str(path) for path in forget_secrets(shared.settings().home)]
    emit(
        shared,
        {"deleted": forgotten},
        "\n".join(f"deleted {path}" for path in forgotten) or "nothing to delete",
    )


def _reachable_host(settings: Settings) -> str:
    """What the first application, on this machine, reaches the server by: its certificate names localhost, too."""
    if settings.bind in _LOCAL or settings.bind.startswith("127."):
        return "localhost"
    return settings.hostnames[0] if settings.hostnames else settings.bind


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
