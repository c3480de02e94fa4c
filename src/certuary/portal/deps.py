"""What the portal's pages work with; `build` is given it, and each request carries it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from django.http import HttpRequest

from certuary.core.mark import Marker
from certuary.portal.ways import Ways
from certuary.services.believed_records import BelievedRecords
from certuary.services.change_deps import ChangeDeps
from certuary.services.high_water import HighWater
from certuary.services.order_certificate import OrderDeps
from certuary.services.passwords import Passwords
from certuary.services.ports import Clock, RecordStore
from certuary.services.record_gate import RecordGate
from certuary.services.rehearse_enrolment import RehearsalDeps
from certuary.services.signing_key import OperatorKeys
from certuary.services.trust import Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalDeps:
    """`records` are all of them, believed or not: pages show both. A change signs with `operator`."""

    records: RecordStore
    clock: Clock
    trust: Trust
    operator: OperatorKeys = field(repr=False)
    high_water: HighWater
    passwords: Passwords = field(repr=False)
    marker: Marker = field(repr=False)
    rehearsal: RehearsalDeps = field(repr=False)
    ordering: OrderDeps = field(repr=False)
    new_request_id: Callable[[], str]
    est_url: str
    status_url: str
    environment: str
    ways: Ways

    def gate(self) -> RecordGate:
        """Over what the database says now. `InvalidSeal` when its manifest is not to be believed."""
        return RecordGate.open(self.records, self.trust, self.high_water)

    def believed_records(self) -> BelievedRecords:
        """Of which one that is not as it was signed is `InvalidSeal`."""
        return BelievedRecords(self.records, self.gate())

    def change_deps(self, *, request_id: str, address: str) -> ChangeDeps:
        """Before somebody has signed."""
        return ChangeDeps(
            records=self.records,
            clock=self.clock,
            marker=lambda: self.marker,
            request_id=request_id,
            address=address,
        )


def deps_of(request: HttpRequest) -> PortalDeps:
    return cast(PortalDeps, request.certuary)  # type: ignore[attr-defined]  # set by DepsMiddleware


def request_id_of(request: HttpRequest) -> str:
    return cast(str, request.request_id)  # type: ignore[attr-defined]  # set by DepsMiddleware


def address_of(request: HttpRequest) -> str:
    """Of the socket: no header is believed."""
    return str(request.META.get("REMOTE_ADDR", ""))


def change_deps_of(request: HttpRequest) -> ChangeDeps:
    return deps_of(request).change_deps(request_id=request_id_of(request), address=address_of(request))
