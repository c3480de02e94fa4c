"""Authorities that can be read, and what is handed out of them as files."""

from __future__ import annotations

from datetime import datetime

from certuary.errors import InvalidSeal, NotFound
from certuary.services.authorities import FORMATS, certificate_der, chain_of, export_certificates
from certuary.services.ports import Record, RecordStore
from certuary.store.crls import DjangoCrlStore

FILES = (*FORMATS, "chain", "chain-p7b", "crl")


def authority_file(record: Record, form: str, records: RecordStore) -> tuple[bytes, str, str]:
    """Its octets, their kind and a name. `NotFound` for a form that there is not, and before the first CRL."""
    name = str(record.values["name"])
    if form in ("chain", "chain-p7b"):
        chain = tuple(certificate_der(each) for each in chain_of(records, name))
        kind = "pem" if form == "chain" else "p7b"
        return export_certificates(chain, kind), kind, f"{name}-chain"
    if form == "crl":
        assert isinstance(record.id, int)
        crl = DjangoCrlStore().latest(record.id)
        if crl is None:
            raise NotFound(f"authority {name!r} has not published a CRL yet")
        return crl.der, "crl", name
    if form not in FORMATS:
        raise NotFound(f"a file is one of {', '.join(FILES)}")
    return export_certificates((certificate_der(record),), form), form, name


def check_readable(record: Record) -> Record:
    """`InvalidSeal` when there is nothing to show: whoever alters a row can put anything there."""
    if is_readable(record):
        return record
    raise InvalidSeal(
        f"authority {record.values['name']!r} holds a value that cannot be read: its row was altered; "
        "`certuary seal verify` names it"
    )


def is_readable(record: Record) -> bool:
    return isinstance(record.values["not_before"], datetime) and isinstance(
        record.values["not_after"], datetime
    )
