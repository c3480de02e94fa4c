"""`certuary audit`: what happened, and who did it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from certuary.cli.invocation import Reading, invocation
from certuary.cli.output import cell, emit, emit_items, moment_text, note, plain, progress, table
from certuary.cli.session import open_records, open_settings
from certuary.errors import AuditBroken
from certuary.server.wiring import open_store, unlock_keys
from certuary.services.checkpoint_file import checkpoints_path, read_checkpoints
from certuary.services.ports import CheckpointStore
from certuary.services.trust import AUDIT_NAME, AUDIT_ROLE, read_trust
from certuary.services.verify_audit import (
    AuditReport,
    Finding,
    FoundCheckpoint,
    VerifyDeps,
    verify_audit,
)

if TYPE_CHECKING:
    from certuary.services.ports import StoredEvent

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


@app.command(cls=Reading)
def verify(
    context: typer.Context,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint", metavar="FILE", help="A copy of checkpoints.jsonl that was kept elsewhere."
        ),
    ] = None,
) -> None:
    """Check that no event was changed, removed or slipped in.

    Reads every event. Exit code 65 when something is found.
    """
    shared = invocation(context)
    settings = open_settings(shared)
    secret = unlock_keys(settings).store((AUDIT_ROLE,)).load_secret(AUDIT_NAME, role=AUDIT_ROLE)
    stores = open_store(settings)
    from certuary.store.audit import events_by_stream, stream_processes
    from certuary.store.database import consistent_read

    # What is read is the moment of the first statement. The file is read before, and so tells of nothing newer.
    kept = _checkpoints_in_file(
        checkpoint or checkpoints_path(settings.home), must_exist=checkpoint is not None
    )
    with consistent_read():
        report = verify_audit(
            VerifyDeps(
                checkpoint_key=read_trust(settings.keys_dir).checkpoint_key,
                audit_secret=secret,
                events=events_by_stream(),
                processes=stream_processes,
                checkpoints=chain(kept, _checkpoints_in_database(stores.checkpoints)),
                tell=progress(),
            )
        )
    emit(shared, asdict(report), _report_text(report))
    if report.found:
        raise AuditBroken(f"{report.found} findings" if report.found > 1 else "1 finding")


def _checkpoints_in_file(path: Path, *, must_exist: bool) -> Iterator[FoundCheckpoint]:
    if not must_exist and not path.exists():
        return
    for number, found in read_checkpoints(path):
        yield FoundCheckpoint(place=f"{path.name}, line {number}", checkpoint=found)


def _checkpoints_in_database(checkpoints: CheckpointStore) -> Iterator[FoundCheckpoint]:
    for found in checkpoints.all():
        yield FoundCheckpoint(place=f"database, checkpoint {found.number}", checkpoint=found)


def _report_text(report: AuditReport) -> str:
    streams = [asdict(stream) for stream in report.streams]
    parts = [
        f"{report.events} events, {report.checkpoints} checkpoints",
        table(("stream", "process", "events", "last", "covered"), streams),
    ]
    findings = [f"{finding.what}: {cell(finding.detail)}{_when(finding)}" for finding in report.findings]
    if report.found > len(findings):
        findings.append(f"and {report.found - len(findings)} more")
    return "\n\n".join([*parts, "\n".join(findings) or "nothing found: every event is as it was written"])


def _when(finding: Finding) -> str:
    return "" if finding.at is None else f" ({cell(finding.kind)}, {moment_text(finding.at)})"


def _describe(stored: StoredEvent) -> Mapping[str, object]:
    event = stored.event
    return {
        "number": stored.number,
        "at": event.at,
        "kind": event.kind,
        "actor_kind": event.actor_kind,
        "actor": event.actor,
        "target": event.target,
        "address": event.address,
        "request_id": event.request_id,
        "detail": json.loads(event.detail or "{}"),
        "stream": stored.stream,
        "seq": stored.seq,
        "hash": stored.hash.hex(),
    }
