"""Audit events as data: for their page, for files, for the API; and what the newest checkpoint says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

from certuary.core.checkpoint import open_checkpoint
from certuary.errors import AuditBroken, InvalidValue
from certuary.portal.deps import deps_of
from certuary.services.ports import StoredEvent
from certuary.store.audit_pages import AuditSearch, all_found
from certuary.store.checkpoints import DjangoCheckpointStore

JSON_LINES: Final = "application/jsonl"
_FIRST_YEAR, _LAST_YEAR = 1970, 9998  # a search looks some minutes further
Part = Callable[[Iterable[StoredEvent]], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestCheckpoint:
    """`problem` is "" when it is this installation's; else nothing in it counts."""

    number: int
    at: datetime
    problem: str = ""
    streams: int | None = None


def event_file(
    request: HttpRequest, wanted: AuditSearch, form: Part, heading: list[str], *, name: str, media_type: str
) -> StreamingHttpResponse:
    """All that is found, newest first, written while it is read."""
    parts = all_found(wanted)
    first = next(parts)  # what cannot be searched is said now: later the answer has begun
    content: Any = (_in_thread if isinstance(request, ASGIRequest) else _parts)(
        heading, chain((first,), parts), form
    )
    response = StreamingHttpResponse(content, content_type=media_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def checked_time(moment: datetime) -> datetime:
    """In UTC, and within the years that can be searched. `InvalidValue`."""
    try:
        in_utc = moment.astimezone(UTC)
    except OverflowError:
        in_utc = None
    if in_utc is None or not _FIRST_YEAR <= in_utc.year <= _LAST_YEAR:
        raise InvalidValue(f"the years go from {_FIRST_YEAR} to {_LAST_YEAR}", rule="time")
    return in_utc


def _parts(heading: list[str], parts: Iterator[tuple[StoredEvent, ...]], form: Part) -> Iterator[str]:
    yield from heading
    for part in parts:
        yield form(part)


async def _in_thread(
    heading: list[str], parts: Iterator[tuple[StoredEvent, ...]], form: Part
) -> AsyncIterator[str]:
    """Django would gather what is not asynchronous whole before it sends the first octet."""
    for line in heading:
        yield line
    # A part may be empty: nothing among so many events, and more to come.
    while (part := await sync_to_async(lambda: next(parts, None))()) is not None:
        if part:
            yield form(part)


def json_part(part: Iterable[StoredEvent]) -> str:
    return "".join(json.dumps(described(stored)) + "\n" for stored in part)


def described(stored: StoredEvent) -> dict[str, object]:
    event = stored.event
    return {
        "number": stored.number,
        "at": event.at.isoformat().replace("+00:00", "Z"),
        "kind": event.kind,
        "actor_kind": event.actor_kind,
        "actor": event.actor,
        "target": event.target,
        "address": event.address,
        "request_id": event.request_id,
        "detail": detail_of(stored),
        "stream": stored.stream,
        "seq": stored.seq,
        "hash": stored.hash.hex(),
    }


def detail_of(stored: StoredEvent) -> Mapping[str, object]:
    """What somebody wrote there by SQL may be anything."""
    try:
        detail = json.loads(stored.event.detail or "{}")
    except (ValueError, RecursionError):
        return {"text": stored.event.detail}
    return detail if isinstance(detail, dict) else {"text": stored.event.detail}


def newest_checkpoint(request: HttpRequest) -> NewestCheckpoint | None:
    """The newest one, and whether this installation signed it. The whole chain takes the audit key: not ours."""
    newest = DjangoCheckpointStore().latest()
    if newest is None:
        return None
    try:
        opened = open_checkpoint(newest, deps_of(request).trust.checkpoint_key)
    except AuditBroken as problem:
        return NewestCheckpoint(number=newest.number, at=newest.at, problem=problem.detail)
    return NewestCheckpoint(number=newest.number, at=newest.at, streams=len(opened.streams))
