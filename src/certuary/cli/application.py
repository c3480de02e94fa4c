"""`certuary application`: external applications, which enrol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from certuary.cli.describe import Described, describe_all, describe_one
from certuary.cli.invocation import Changing, Invocation, Reading, invocation
from certuary.cli.output import emit, emit_item, emit_items, warn
from certuary.cli.prompts import read_password_file
from certuary.cli.seal_column import with_seals
from certuary.cli.session import ChangeSession, open_change, open_records
from certuary.services import register_application as service
from certuary.services.find_record import find_named
from certuary.services.names_and_times import parse_moment
from certuary.services.ports import RecordStore

app = typer.Typer(
    help="External applications: who may enrol, from where, for what.",
    no_args_is_help=True,
    add_completion=False,
)

_COLUMNS = (
    "name",
    "username",
    "enabled",
    "group",
    "networks",
    "subject_rule",
    "profiles",
    "labels",
    "expires_at",
    "seal",
)

Name = Annotated[str, typer.Argument(help="The application's name.")]
PasswordFile = Annotated[
    Path | None, typer.Option("--password-file", help="A file with its password; made up when not given.")
]
Networks = Annotated[
    list[str] | None,
    typer.Option("--ip", metavar="CIDR", help="A network it may come from. Repeatable; none is any address."),
]
Profiles = Annotated[
    list[str] | None,
    typer.Option("--profile", metavar="P", help="A profile it may use. Repeatable; none is the default one."),
]
Labels = Annotated[
    list[str] | None,
    typer.Option(
        "--label", metavar="L", help="A label it may use. Repeatable; none is the unlabelled endpoint."
    ),
]
Group = Annotated[str | None, typer.Option("--group", metavar="G", help="Its group's code, name or number.")]
SubjectRule = Annotated[
    str | None,
    typer.Option(
        "--subject-rule", help="The names it may ask for, such as 'CN=dev-*,O=Acme; dns=.plant.example'."
    ),
]
Expires = Annotated[
    str | None, typer.Option("--expires", help="When its credential ends: a date, or a span such as 90d.")
]


@app.command(cls=Changing)
def add(
    context: typer.Context,
    name: Name,
    username: Annotated[str, typer.Option("--username", help="The name it authenticates with.")],
    password_file: PasswordFile = None,
    ip: Networks = None,
    profile: Profiles = None,
    label: Labels = None,
    group: Group = None,
    subject_rule: SubjectRule = None,
    expires: Expires = None,
) -> None:
    """Register an application. A generated password is printed once."""
    session = open_change(invocation(context))
    request = service.NewApplication(
        name=name,
        username=username,
        password=read_password_file(password_file) if password_file else None,
        grants=_grants(session, ip, profile, label, group, subject_rule, expires),
    )
    saved = service.register_application(session.actor, request, session.passwords, session.deps)
    _show_saved(invocation(context), session, saved, "registered")


@app.command(cls=Changing)
def change(
    context: typer.Context,
    name: Name,
    new_name: Annotated[
        str | None, typer.Option("--name", metavar="NEW", help="Another name, which no application had.")
    ] = None,
    username: Annotated[
        str | None, typer.Option("--username", help="Another username; the present one stops at once.")
    ] = None,
    ip: Networks = None,
    profile: Profiles = None,
    label: Labels = None,
    group: Group = None,
    subject_rule: SubjectRule = None,
    expires: Expires = None,
) -> None:
    """Give it other grants: what is named replaces what was there, an empty value removes it."""
    session = open_change(invocation(context))
    grants = _grants(session, ip, profile, label, group, subject_rule, expires)
    identity = service.Identity(name=new_name, username=username)
    saved = service.change_application(session.actor, name, grants, session.deps, identity=identity)
    _show_saved(invocation(context), session, saved, "changed")


@app.command("list", cls=Reading)
def list_(context: typer.Context) -> None:
    """List the applications."""
    items = with_seals(invocation(context), "application", describe_all)
    emit_items(invocation(context), items, _COLUMNS)


@app.command(cls=Reading)
def show(context: typer.Context, name: Name) -> None:
    """Show one application."""
    records = open_records(invocation(context))
    emit_item(invocation(context), describe_one(records, find_named(records, "application", name)))


@app.command(cls=Changing)
def disable(context: typer.Context, name: Name) -> None:
    """Stop an application: within two seconds every worker refuses it. Its client certificates are revoked."""
    _set_enabled(invocation(context), name, enabled=False)


@app.command(cls=Changing)
def enable(context: typer.Context, name: Name) -> None:
    """Let a disabled application enrol again."""
    _set_enabled(invocation(context), name, enabled=True)


@app.command(cls=Changing)
def remove(context: typer.Context, name: Name) -> None:
    """Remove an application, and revoke its client certificates. Those of its devices stay valid until they are revoked
    or expire."""
    session = open_change(invocation(context))
    warnings = service.remove_application(session.actor, name, session.deps)
    emit(invocation(context), {"removed": name}, f"removed {name}")
    warn(f"{name}: {warning}" for warning in warnings)


@app.command(cls=Changing)
def rotate(context: typer.Context, name: Name, password_file: PasswordFile = None) -> None:
    """Give it a new password; the old one stops, and its client certificates are revoked. A generated one is printed
    once."""
    session = open_change(invocation(context))
    password = read_password_file(password_file) if password_file else None
    saved = service.rotate_password(session.actor, name, password, session.passwords, session.deps)
    _show_saved(invocation(context), session, saved, "gave a new password to")


def _grants(
    session: ChangeSession,
    ip: list[str] | None,
    profile: list[str] | None,
    label: list[str] | None,
    group: str | None,
    subject_rule: str | None,
    expires: str | None,
) -> service.Grants:
    moment = parse_moment(expires, session.deps.clock.now()) if expires else None
    return service.Grants(
        networks=_given(ip),
        profiles=_given(profile),
        labels=_given(label),
        group=group,
        subject_rule=subject_rule,
        expires_at=moment,
        never_expires=expires == "",
    )


def _given(texts: list[str] | None) -> tuple[str, ...] | None:
    """None where the option was not given; `--ip ""` is given, and empty."""
    return tuple(text for text in texts if text.strip()) if texts else None


def _set_enabled(shared: Invocation, name: str, *, enabled: bool) -> None:
    session = open_change(shared)
    saved = service.set_application_enabled(session.actor, name, enabled=enabled, deps=session.deps)
    emit(shared, {"name": name, "enabled": enabled}, f"{'enabled' if enabled else 'disabled'} {name}")
    warn(f"{name}: {warning}" for warning in saved.warnings)


def _show_saved(shared: Invocation, session: ChangeSession, saved: service.Registered, verb: str) -> None:
    described = _described(session.records, saved)
    password = saved.generated_password
    text = f"{verb} {described['name']}"
    emit(
        shared,
        described,
        text if password is None else f"{text}\nusername  {described['username']}\npassword  {password}",
    )
    warn(f"{described['name']}: {warning}" for warning in saved.warnings)


def _described(records: RecordStore, saved: service.Registered) -> Described:
    secret = {} if saved.generated_password is None else {"password": saved.generated_password}
    return {**describe_one(records, saved.record), **secret}
