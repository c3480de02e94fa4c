"""`certuary health`: what a running node says about itself."""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException
from typing import Annotated, Any

import typer

from certuary.cli.invocation import Reading, invocation
from certuary.cli.output import cell, emit
from certuary.errors import Unavailable
from certuary.server.config import Settings

app = typer.Typer(add_completion=False)

_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # compared with, not bound to
_LONGEST = 1 << 20


@app.command(cls=Reading)
def health(
    context: typer.Context,
    status_port: Annotated[
        int | None, typer.Option("--status-port", help="Where its status listens.")
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds to wait.")] = 5.0,
) -> None:
    """Ask this node's /readyz. Exit code 0 when it can enrol, 75 when it cannot."""
    shared = invocation(context)
    status, body = _ask(shared.settings({"status_port": status_port}), timeout)
    detail = _parse(body)
    emit(shared, detail, _as_text(detail))
    if status != 200:
        raise typer.Exit(75)


def _ask(settings: Settings, timeout: float) -> tuple[int, str]:
    host = _WILDCARDS.get(settings.bind, settings.bind)
    connection = HTTPConnection(host, settings.status_port, timeout=timeout)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return answer.status, answer.read(_LONGEST).decode(errors="replace")
    except (OSError, HTTPException) as problem:
        raise Unavailable(
            f"nothing answers at http://{host}:{settings.status_port}/readyz ({problem}); is `certuary serve` running?"
        ) from None
    finally:
        connection.close()


def _parse(body: str) -> dict[str, Any]:
    """Detail for this machine; to an address that `metrics_from` does not list it is one line of text."""
    try:
        detail = json.loads(body)
    except ValueError:
        return {"summary": body.strip()}
    return detail if isinstance(detail, dict) else {"summary": body.strip()}


def _as_text(detail: dict[str, Any], indent: str = "") -> str:
    lines: list[str] = []
    for key, value in detail.items():
        if isinstance(value, dict):
            lines += [f"{indent}{key}:", _as_text(value, indent + "  ")]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            lines += [f"{indent}{key}:", *(_as_text(item, indent + "  ") for item in value)]
        else:
            lines.append(f"{indent}{key}: {cell(value)}")
    return "\n".join(lines)
