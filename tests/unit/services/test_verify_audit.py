"""`verify_audit` finds what was done to a chain, one kind of tampering at a time, and names the event."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from itertools import chain as joined

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from certuary.core.audit_chain import COMMANDS_STREAM, Chain, Head, stream_key
from certuary.core.checkpoint import Checkpoint, SignedCheckpoint, sign_checkpoint
from certuary.errors import AuditBroken
from certuary.services import verify_audit as module
from certuary.services.audit_stream import CLOSED_KIND
from certuary.services.ports import AuditRow, StoredEvent
from certuary.services.verify_audit import AuditReport, FoundCheckpoint, VerifyDeps, verify_audit
from tests.memory_records import NOW

SECRET = b"the audit secret of the test".ljust(32)
OWN, GONE = "aaaa", "bbbb"
KEY = ec.generate_private_key(ec.SECP256R1())
Events = list[StoredEvent]


def audit_row(**changes: object) -> AuditRow:
    row = AuditRow(
        at=NOW + timedelta(microseconds=250),
        kind="enrolment.issued",
        actor_kind="application",
        actor="line-1",
        target="01",
        request_id="r",
        address="192.0.2.7",
        detail="{}",
    )
    return replace(row, **changes)  # type: ignore[arg-type]  # a table of changes


def written(stream: str, *rows: AuditRow, first: int = 1) -> Events:
    """As a process of ours writes them."""
    links = Chain(stream, stream_key(SECRET, stream)).links([row.texts() for row in rows])
    return [
        StoredEvent(
            number=first + offset,
            stream=stream,
            seq=link.seq,
            previous=link.previous,
            hash=link.hash,
            event=row,
        )
        for offset, (link, row) in enumerate(zip(links, rows, strict=True))
    ]


def some(stream: str, count: int = 5, first: int = 1) -> Events:
    return written(stream, *(audit_row(target=f"{n}") for n in range(count)), first=first)


def head_of(events: Events) -> Head:
    assert events[-1].seq is not None
    return Head(events[-1].seq, events[-1].hash)


def closing(stream: str, head: Head) -> AuditRow:
    detail = {"stream": stream, "seq": head.seq, "hash": head.hash.hex()}
    return audit_row(kind=CLOSED_KIND, target=f"stream:{stream}", detail=json.dumps(detail))


def signed(number: int = 1, previous: str = "", **streams: Head) -> SignedCheckpoint:
    return sign_checkpoint(
        Checkpoint(instance="i", number=number, at=NOW, streams=streams, previous=previous), KEY
    )


def verified(events: Iterable[StoredEvent], *checkpoints: SignedCheckpoint | AuditBroken) -> AuditReport:
    return verify_audit(
        VerifyDeps(
            checkpoint_key=KEY.public_key(),
            audit_secret=SECRET,
            events=events,
            processes=lambda: {OWN: "est-0 on n", GONE: "est-0 on n"},
            checkpoints=[FoundCheckpoint(place="file, line 1", checkpoint=one) for one in checkpoints],
            tell=lambda text: None,
        )
    )


def whats(report: AuditReport) -> list[str]:
    assert report.found == len(report.findings)
    return [finding.what for finding in report.findings]


def test_nothing_is_found_in_what_was_written_and_truncation_is_excluded_where_told() -> None:
    gone = some(GONE, first=10)
    own = written(OWN, closing(GONE, head_of(gone)), audit_row(), audit_row())
    commands = some(COMMANDS_STREAM, first=20)
    report = verified([*own, *gone, *commands], signed(aaaa=head_of(own[:2])))
    assert report.findings == ()
    assert (report.events, report.checkpoints) == (13, 1)
    places = {one.stream: (one.process, one.events, one.last, one.covered) for one in report.streams}
    assert places == {
        OWN: ("est-0 on n", 3, 3, 2),
        GONE: ("est-0 on n", 5, 5, 5),
        COMMANDS_STREAM: ("commands", 5, 5, 0),
    }


def edited(events: Events, index: int, **changes: object) -> Events:
    one = events[index]
    return [*events[:index], replace(one, event=replace(one.event, **changes)), *events[index + 1 :]]  # type: ignore[arg-type]  # a table


TAMPERINGS: dict[str, tuple[Callable[[Events], Events], str, int]] = {
    "an edited event": (lambda events: edited(events, 2, actor="mallory"), "edited", 3),
    "an edited time": (lambda events: edited(events, 2, at=NOW), "edited", 3),
    "an edited last event, which a checkpoint lists": (
        lambda events: edited(events, 4, kind="x"),
        "edited",
        5,
    ),
    "an event with another hash": (
        lambda events: [*events[:2], replace(events[2], hash=b"x" * 32), *events[3:]],
        "forged",
        3,
    ),
    "a deleted event": (lambda events: [*events[:2], *events[3:]], "deleted", 3),
    "the first event deleted": (lambda events: events[1:], "deleted", 1),
    "an event told twice": (lambda events: [*events[:3], *events[2:]], "inserted", 3),
    "an event appended without the key": (
        lambda events: [*events, replace(events[4], seq=6, number=99, previous=events[4].hash)],
        "forged",
        6,
    ),
    "the end cut off": (lambda events: events[:3], "tail-cut", 4),
    "the whole stream removed": (lambda events: [], "stream-removed", 1),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_with_one_event_is_found_and_named(name: str) -> None:
    tamper, what, seq = TAMPERINGS[name]
    events = some(OWN)
    report = verified(tamper(events), signed(aaaa=head_of(events)))
    first = report.findings[0]
    assert (first.what, first.stream, first.seq) == (what, OWN, seq)
    assert report.found == 1


def test_a_named_event_has_number_kind_and_time() -> None:
    (finding,) = verified(edited(some(OWN, first=41), 2, actor="mallory")).findings
    assert (finding.number, finding.kind, finding.at) == (43, "enrolment.issued", audit_row().at)
    assert "number 43" in finding.detail


def test_an_event_without_a_place_is_unchained() -> None:
    lone = StoredEvent(number=7, stream="", seq=None, previous=b"", hash=b"", event=audit_row())
    assert whats(verified([lone, *some(OWN)])) == ["unchained"]


def test_an_event_in_a_stream_that_nobody_opened_is_foreign() -> None:
    strange = replace(some(OWN)[0], stream="zzzz")
    assert whats(verified([*some(OWN), strange])) == ["foreign"]


def test_an_event_moved_to_another_stream_is_found() -> None:
    moved = replace(some(OWN)[0], stream=GONE)
    assert whats(verified([moved])) == ["forged"]


def test_a_genuine_event_that_does_not_follow_is_unlinked() -> None:
    one, other = some(OWN), written(OWN, *(audit_row(target=f"other {n}") for n in range(5)))
    assert whats(verified([*one[:2], *other[2:]])) == ["unlinked"]


def test_a_cut_tail_is_found_by_the_event_that_closed_the_stream() -> None:
    gone = some(GONE)
    own = written(OWN, closing(GONE, head_of(gone)))
    (finding,) = verified([*own, *gone[:3]]).findings
    assert (finding.what, finding.stream, finding.seq) == ("tail-cut", GONE, 4)
    assert whats(verified(own)) == ["stream-removed"]


def test_a_stream_rewritten_after_it_was_closed_is_found() -> None:
    gone = some(GONE)
    other = written(GONE, *(audit_row(target=f"other {n}") for n in range(5)))
    own = written(OWN, closing(GONE, head_of(gone)))
    assert whats(verified([*own, *other])) == ["rewritten"]


def test_a_rewritten_end_is_found_by_any_earlier_checkpoint() -> None:
    before, after = some(OWN), written(OWN, *(audit_row(target=f"{n}") for n in (0, 1, 7, 8, 9, 10, 11)))
    report = verified(after, signed(1, aaaa=head_of(before)), signed(2, aaaa=head_of(after)))
    assert "rewritten" in whats(report)


def test_two_checkpoints_that_tell_of_different_events_are_found() -> None:
    before, after = some(OWN), written(OWN, *(audit_row(target=f"x{n}") for n in range(5)))
    one = signed(1, aaaa=head_of(before))
    other = signed(2, previous=one.digest(), aaaa=head_of(after))
    # The checkpoints themselves, and the event that is there.
    assert whats(verified(after, one, other)) == ["rewritten", "rewritten"]


def test_a_checkpoint_that_cannot_be_believed_is_found() -> None:
    strange = replace(signed(), signature=b"x")
    assert whats(verified([], strange, AuditBroken("it is no checkpoint"))) == ["bad-checkpoint"] * 2


def test_checkpoints_that_do_not_follow_one_another_are_found() -> None:
    one = signed(1)
    assert whats(verified([], one, signed(2, previous=one.digest()))) == []
    assert whats(verified([], one, signed(2, previous="another"))) == ["two-checkpoints"]
    assert whats(verified(some(OWN), one, signed(1, aaaa=head_of(some(OWN))))) == ["two-checkpoints"]


def test_many_findings_are_all_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FINDINGS", 3)
    told: list[str] = []
    monkeypatch.setattr(module, "_PROGRESS_EVENTS", 2)
    events = [replace(one, event=replace(one.event, actor="x")) for one in some(OWN, 7)]
    report = verified(joined(events))
    assert (report.found, len(report.findings)) == (7, 3)
    assert told == []
