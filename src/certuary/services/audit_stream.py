"""A process's own audit stream: how it is opened, and how those of its predecessors are closed.

A process that is killed writes no last event. Its successor says in its own stream where the other one ended.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from certuary.core.audit_chain import COMMANDS_STREAM, Chain, stream_key
from certuary.services.ports import AuditRow, AuditStreamStore, ClosedStream, KeyStore
from certuary.services.trust import AUDIT_NAME, AUDIT_ROLE

CLOSED_KIND: Final = "audit.stream_closed"
TARGET_PREFIX: Final = "stream:"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnStream:
    """`process` is the part that its successor will play too, such as "est-0" or "status"."""

    node: str
    process: str
    stream: str
    key: bytes = field(repr=False)

    def new_chain(self) -> Chain:
        return Chain(self.stream, self.key)


def commands_chain(keys: KeyStore) -> Chain:
    """The end of the stream of all commands; where it is, the database says when it is locked."""
    secret = keys.load_secret(AUDIT_NAME, role=AUDIT_ROLE)
    return Chain(COMMANDS_STREAM, stream_key(secret, COMMANDS_STREAM))


def open_stream(
    own: OwnStream, streams: AuditStreamStore, write: Callable[[AuditRow], None], now: datetime
) -> None:
    """May be repeated. `write` returns after the commit: a stream is marked as closed once the event is there."""
    streams.open(own.stream, node=own.node, process=own.process, at=now)
    for ended in streams.left_open(own.node, own.process):
        if ended.stream != own.stream:
            write(_closed(own, ended, now))
            streams.mark_closed(ended.stream, by=own.stream)


def _closed(own: OwnStream, ended: ClosedStream, now: datetime) -> AuditRow:
    detail = {"stream": ended.stream, "seq": ended.head.seq, "hash": ended.head.hash.hex()}
    return AuditRow(
        at=now,
        kind=CLOSED_KIND,
        actor_kind="system",
        actor=own.process,
        target=TARGET_PREFIX + ended.stream,
        request_id="",
        address="",
        detail=json.dumps(detail, sort_keys=True),
    )
