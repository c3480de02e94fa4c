"""`certuary ca`: the authorities."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from certuary.cli.invocation import Changing, Reading, invocation
from certuary.cli.output import emit, emit_item, emit_items, note, write_export
from certuary.cli.seal_column import with_seals
from certuary.cli.session import open_change, open_records
from certuary.core.values import serial_to_text
from certuary.services.authorities import certificate_der, chain_of, export_certificates
from certuary.services.change_deps import ChangeDeps
from certuary.services.change_record import require_ca_administrator
from certuary.services.create_authority import ISSUING_NAME
from certuary.services.find_record import find_named
from certuary.services.ports import CrlStore, Record
from certuary.services.publish_crl import CrlDeps, CrlIssuer, publish_crl

app = typer.Typer(help="Authorities, and what they publish.", no_args_is_help=True, add_completion=False)

Name = Annotated[str, typer.Argument(help="The authority's name, such as root or issuing.")]
Format = Annotated[str, typer.Option("--format", help="pem, der or p7b.")]
Out = Annotated[Path | None, typer.Option("--out", help="A file to write instead of standard output.")]

_COLUMNS = ("name", "kind", "key_type", "subject", "not_after", "seal")


@app.command("list", cls=Reading)
def list_(context: typer.Context) -> None:
    """List the authorities."""
    items = with_seals(invocation(context), "authority", lambda _, rows: [_describe(row) for row in rows])
    emit_items(invocation(context), items, _COLUMNS)


@app.command(cls=Reading)
def show(context: typer.Context, name: Name) -> None:
    """Show one authority."""
    records = open_records(invocation(context))
    chain = chain_of(records, name)
    described = {**_describe(chain[0]), "chain": [str(record.values["name"]) for record in chain]}
    emit_item(invocation(context), described)


@app.command(cls=Reading)
def export(
    context: typer.Context,
    name: Name = ISSUING_NAME,
    root: Annotated[bool, typer.Option("--root", help="Its root instead.")] = False,
    chain: Annotated[bool, typer.Option("--chain", help="It and all above it.")] = False,
    form: Format = "pem",
    out: Out = None,
) -> None:
    """Print an authority's certificate."""
    found = chain_of(open_records(invocation(context)), name)
    chosen = found if chain else (found[-1] if root else found[0],)
    write_export(export_certificates(tuple(certificate_der(record) for record in chosen), form), out)


@app.command(cls=Changing)
def crl(context: typer.Context, name: Name) -> None:
    """Sign and publish an authority's next CRL now: the root's once a year, or after a revocation."""
    session = open_change(invocation(context))
    require_ca_administrator(session.actor, "publishing a CRL", session.deps)
    authority = find_named(session.records, "authority", name)
    role = str(authority.values["kind"])
    signer = session.keys.store((role,)).load_key(str(authority.values["key_name"]), role=role)
    published = publish_crl(
        CrlIssuer.from_record(authority),
        signer,
        _crl_deps(session.crls, session.actor.name, session.deps),
    )
    for altered in published.altered:
        note(f"certificate {serial_to_text(altered.serial)} was altered in the database: {altered.reason}")
    row = published.crl
    data = {"authority": name, "number": row.number, "next_update": row.next_update}
    emit(invocation(context), data, f"published CRL {row.number} of {name}")


def _crl_deps(crls: CrlStore, actor: str, deps: ChangeDeps) -> CrlDeps:
    return CrlDeps(
        crls=crls,
        clock=deps.clock,
        marker=deps.marker(),
        actor_kind="user",
        actor=actor,
        request_id=deps.request_id,
    )


def _describe(record: Record) -> Mapping[str, object]:
    hidden = ("certificate_der", "created_at", "issuer_id")
    return {key: value for key, value in record.values.items() if key not in hidden} | {
        "sha256": hashlib.sha256(certificate_der(record)).hexdigest()
    }
