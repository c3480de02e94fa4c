"""What the job found altered in the database: shown while it lasts, and audited once while the process lives."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from certuary.core.values import serial_to_text
from certuary.services.ports import AuditRow, Clock, RecordStore
from certuary.services.publish_crl import CrlIssuer
from certuary.services.review_revocations import Altered

_SHOWN = 10
"""More than so many certificates are counted: a problem must stay readable."""

_AUDITED_AT_ONCE = 100
"""Somebody may alter every row: the rest follows in the next rounds, and others get at the database in between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    kind: str
    target: str
    authority: str
    reason: str


class AlteredRows:
    def __init__(self, records: RecordStore) -> None:
        self._records = records
        self._certificates: dict[int, Sequence[_Found]] = {}
        self._crls: dict[int, Mapping[int, _Found]] = {}
        self._unaudited: dict[tuple[int, str], _Found] = {}
        self._audited: set[tuple[int, str]] = set()

    @property
    def problems(self) -> tuple[str, ...]:
        crls = [_text(found) for of_one in self._crls.values() for found in of_one.values()]
        certificates = [found for of_one in self._certificates.values() for found in of_one]
        shown = [_text(found) for found in certificates[:_SHOWN]]
        if len(certificates) > _SHOWN:
            shown.append(f"{len(certificates) - _SHOWN} more certificates were altered in the database")
        return (*crls, *shown)

    def concerns(self, issuer: CrlIssuer) -> bool:
        return bool(self._certificates.get(issuer.id) or self._crls.get(issuer.id))

    def find_certificates(self, issuer: CrlIssuer, altered: Iterable[Altered]) -> None:
        """In place of what was found before."""
        self._certificates[issuer.id] = [
            _Found(
                kind="certificate",
                target=serial_to_text(one.serial),
                authority=issuer.name,
                reason=one.reason,
            )
            for one in altered
        ]
        self._remember(issuer, self._certificates[issuer.id])

    def find_crls(self, issuer: CrlIssuer, numbers: Iterable[int]) -> None:
        """To what was found before."""
        found = {
            number: _Found(
                kind="crl",
                target=str(number),
                authority=issuer.name,
                reason="its record was altered; it is not served and not built upon",
            )
            for number in numbers
        }
        self._crls[issuer.id] = {**self._crls.get(issuer.id, {}), **found}
        self._remember(issuer, found.values())

    def drop_crls_put_right(
        self, issuer: CrlIssuer, is_still_altered: Callable[[CrlIssuer, int], bool]
    ) -> None:
        of_one = self._crls.get(issuer.id, {})
        self._crls[issuer.id] = {
            number: found for number, found in of_one.items() if is_still_altered(issuer, number)
        }

    def forget_certificates(self) -> None:
        self._certificates.clear()

    def audit(self, clock: Clock) -> None:
        """Write the events that are due. `DatabaseDown` leaves them for the next time."""
        due = dict(list(self._unaudited.items())[:_AUDITED_AT_ONCE])
        if not due:
            return
        with self._records.transaction() as transaction:
            for found in due.values():
                transaction.add_audit(_event(found, clock))
        self._audited.update(due)
        for key in due:
            del self._unaudited[key]

    def _remember(self, issuer: CrlIssuer, found: Iterable[_Found]) -> None:
        for one in found:
            key = issuer.id, f"{one.kind}:{one.target}"
            if key not in self._audited:
                self._unaudited.setdefault(key, one)


def _text(found: _Found) -> str:
    what = "CRL" if found.kind == "crl" else "certificate"
    return f"{what} {found.target} of {found.authority} was altered in the database: {found.reason}"


def _event(found: _Found, clock: Clock) -> AuditRow:
    detail = {"authority": found.authority, "reason": found.reason}
    return AuditRow(
        at=clock.now(),
        kind=f"{found.kind}.altered",
        actor_kind="system",
        actor="crl-job",
        target=f"{found.kind}:{found.target}",
        request_id="",
        address="",
        detail=json.dumps(detail, sort_keys=True),
    )
