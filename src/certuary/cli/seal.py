"""`certuary seal`: whether records are what somebody entitled signed, and what to do when one is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer

from certuary.cli.invocation import Changing, Invocation, Reading, invocation
from certuary.cli.output import emit, emit_items, note, progress
from certuary.cli.session import one_moment, open_change, open_gate, open_records, open_settings
from certuary.core.seal import fingerprint
from certuary.errors import InvalidSeal
from certuary.server.wiring import home_marker, unlock_keys
from certuary.services.accept_rollback import accept_rollback
from certuary.services.adopt_record import Shown, adopt_record, forget_record, parse_kind, show_record
from certuary.services.change_record import require_ca_administrator
from certuary.services.verify_marks import verify_marks
from certuary.services.verify_seals import Finding, verify_seals

app = typer.Typer(
    help="Seals: whether records are what somebody entitled signed.",
    no_args_is_help=True,
    add_completion=False,
)

_COUNT_EVERY = 1000

Kind = Annotated[
    str,
    typer.Argument(
        metavar="KIND", help="application, profile, label, group, user, authority, switch or approval."
    ),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Its name; a group's code or name.")]


@app.command(cls=Reading)
def verify(
    context: typer.Context,
    records_only: Annotated[
        bool,
        typer.Option(
            "--records-only", help="Seals only, which takes no passphrase; no certificates, no CRLs."
        ),
    ] = False,
) -> None:
    """Verify every seal and every mark. Exit code 65 when something cannot be believed."""
    shared = invocation(context)
    counter = Counter("records")
    with one_moment(shared) as records:
        # The store's modules want a configured database before they are imported.
        from certuary.store import authenticators

        gate = open_gate(open_settings(shared), records)
        findings = list(verify_seals(records, gate, counter, authenticators.digests))
    if not records_only:
        findings += _mark_findings(shared)
    if not findings:
        emit(shared, [], f"{counter.seen} records verified: everything holds")
        return
    emit_items(shared, [asdict(finding) for finding in findings], ("kind", "name", "reason"))
    raise InvalidSeal(f"{len(findings)} of these cannot be believed; certuary seal show KIND NAME tells more")


@app.command(cls=Reading)
def show(context: typer.Context, kind: Kind, name: Name) -> None:
    """Show a record as it is signed, who signed it, and whether that holds."""
    shown = _shown(invocation(context), kind, name)
    described = _describe(shown)
    lines = [f"{key:<10}  {value}" for key, value in described.items() if key != "statement"]
    statement = json.dumps(described["statement"], indent=2, ensure_ascii=True)
    emit(invocation(context), described, "\n".join([*lines, statement]))


@app.command(cls=Changing)
def sign(
    context: typer.Context,
    kind: Kind,
    name: Name,
    digest: Annotated[
        str, typer.Option("--digest", metavar="HEX", help="That of what `certuary seal show` showed you.")
    ],
) -> None:
    """Sign a record as it stands, whoever made it so. Putting the row back as it was needs no signature."""
    session = open_change(invocation(context))
    shown = _shown(invocation(context), kind, name)
    adopt_record(session.actor, shown, digest.lower(), session.deps)
    emit(invocation(context), {"signed": name, "kind": kind}, f"signed {kind} {name} as {session.actor.name}")


@app.command(cls=Changing)
def forget(context: typer.Context, kind: Kind, name: Name) -> None:
    """Accept that a record's row is gone. Restoring the row needs no signature."""
    session = open_change(invocation(context))
    forget_record(session.actor, parse_kind(kind), name, session.deps)
    emit(invocation(context), {"forgotten": name, "kind": kind}, f"{kind} {name} is expected no more")


@app.command("accept-rollback", cls=Changing)
def accept_rollback_(context: typer.Context) -> None:
    """Accept what the database holds now, after a backup was restored on purpose."""
    session = open_change(invocation(context), despite_manifest=True)
    require_ca_administrator(session.actor, "accepting a rollback", session.deps)
    accepted = accept_rollback(session.actor, session.deps)
    data = {**asdict(accepted), "left_out": [asdict(one) for one in accepted.left_out]}
    text = f"accepted: manifest {accepted.sequence} instead of {accepted.replaced}"
    emit(invocation(context), data, text)
    for one in accepted.left_out:
        note(f"warning: {one.kind} {one.name!r} is left out: {one.reason}")


class Counter:
    """Tells the progress of long work."""

    def __init__(self, what: str) -> None:
        self.seen = 0
        self._what = what
        self._tell = progress()

    def __call__(self) -> None:
        self.seen += 1
        if self.seen % _COUNT_EVERY == 0:
            self._tell(f"{self.seen:,} {self._what} verified")


def _mark_findings(shared: Invocation) -> Iterator[Finding]:
    settings = open_settings(shared)
    records = open_records(shared)
    # The store's modules want a configured database before they are imported.
    from certuary.store.marked_rows import DjangoMarkedRows

    tell = progress()
    marker = home_marker(settings, unlock_keys(settings))
    return verify_marks(
        DjangoMarkedRows(),
        marker,
        records.all("authority"),
        lambda done, total: tell(f"{done:,} of about {total:,} certificates verified"),
    )


def _shown(shared: Invocation, kind: str, name: str) -> Shown:
    records = open_records(shared)
    return show_record(records, open_gate(open_settings(shared), records), parse_kind(kind), name)


def _describe(shown: Shown) -> dict[str, object]:
    described: dict[str, object] = {
        "kind": shown.record.kind,
        "id": shown.record.id,
        "version": shown.record.version,
    }
    if shown.seal is not None:
        described |= {
            "signer": shown.seal.signer,
            "role": shown.seal.role,
            "at": shown.seal.at.isoformat(),
            "key": fingerprint(shown.seal.certificate),
        }
    return {
        **described,
        "digest": shown.digest,
        "holds": "yes" if shown.problem is None else f"no: {shown.problem}",
        "statement": json.loads(shown.statement),
    }
