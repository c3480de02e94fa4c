"""What a server leaves that has issued for a fleet: certificates with their enrolments and events, and refusals.

Most of it belongs to one application, a little to another whose rows lie far apart, the rest to a third.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from certuary.core.mark import Marker
from certuary.core.values import SERIAL_RANDOM_OCTETS, make_serial, serial_to_text
from certuary.services.ports import CertificateRow

Row = dict[str, Any]

LIFETIME: Final = timedelta(days=90)
ISSUED_OVER: Final = timedelta(days=120)
FEW_OF_FEW: Final = 60
REVOKED_EVERY: Final = (5, 50)
REFUSED_EVERY: Final = (1, 10)
"""Of a small fleet and of a large one: both fill the pages that show them, and so the same is compared."""
SMALL: Final = 10_000
CHANGED_EVERY: Final = 1_000
RULES: Final = ("subject-refused",) * 7 + ("profile-refused", "key-refused", "malformed-csr")
SELDOM_RULE: Final = "wildcard"
_SELDOM_REFUSALS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """`most`, `some` and `few` are (number, name) of applications; times run up to `until`.

    `sample` is a certificate that the installation issued, of which each row has its bytes with its own serial.
    """

    count: int
    until: datetime
    most: tuple[int, str]
    some: tuple[int, str]
    few: tuple[int, str]
    profile_version_id: int
    revision: int
    sample: CertificateRow
    marker: Marker

    def tables(self) -> Mapping[str, Iterator[Row]]:
        return {
            "certificates": map(self._certificate, range(self.count)),
            "enrolments": self._enrolments(),
            "audit_events": self._events(),
        }

    @property
    def revoked_every(self) -> int:
        return REVOKED_EVERY[self.count > SMALL]

    @property
    def refused_every(self) -> int:
        return REFUSED_EVERY[self.count > SMALL]

    @property
    def last_revision(self) -> int:
        return self.revision + self.count // self.revoked_every

    def moment(self, number: int) -> datetime:
        return self.until - ISSUED_OVER + ISSUED_OVER * (number / self.count)

    def serial(self, number: int) -> int:
        octets = hashlib.blake2b(str(number).encode(), digest_size=SERIAL_RANDOM_OCTETS).digest()
        return make_serial(int(self.moment(number).timestamp() * 1000), octets)

    def request_id(self, number: int) -> str:
        return _hash(f"request {number}", 16)

    def name(self, number: int) -> str:
        """In no order, as a fleet enrols."""
        return f"device-{_hash(f'name {number}', 5)}"

    def application(self, number: int) -> tuple[int, str]:
        if number % max(1, self.count // FEW_OF_FEW) == 0:
            return self.few
        return self.some if number % 10 == 9 else self.most

    def is_revoked(self, number: int) -> bool:
        return number % self.revoked_every == self.revoked_every - 1

    def _certificate(self, number: int) -> Row:
        at, name, serial = self.moment(number), self.name(number), self.serial(number)
        gone = self.is_revoked(number)
        row = CertificateRow(
            authority_id=self.sample.authority_id,
            serial=serial,
            profile_version_id=self.profile_version_id,
            application_id=self.application(number)[0],
            subject=f"CN={name}",
            subject_key=f"cn={name}",
            alternative_names=f'["DNS:{name}.example.org"]',
            key_hash=_hash(f"key {number}", 32),
            not_before=at,
            not_after=at + LIFETIME,
            der=self.sample.der.replace(_octets(self.sample.serial), _octets(serial)),
            source="est",
            replaces=None,
            issued_at=at,
            revoked_at=at + LIFETIME / 90 if gone else None,
            revocation_reason="superseded" if gone else None,
            revoked_revision=self.revision + 1 + number // self.revoked_every if gone else None,
            marker=self.marker,
        )
        values = {column: getattr(row, column) for column in _CERTIFICATE}
        return values | {"serial": serial_to_text(serial)}

    def _enrolments(self) -> Iterator[Row]:
        for number in range(self.count):
            if number % self.refused_every == 0:
                yield self._enrolment(number, reason=self._reason(number))
            yield self._enrolment(number, reason="")

    def _reason(self, number: int) -> str:
        of_all = number // self.refused_every
        if of_all % max(1, self.count // self.refused_every // _SELDOM_REFUSALS) == 0:
            return SELDOM_RULE
        return RULES[of_all % len(RULES)]

    def _enrolment(self, number: int, *, reason: str) -> Row:
        return {
            "request_id": _hash(f"refused {number}", 16) if reason else self.request_id(number),
            "at": self.moment(number),
            "operation": "simpleenroll",
            "outcome": "refused" if reason else "issued",
            "reason": reason,
            "application_id": self.application(number)[0],
            "profile_version_id": self.profile_version_id,
            "label": "",
            "address": "192.0.2.7",
            "serial": None if reason else serial_to_text(self.serial(number)),
            "csr_der": self.sample.der,
        }

    def _events(self) -> Iterator[Row]:
        for number in range(self.count):
            if number % self.refused_every == 0:
                detail = {"rule": self._reason(number), "text": "what was asked for is not granted"}
                refused = {"kind": "enrolment.refused", "target": "", "detail": json.dumps(detail)}
                yield self._event(number) | refused | {"request_id": _hash(f"refused {number}", 16)}
            yield self._event(number)
            if number % CHANGED_EVERY == 0:
                yield self._event(number) | {
                    "kind": "application.changed",
                    "actor_kind": "user",
                    "actor": "admin",
                    "target": f"application:{self.most[1]}",
                    "request_id": _hash(f"changed {number}", 16),
                    "detail": '{"before":{"labels":[]},"after":{"labels":["line"]}}',
                }

    def _event(self, number: int) -> Row:
        serial = serial_to_text(self.serial(number))
        return {
            # Each its own place in a stream of its own: the chain of the server's stream goes on behind it.
            "stream": "filled",
            "seq": None,
            "at": self.moment(number),
            "kind": "enrolment.issued",
            "actor_kind": "application",
            "actor": self.application(number)[1],
            "target": f"certificate:{serial}",
            "request_id": self.request_id(number),
            "address": "192.0.2.7",
            "detail": json.dumps({"serial": serial, "subject": f"CN={self.name(number)}"}),
        }


_CERTIFICATE: Final = tuple(
    name for name in CertificateRow.__dataclass_fields__ if name not in ("id", "marker")
)


def _hash(text: str, octets: int) -> str:
    return hashlib.blake2b(text.encode(), digest_size=octets).hexdigest()


def _octets(serial: int) -> bytes:
    return serial.to_bytes((serial.bit_length() + 8) // 8, "big")
