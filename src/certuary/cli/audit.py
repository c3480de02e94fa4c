"""`certuary audit`: what happened, and who did it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from certuary.cli.invocation import Reading, invocation
from certuary.cli.output import emit_items, note, plain
from certuary.cli.session import open_records

if TYPE_CHECKING:
    from certuary.store.audit import NumberedEvent

app = typer.Typer(
    help="Audit events: what happened, and who did it.", no_args_is_help=True, add_completion=False
)

Kind = Annotated[str | None, typer.Option("--kind", help="Such as enrolment.refused, or all of enrolment.")]
Actor = Annotated[str | None, typer.Option("--actor", help="A user's or an application's name.")]
RequestId = Annotated[str | None, typer.Option("--request-id", help="An answer's X-Request-Id.")]


@app.command("list", cls=Reading)
def list_(
    context: typer.Context,
    kind: Kind = None,
    actor: Actor = None,
    request_id: RequestId = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many.")] = 50,
    before: Annotated[int | None, typer.Option("--before", help="Go on after the last page.")] = None,
) -> None:
    """List events, newest first."""
    open_records(invocation(context))
    from certuary.store.audit import AuditFilter, list_events

    wanted = AuditFilter(kind=kind, actor=actor, request_id=request_id)
    found = list_events(wanted, before=before, limit=limit)
    columns = ("number", "at", "kind", "actor", "target", "address", "request_id")
    emit_items(invocation(context), [_describe(event) for event in found], columns)
    if len(found) == limit:
        note(f"there may be more: --before {found[-1].number}")


@app.command(cls=Reading)
def export(
    context: typer.Context,
    kind: Kind = None,
    actor: Actor = None,
    request_id: RequestId = None,
    after: Annotated[int, typer.Option("--after", help="Only events with a number above this one.")] = 0,
) -> None:
    """Print events as JSON, one a line, oldest first."""
    open_records(invocation(context))
    from certuary.store.audit import AuditFilter, all_events

    for event in all_events(AuditFilter(kind=kind, actor=actor, request_id=request_id), after=after):
        sys.stdout.write(json.dumps(_describe(event), default=plain) + "\n")


def _describe(numbered: NumberedEvent) -> Mapping[str, object]:
    event = numbered.event
    return {
        "number": numbered.number,
        "at": event.at,
        "kind": event.kind,
        "actor_kind": event.actor_kind,
        "actor": event.actor,
        "target": event.target,
        "address": event.address,
        "request_id": event.request_id,
        "detail": json.loads(event.detail or "{}"),
    }
