"""Pages of applications, and the history of a record: alike on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from certuary.store import setup

setup.configure("sqlite:///no-such-directory/unused.db")

from certuary.store.applications import (  # noqa: E402  # models can be imported only after it is configured
    ApplicationFilter,
    ApplicationPage,
    last_used,
    list_applications,
)
from certuary.store.audit import events_about  # noqa: E402
from certuary.store.models import Application, AuditEvent, Enrolment, Group  # noqa: E402

NOW = datetime(2026, 7, 1, tzinfo=UTC)
EVERY = ApplicationFilter()


@pytest.fixture
def applications(database_url: str) -> list[int]:
    """a to e: b is disabled, c has expired, d is of another group, e is retired."""
    groups = [
        Group.objects.create(revision=1, created_at=NOW, code=code, name=code) for code in ("GRP_8", "GRP_9")
    ]
    return [_add(name, groups[name == "d"]).pk for name in "abcde"]


def _add(name: str, group: Group) -> Application:
    return Application.objects.create(
        revision=1,
        created_at=NOW,
        name=name,
        username=f"user-{name.upper()}",
        password_hash="",
        group=group,
        networks=[],
        profile_ids=[],
        labels=[],
        subject_rule="",
        enabled=name != "b",
        expires_at=NOW - timedelta(days=1) if name == "c" else None,
        removed_at=NOW if name == "e" else None,
    )


def names(page: ApplicationPage) -> str:
    return "".join(str(record.values["name"]) for record in page.records)


def test_pages_go_by_name_in_both_directions(applications: list[int]) -> None:
    first = list_applications(EVERY, NOW, limit=2)
    assert (names(first), first.has_earlier, first.has_later) == ("ab", False, True)
    second = list_applications(EVERY, NOW, after="b", limit=2)
    assert (names(second), second.has_earlier, second.has_later) == ("cd", True, False)
    back = list_applications(EVERY, NOW, before="c", limit=2)
    assert (names(back), back.has_earlier, back.has_later) == ("ab", False, True)
    middle = list_applications(EVERY, NOW, before="d", limit=2)
    assert (names(middle), middle.has_earlier) == ("bc", True)


@pytest.mark.parametrize(
    ("status", "found"), [("", "abcd"), ("enabled", "ad"), ("disabled", "b"), ("expired", "c")]
)
def test_a_status_is_a_filter(applications: list[int], status: str, found: str) -> None:
    assert names(list_applications(ApplicationFilter(status=status), NOW)) == found


def test_usernames_are_searched_in_any_case_and_as_they_are(applications: list[int]) -> None:
    assert names(list_applications(ApplicationFilter(text="USER-b"), NOW)) == "b"
    assert names(list_applications(ApplicationFilter(text="%"), NOW)) == ""


def test_no_group_finds_nothing(applications: list[int]) -> None:
    assert names(list_applications(ApplicationFilter(group_ids=()), NOW)) == ""
    assert names(list_applications(ApplicationFilter(names=("a", "z")), NOW)) == "a"


def test_last_used_is_the_newest_enrolment(applications: list[int]) -> None:
    for days in (3, 1):
        Enrolment.objects.create(
            request_id="",
            at=NOW - timedelta(days=days),
            operation="simpleenroll",
            outcome="issued",
            reason="",
            application_id=applications[0],
            label="",
            address="",
        )
    assert last_used(applications) == {applications[0]: NOW - timedelta(days=1)}


def test_a_history_is_newest_first_and_leaves_out_what_applications_did(database_url: str) -> None:
    for actor_kind, kind in (("user", "added"), ("application", "used"), ("sql", "changed")):
        AuditEvent.objects.create(
            at=NOW,
            kind=f"application.{kind}",
            actor_kind=actor_kind,
            actor="x",
            target="application:a",
            request_id="",
            address="",
            detail="{}",
        )
    events = events_about(("application:a", "application:b"))
    assert [event.event.kind for event in events] == ["application.changed", "application.added"]
    assert [event.event.kind for event in events_about(("application:a",), before=events[0].number)] == [
        "application.added"
    ]


def test_what_a_user_ordered_for_an_application_is_no_use_by_it(applications: list[int]) -> None:
    for number, operation in ((0, "simpleenroll"), (1, "order")):
        Enrolment.objects.create(
            request_id=operation,
            at=NOW,
            operation=operation,
            outcome="issued",
            reason="",
            application_id=applications[number],
        )
    assert last_used(applications) == {applications[0]: NOW}


def test_an_application_that_never_asked_has_not_the_time_of_another(applications: list[int]) -> None:
    Enrolment.objects.create(
        request_id="r",
        at=NOW,
        operation="simpleenroll",
        outcome="issued",
        reason="",
        application_id=applications[0],
    )
    assert last_used(applications[1:]) == {}
