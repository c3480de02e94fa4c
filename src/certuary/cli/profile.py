"""`certuary profile`: what a certificate may contain."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from certuary.cli.invocation import Changing, Reading, invocation
from certuary.cli.output import emit, emit_item, emit_items, progress
from certuary.cli.seal_column import with_seals
from certuary.cli.session import open_change, open_records
from certuary.core.profile import Profile
from certuary.errors import InvalidProfile, InvalidValue
from certuary.services.find_record import find_profile
from certuary.services.guarded_clock import utc_now
from certuary.services.lint_profile import lint_profile
from certuary.services.ports import Record
from certuary.services.save_profile import check_profile_text, save_profile

app = typer.Typer(
    help="Profiles: what a certificate may contain.", no_args_is_help=True, add_completion=False
)

_LONGEST = 65536

NameOrId = Annotated[str, typer.Argument(metavar="P", help="The profile's name or number.")]
File = Annotated[Path, typer.Argument(metavar="FILE.toml", help="The profile; - is standard input.")]


@app.command("list", cls=Reading)
def list_(context: typer.Context) -> None:
    """List the profiles."""
    items = with_seals(invocation(context), "profile", lambda _, rows: [_summary(row) for row in rows])
    columns = ("id", "name", "version", "authority", "est_default", "seal", "description")
    emit_items(invocation(context), items, columns)


@app.command(cls=Reading)
def show(context: typer.Context, profile: NameOrId) -> None:
    """Show one profile."""
    records = open_records(invocation(context))
    emit_item(invocation(context), _summary(find_profile(records, profile)))


@app.command(cls=Reading)
def export(context: typer.Context, profile: NameOrId) -> None:
    """Print a profile's TOML, to be changed and added again."""
    found = find_profile(open_records(invocation(context)), profile)
    toml = str(found.values["toml"])
    emit(invocation(context), {"name": found.values["name"], "toml": toml}, toml)


@app.command(cls=Reading)
def check(context: typer.Context, file: File) -> None:
    """Check a profile and lint what it would make; change nothing."""
    profile = check_profile_text(_read(file), _lint)
    emit(invocation(context), {"name": profile.name, "valid": True}, f"{profile.name} is a good profile")


@app.command(cls=Changing)
def add(context: typer.Context, file: File) -> None:
    """Add a profile, or the next version of the one of that name. It takes effect within two seconds."""
    toml = _read(file)
    session = open_change(invocation(context))
    saved = save_profile(session.actor, toml, _lint, session.deps)
    summary = _summary(saved.record)
    said = "was there already, as" if saved.is_unchanged else "saved as"
    emit(invocation(context), summary, f"{summary['name']} {said} version {summary['version']}")


def _lint(profile: Profile) -> tuple[str, ...]:
    progress()(f"linting a certificate of {profile.name}")
    return lint_profile(profile, now=utc_now())


def _read(file: Path) -> str:
    try:
        content = sys.stdin.buffer.read(_LONGEST + 1) if str(file) == "-" else file.read_bytes()
    except OSError as problem:
        raise InvalidValue(f"{file} cannot be read: {problem.strerror}", rule="file") from None
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise InvalidProfile(f"{file} is not UTF-8 text") from None


def _summary(record: Record) -> Mapping[str, object]:
    """A version that this release cannot read is shown as what it is, so that it can be replaced."""
    described: dict[str, object] = {
        "id": record.id,
        "name": record.values["name"],
        "version": record.values["current_version"],
    }
    try:
        profile = Profile.from_toml(str(record.values["toml"]))
    except InvalidProfile as problem:
        return {**described, "description": f"unusable: {problem.detail}"}
    return {
        **described,
        "description": profile.description,
        "authority": profile.authority,
        "est_default": profile.est_default,
        "lifetime_seconds": int(profile.lifetime.total_seconds()),
        "keys": list(profile.keys),
    }
