"""Authorities that can be read, and what is handed out of them as files."""

from __future__ import annotations

from datetime import datetime

from certuary.errors import InvalidSeal, NotFound
from certuary.portal.deps import PortalDeps
from certuary.services.authorities import FORMATS, certificate_der, chain_of, export_certificates
from certuary.services.ports import Record
from certuary.store.crls import DjangoCrlStore

FILES = (*FORMATS, "chain", "chain-p7b", "crl")


def authority_file(authority_id: int, form: str, deps: PortalDeps) -> tuple[bytes, str, str]:
    """Its octets, their kind and a name. `NotFound` for a form that there is not, and before the first CRL.

    `InvalidSeal` when what would be handed out is not what was signed: people trust what they fetch here.
    """
    records = deps.believed_records()
    record = records.find("authority", id=authority_id)
    if record is None:
        raise NotFound(f"there is no authority {authority_id}")
    name = str(record.values["name"])
    if form in ("chain", "chain-p7b"):
        chain = tuple(certificate_der(each) for each in chain_of(records, name))
        kind = "pem" if form == "chain" else "p7b"
        return export_certificates(chain, kind), kind, f"{name}-chain"
    if form == "crl":
        crl = DjangoCrlStore().latest(authority_id)
        if crl is None:
            raise NotFound(f"authority {name!r} has not published a CRL yet")
        deps.marker.check_crl(crl)
        return crl.der, "crl", name
    if form not in FORMATS:
        raise NotFound(f"a file is one of {', '.join(FILES)}")
    return export_certificates((certificate_der(record),), form), form, name


def chain_above(authority_id: int, deps: PortalDeps) -> tuple[bytes, ...]:
    """The certificates of an issuer and of every authority above it, each as it was signed."""
    records = deps.believed_records()
    authority = records.find("authority", id=authority_id)
    above = chain_of(records, str(authority.values["name"])) if authority else ()
    return tuple(certificate_der(record) for record in above)


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
