"""`certuary serve`: run the server. This process becomes the supervisor, so nothing here imports Django."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from typing import Annotated

import typer

from certuary.cli.invocation import Reading, invocation
from certuary.cli.output import note
from certuary.server.config import Settings
from certuary.server.supervisor import Ready, serve
from certuary.services.first_start import first_start_path, is_initialised

app = typer.Typer(add_completion=False)


@app.command(cls=Reading, name="serve")
def serve_command(
    context: typer.Context,
    bind: Annotated[
        str | None, typer.Option("--bind", help="The address to listen on. (default: 127.0.0.1)")
    ] = None,
    est_port: Annotated[
        int | None, typer.Option("--est-port", help="EST over HTTPS. (default: 8443)")
    ] = None,
    portal_port: Annotated[
        int | None,
        typer.Option("--portal-port", help="The portal over HTTPS. (default: 8444)"),
    ] = None,
    status_port: Annotated[
        int | None, typer.Option("--status-port", help="CRLs and health over HTTP. (default: 8080)")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", help="EST workers; more than one takes PostgreSQL. (default: 1)"),
    ] = None,
) -> None:
    """Serve EST until SIGTERM. An empty home is initialised first."""
    given = {
        "bind": bind,
        "est_port": est_port,
        "portal_port": portal_port,
        "status_port": status_port,
        "workers": workers,
    }
    flags: dict[str, object] = {key: value for key, value in given.items() if value is not None}
    settings = invocation(context).settings(flags)
    if not is_initialised(settings.home):
        _initialise(settings, flags)
    serve(settings, flags, lambda ready: _announce(settings, ready))


def _initialise(settings: Settings, flags: dict[str, object]) -> None:
    """In a process of its own, which needs Django; on a terminal it shows the secrets."""
    environment = {**os.environ, **{f"CERTUARY_{key.upper()}": str(value) for key, value in flags.items()}}
    command = [sys.executable, "-m", "certuary", "--home", str(settings.home), "init"]
    sys.stdout.flush()
    done = subprocess.run(command, env=environment, check=False)
    if done.returncode != 0:
        raise typer.Exit(done.returncode)


def _announce(settings: Settings, ready: Ready) -> None:
    host = settings.hostnames[0] if settings.hostnames else "localhost"
    with contextlib.suppress(OSError):  # a server whose terminal is gone, or whose disk is full, serves on
        note(f"EST on https://{host}:{ready.est_port}/.well-known/est, status on port {ready.status_port}")
        note(f"portal on https://{host}:{ready.portal_port}/")
        if first_start_path(settings.home).exists():
            note(f"how to enrol a first certificate: {first_start_path(settings.home)}")
