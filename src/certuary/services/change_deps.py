"""What every change takes: the records, the time, who signs, and what ties its events together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from certuary.core.mark import Marker
from certuary.errors import NotPermitted
from certuary.services.ports import Clock, RecordStore
from certuary.services.seal_changes import Sealing
from certuary.services.two_persons import Approved


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeDeps:
    """`request_id` ties together the events of one command; `address` is where it came from, "" for this machine.

    `marker` is a function: while a home is initialised, its key is made after this. `sealing` is None where nobody has
    signed in: then no sealed record can be changed.

    `approval` is what a second person approves by making the change. `may_ask` is set by a caller that asks for a
    second person when one is needed: then needing one is no refusal to be audited.
    """

    records: RecordStore
    clock: Clock
    marker: Callable[[], Marker]
    request_id: str
    address: str = ""
    sealing: Sealing | None = None
    approval: Approved | None = None
    may_ask: bool = False


def sealing_of(deps: ChangeDeps) -> Sealing:
    """`NotPermitted` where nobody has signed in."""
    if deps.sealing is None:
        raise NotPermitted("a sealed record is changed by a user who has signed in, and by nobody else")
    return deps.sealing
