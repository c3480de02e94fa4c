"""`certuary cert`: certificates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from certuary.cli.invocation import Changing, Reading, invocation
from certuary.cli.output import emit, emit_item, emit_items, note, write_export
from certuary.cli.session import open_change, open_records
from certuary.core.names import subject_search_key
from certuary.core.values import serial_from_text, serial_to_text
from certuary.errors import Conflict, NotFound
from certuary.services.authorities import export_certificates
from certuary.services.change_record import change_records
from certuary.services.find_record import find_named
from certuary.services.guarded_clock import utc_now
from certuary.services.names_and_times import parse_span
from certuary.services.ports import CertificateRow, RecordStore
from certuary.services.revoke import UNSPECIFIED, parse_reason

app = typer.Typer(
    help="Certificates: find, show, export, revoke.", no_args_is_help=True, add_completion=False
)

_COLUMNS = ("serial", "subject", "application", "not_after", "status")

Serial = Annotated[str, typer.Argument(help="The serial number in hex.")]


@app.command("list", cls=Reading)
def list_(
    context: typer.Context,
    subject: Annotated[
        str | None, typer.Option("--subject", help="Its beginning, any case: 'CN=dev-1', or just dev-1.")
    ] = None,
    serial: Annotated[
        str | None, typer.Option("--serial", metavar="H", help="The serial number in hex.")
    ] = None,
    application: Annotated[str | None, typer.Option("--application", help="The application's name.")] = None,
    expiring_within: Annotated[
        str | None,
        typer.Option("--expiring-within", metavar="SPAN", help="Still valid, not much longer: 30d."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many.")] = 100,
    after: Annotated[int | None, typer.Option("--after", help="Go on after the last page.")] = None,
) -> None:
    """List certificates, newest first; by subject or expiry when searched by it."""
    records = open_records(invocation(context))
    from certuary.store.certificates import CertificateFilter, list_certificates

    now = utc_now()
    wanted: dict[str, Any] = {}
    if subject:
        wanted["subject_prefix"] = subject_search_key(subject)
    if serial:
        wanted["serial"] = serial_from_text(serial)
    if application:
        wanted["application_ids"] = (find_named(records, "application", application).id,)
    if expiring_within:
        wanted |= {
            "expiring_from": now,
            "expiring_before": now + parse_span(expiring_within),
            "revoked": False,
        }
    page = list_certificates(CertificateFilter(**wanted), after=after, limit=limit)
    describe = _Describer(records, now)
    emit_items(invocation(context), [describe(row) for row in page.certificates], _COLUMNS)
    if page.after is not None:
        note(f"there are more: --after {page.after}")


@app.command(cls=Reading)
def show(context: typer.Context, serial: Serial) -> None:
    """Show one certificate."""
    records = open_records(invocation(context))
    emit_item(invocation(context), _Describer(records, utc_now())(_find(serial)))


@app.command(cls=Reading)
def export(
    context: typer.Context,
    serial: Serial,
    form: Annotated[str, typer.Option("--format", help="pem, der or p7b.")] = "pem",
    out: Annotated[
        Path | None, typer.Option("--out", help="A file to write instead of standard output.")
    ] = None,
) -> None:
    """Print one certificate."""
    open_records(invocation(context))
    write_export(export_certificates((_find(serial).der,), form), out)


@app.command(cls=Changing)
def revoke(
    context: typer.Context,
    serial: Serial,
    reason: Annotated[
        str, typer.Option("--reason", help="Such as keyCompromise, superseded or cessationOfOperation.")
    ] = UNSPECIFIED,
) -> None:
    """Revoke a certificate. The next CRL, within seconds, says so."""
    checked_reason = parse_reason(reason)
    session = open_change(invocation(context))
    with change_records(session.actor, session.deps) as changes:
        revoked = changes.revoke(_find(serial), checked_reason)
    # As it is, believed or not: the certificate is revoked by now, whatever was done to its application.
    describe = _Describer(open_records(invocation(context)), utc_now())
    emit(
        invocation(context), describe(revoked), f"revoked {serial_to_text(revoked.serial)} ({checked_reason})"
    )


def _find(serial_text: str) -> CertificateRow:
    """Serial numbers hold 96 random bits, so two authorities share one only by somebody's doing."""
    from certuary.store.certificates import CertificateFilter, list_certificates

    serial = serial_from_text(serial_text)
    found = list_certificates(CertificateFilter(serial=serial), limit=2).certificates
    if not found:
        raise NotFound(f"there is no certificate with serial number {serial_to_text(serial)}")
    if len(found) > 1:
        raise Conflict(f"two authorities issued serial number {serial_to_text(serial)}")
    return found[0]


class _Describer:
    """Certificates for people; the names of authorities and applications are looked up once each."""

    def __init__(self, records: RecordStore, now: datetime) -> None:
        self._records = records
        self._now = now
        self._applications: dict[int, object] = {}
        self._authorities = {record.id: record.values["name"] for record in records.all("authority")}

    def __call__(self, row: CertificateRow) -> Mapping[str, object]:
        return {
            "serial": serial_to_text(row.serial),
            "subject": row.subject,
            "alternative_names": row.alternative_names,
            "authority": self._authorities.get(row.authority_id),
            "application": self._application(row.application_id),
            "not_before": row.not_before,
            "not_after": row.not_after,
            "status": self._status(row),
            "revoked_at": row.revoked_at,
            "revocation_reason": row.revocation_reason,
            "issued_at": row.issued_at,
            "source": row.source,
            "replaces": row.replaces,
            "key_sha256": row.key_hash,
        }

    def _application(self, application_id: int | None) -> object:
        if application_id is None:
            return None
        if application_id not in self._applications:
            record = self._records.find_ever("application", application_id)
            self._applications[application_id] = None if record is None else record.values["name"]
        return self._applications[application_id]

    def _status(self, row: CertificateRow) -> str:
        if row.revoked_at is not None:
            return "revoked"
        return "expired" if row.not_after < self._now else "valid"
