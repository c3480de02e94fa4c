"""The `certuary` command.

One module per noun, imported when the noun is used: `certuary serve` is the supervisor's process, and stays lean.
Data goes to stdout, everything else to stderr; exit codes are those of `est/error_map.py`, and 2 for wrong usage.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterator, MutableMapping
from importlib import import_module, metadata
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from certuary import errors
from certuary.cli.hints import hint_for
from certuary.cli.invocation import HOME_HELP, JSON_HELP, Invocation
from certuary.est.error_map import INTERNAL_EXIT, exit_code

NOUNS: Final = {
    "init": "initialise",
    "serve": "serve",
    "health": "health",
    "application": "application",
    "profile": "profile",
    "group": "group",
    "label": "label",
    "property": "property_row",
    "ca": "authority",
    "cert": "certificate",
    "user": "user",
    "approval": "approval",
    "seal": "seal",
    "keystore": "keystore",
    "blocklist": "blocklist",
    "audit": "audit",
}


class _LazyCommands(MutableMapping[str, Any]):
    """Every noun's command, its module imported when it is asked for."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, noun: str) -> Any:
        if noun not in self._loaded:
            module = import_module(f"certuary.cli.{NOUNS[noun]}")
            self._loaded[noun] = typer.main.get_command(module.app)
            self._loaded[noun].name = noun
        return self._loaded[noun]

    def __setitem__(self, noun: str, command: Any) -> None:
        self._loaded[noun] = command

    def __delitem__(self, noun: str) -> None:
        del self._loaded[noun]

    def __iter__(self) -> Iterator[str]:
        return iter(NOUNS)

    def __len__(self) -> int:
        return len(NOUNS)


class _Nouns(TyperGroup):
    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _LazyCommands()

    def list_commands(self, ctx: Any) -> list[str]:
        return list(NOUNS)


app = typer.Typer(cls=_Nouns, no_args_is_help=True, context_settings={"help_option_names": ["--help", "-h"]})


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"certuary {metadata.version('certuary')}\n")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    home: Annotated[Path | None, typer.Option("--home", help=HOME_HELP)] = None,
    as_json: Annotated[bool, typer.Option("--json", help=JSON_HELP)] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A certificate authority that devices, servers and network gear enrol with over EST."""
    context.obj = Invocation(home=home, as_json=as_json)


def run() -> None:
    sys.exit(main(sys.argv[1:]))


def main(arguments: list[str]) -> int:
    """Run one command and give back its exit code."""
    try:
        code = typer.main.get_command(app).main(arguments, prog_name="certuary", standalone_mode=False)
    except errors.CertuaryError as error:
        _report(error, arguments)
        return exit_code(error)
    except typer.TyperException as error:
        error.show()  # type: ignore[attr-defined]  # every one that reaches this place is a usage error
        return error.exit_code
    except typer.Abort:
        sys.stderr.write("Aborted.\n")
        return 130
    except Exception:
        _report_unexpected()
        return INTERNAL_EXIT
    return code if isinstance(code, int) else 0


def _report(error: errors.CertuaryError, arguments: list[str]) -> None:
    hint = hint_for(error)
    if "--json" in arguments:
        document = {"error": error.rule, "detail": error.detail} | ({"hint": hint} if hint else {})
        sys.stderr.write(json.dumps(document) + "\n")
        return
    sys.stderr.write(f"certuary: {error}\n" + (f"  {hint}\n" if hint else ""))


def _report_unexpected() -> None:
    """The story holds paths and values, so it is told only to who asks for it."""
    if os.environ.get("CERTUARY_LOG_LEVEL") == "debug":
        traceback.print_exc()
    sys.stderr.write(
        "certuary: internal-error: something unexpected happened\n"
        "  Run it again with CERTUARY_LOG_LEVEL=debug to see where.\n"
    )
