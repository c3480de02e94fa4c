"""The audit log in the portal: found, read, exported; and only as far as it concerns the reader."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import tracemalloc

import pytest

from certuary.services.entitlement import ADMINISTRATOR, AUDITOR, OFFICER
from certuary.services.manage_user import NewUser, add_user
from certuary.services.register_application import remove_application
from tests.wire.portal.certificates import add_application
from tests.wire.portal.pages import PASSWORD, Page, Portal, PortalClient, SignIn, text_of


def add_events(count: int, **changes: object) -> None:
    from django.utils import timezone

    from certuary.store.models import AuditEvent

    values: dict[str, object] = {
        "kind": "enrolment.issued",
        "actor_kind": "application",
        "actor": "loud",
        "target": "certificate:1",
        "request_id": "r1",
        "address": "192.0.2.1",
        "detail": json.dumps({"padding": "x" * 500}),
        "at": timezone.now(),
    }
    AuditEvent.objects.bulk_create([AuditEvent(**{**values, **changes}) for _ in range(count)], 500)


def exported(client: PortalClient, form: str, **query: str) -> str:
    answer: Page = client.get("/audit/export/", {"format": form, **query})
    assert answer.status_code == 200
    assert answer.streaming
    return b"".join(answer.streaming_content).decode()


def test_an_event_is_shown_with_what_changed_and_its_place_in_the_chain(client: PortalClient) -> None:
    page = text_of(client.get("/audit/", {"target": "application:quickstart"}))
    assert "application.added" in page
    from certuary.store.models import AuditEvent

    event = AuditEvent.objects.get(kind="application.added")
    shown = text_of(client.get(f"/audit/{event.pk}/"))
    assert "What changed" in shown
    assert "(secret)" in shown
    assert bytes(event.hash or b"").hex() in shown


def test_an_export_of_5000_events_takes_no_more_memory_than_one_of_2500(client: PortalClient) -> None:
    add_events(2500)
    exported(client, "jsonl")  # what is loaded once is loaded
    few = peak_of_export(client, 2500)
    add_events(2500)
    assert peak_of_export(client, 5000) < few * 1.25


def peak_of_export(client: PortalClient, expected: int) -> int:
    """The most octets that were in use at once."""
    answer: Page = client.get("/audit/export/", {"format": "jsonl", "actor": "loud"})
    tracemalloc.start()
    assert sum(part.count(b"\n") for part in answer.streaming_content) == expected
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_an_export_is_streamed_by_the_server_that_serves_the_portal(portal: Portal) -> None:
    from certuary.portal.audit_events import _in_thread, json_part
    from certuary.store.audit_pages import AuditSearch, search_events

    events = search_events(AuditSearch(), limit=1).events
    parts = iter([(), events, ()])  # among the first that were looked at there may be none

    async def gathered() -> list[str]:
        return [part async for part in _in_thread(["a\n"], parts, json_part)]

    heading, line = asyncio.run(gathered())
    assert heading == "a\n"
    assert json.loads(line)["number"] == events[0].number


def test_a_spreadsheet_of_events_holds_no_formula(client: PortalClient) -> None:
    add_events(1, actor="=HYPERLINK()", target="@SUM(1)", kind="+x", address="-1")
    rows = list(csv.DictReader(io.StringIO(exported(client, "csv"))))
    assert rows[0]["actor"] == "'=HYPERLINK()"
    assert rows[0]["target"] == "'@SUM(1)"
    assert rows[0]["kind"] == "'+x"
    assert not [row for row in rows for cell in row.values() if cell[:1] in "=+-@" and cell]
    assert json.loads(exported(client, "jsonl").splitlines()[0])["actor"] == "=HYPERLINK()"


def test_script_in_an_event_stays_text(client: PortalClient) -> None:
    script = "<script>alert(1)</script>"
    add_events(1, actor=script, target=script, detail=json.dumps({script: script, "after": {script: script}}))
    from certuary.store.models import AuditEvent

    number = AuditEvent.objects.order_by("-id").values_list("id", flat=True)[0]
    for url in ("/audit/", f"/audit/{number}/"):
        page = client.get(url).content.decode()
        assert script not in page
        assert "alert(1)" in page


@pytest.mark.parametrize("role", [ADMINISTRATOR, OFFICER, AUDITOR])
def test_who_has_groups_reads_of_them_and_of_what_they_did(
    role: str, portal: Portal, sign_in: SignIn
) -> None:
    add_application(portal, "ours", "GRP_001")
    add_application(portal, "theirs", "GRP_002")
    add_events(1, actor="ours", target="of-ours")
    add_events(1, actor="theirs", target="of-theirs")
    client = sign_in(role, ("GRP_001",))
    add_events(1, actor_kind="user", actor=client.username, target="of-mine")
    for text in (text_of(client.get("/audit/")), exported(client, "jsonl"), exported(client, "csv")):
        assert "of-ours" in text
        assert "of-mine" in text
        assert "theirs" not in text
    from certuary.store.models import AuditEvent

    for event in AuditEvent.objects.filter(target__in=["of-theirs", "application:theirs"]):
        assert client.get(f"/audit/{event.pk}/").status_code == 404


def test_a_name_that_is_given_again_brings_no_events_of_whoever_had_it_before(
    portal: Portal, sign_in: SignIn
) -> None:
    add_application(portal, "gate", "GRP_002")
    add_events(1, actor="gate", target="of-theirs")
    actor, deps = portal.changes_as()
    remove_application(actor, "gate", deps)
    for table, column in (
        ("audit_events", "at"),
        ("applications", "created_at"),
        ("applications", "removed_at"),
    ):
        portal.execute(f"UPDATE {table} SET {column} = datetime({column}, '-1 minute')")  # ours
    add_application(portal, "gate", "GRP_001")
    add_events(1, actor="gate", target="of-ours")
    text = text_of(sign_in(AUDITOR, ("GRP_001",)).get("/audit/"))
    assert "of-ours" in text
    assert "of-theirs" not in text


def test_an_auditor_without_groups_reads_everything_and_sees_whether_the_checkpoint_holds(
    portal: Portal, sign_in: SignIn
) -> None:
    add_application(portal, "theirs", "GRP_002")
    actor, deps = portal.changes_as()
    add_user(
        actor,
        NewUser(name="overseer", role=AUDITOR, groups=(), password=PASSWORD),
        portal.deps.passwords,
        deps,
    )
    client = PortalClient()
    client.sign_in("overseer")
    page = text_of(client.get("/audit/"))
    assert "application:theirs" in page
    assert "No checkpoint yet" in page
    portal.execute(
        "INSERT INTO audit_checkpoints (number, at, body, signature) VALUES (7, '2026-11-23 12:00:00', '{}', %s)",
        b"0",
    )
    assert "The newest checkpoint cannot be believed" in text_of(client.get("/audit/"))


def test_a_time_that_is_none_is_answered_with_a_sentence(client: PortalClient) -> None:
    assert "is not a time" in text_of(client.get("/audit/?since=yesterday"))
    assert client.get("/audit/export/?since=yesterday").status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        "since=0001-01-01",
        "until=9999-12-31T23:59:59",
        "since=0001-01-01T00:00:00%2B14:00",
        "until=9999-12-31T23:59-12:00",
    ],
)
def test_a_time_at_the_end_of_the_calendar_is_answered_with_a_sentence(
    query: str, client: PortalClient
) -> None:
    page = client.get(f"/audit/?{query}")
    assert page.status_code == 200
    assert "This search cannot be done" in text_of(page)
    assert client.get(f"/audit/export/?{query}").status_code == 400
