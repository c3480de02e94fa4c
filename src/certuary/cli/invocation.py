"""The options that every command shares, and what was given for them.

`--home` and `--json` may stand before the noun or after the verb. A command's function does not list them: its
class adds them and hands them over as the context's `Invocation`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer
from typer.core import TyperCommand

from certuary.server.config import Settings, default_home, load_settings

HOME_HELP = "The home. (default: $CERTUARY_HOME, else ~/.local/share/certuary)"
JSON_HELP = "Print data as JSON."
_SHARED_PANEL = "Shared options"
_ADMIN_PANEL = "Who changes it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    home: Path | None = None
    as_json: bool = False
    admin: str | None = None
    admin_password_file: Path | None = None

    def settings(self, flags: dict[str, object] | None = None) -> Settings:
        return load_settings((self.home or default_home()).expanduser().absolute(), flags)


def invocation(context: typer.Context) -> Invocation:
    found = context.obj
    assert isinstance(found, Invocation)
    return found


def _reading(
    home: Annotated[
        Path | None, typer.Option("--home", help=HOME_HELP, rich_help_panel=_SHARED_PANEL)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help=JSON_HELP, rich_help_panel=_SHARED_PANEL)] = False,
) -> None:
    """Never called: its parameters are the options."""


def _changing(
    admin: Annotated[
        str | None,
        typer.Option(
            "--admin", envvar="CERTUARY_ADMIN", help="Your user name.", rich_help_panel=_ADMIN_PANEL
        ),
    ] = None,
    admin_password_file: Annotated[
        Path | None,
        typer.Option(
            "--admin-password-file",
            envvar="CERTUARY_ADMIN_PASSWORD_FILE",
            help="A file with your password; asked for on a terminal.",
            rich_help_panel=_ADMIN_PANEL,
        ),
    ] = None,
) -> None:
    """Never called: its parameters are the options."""


def _options_of(function: Any) -> list[Any]:
    carrier = typer.Typer(add_completion=False)
    carrier.command()(function)
    return list(typer.main.get_command(carrier).params)


class Reading(TyperCommand):
    """A command that changes nothing: --home and --json."""

    shared: ClassVar[tuple[Callable[..., None], ...]] = (_reading,)

    def __init__(self, name: str | None, *, params: list[Any] | None = None, **attributes: Any) -> None:
        options = [option for function in self.shared for option in _options_of(function)]
        super().__init__(name, params=[*(params or []), *options], **attributes)
        self._shared_names = [option.name for option in options]

    def invoke(self, ctx: Any) -> Any:
        given = {name: ctx.params.pop(name) for name in self._shared_names}
        inherited = ctx.obj if isinstance(ctx.obj, Invocation) else Invocation()
        ctx.obj = replace(inherited, **{name: value for name, value in given.items() if value})
        return super().invoke(ctx)


class Changing(Reading):
    """A command that changes something: also --admin and --admin-password-file."""

    shared: ClassVar[tuple[Callable[..., None], ...]] = (_changing, _reading)
