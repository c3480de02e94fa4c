"""The dashboard: with nothing, with much, for each role, and for those who do not see charts."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest

# Django is configured by the pages above.
from django.utils import timezone

from certuary.services.entitlement import ADMINISTRATOR, AUDITOR, CA_ADMINISTRATOR, OFFICER
from certuary.services.ports import NodeRow
from tests.wire.portal.pages import Portal, PortalClient, SignIn, text_of


def issue(profile_id: int, count: int, *, group_id: int = 1, days_ago: int = 0) -> None:
    from certuary.store.models import DailyCount

    day = (timezone.now() - timedelta(days=days_ago)).date()
    DailyCount.objects.create(
        day=day, kind="issued", profile_id=profile_id, group_id=group_id, reason="", count=count
    )


def expire(in_days: int, count: int, *, group_id: int = 1) -> None:
    from certuary.store.models import ExpiryCount

    day = (timezone.now() + timedelta(days=in_days)).date()
    ExpiryCount.objects.create(day=day, group_id=group_id, count=count)


def node(name: str, *, seconds_ago: float = 1, reasons: tuple[str, ...] = ()) -> None:
    from certuary.store.nodes import DjangoNodeStore

    now = timezone.now()
    DjangoNodeStore().put(
        NodeRow(
            name=name,
            hostname=f"{name}.plant.example",
            version="1",
            ready=not reasons,
            reasons=reasons,
            warnings=(),
            started_at=now - timedelta(days=1),
            seen_at=now - timedelta(seconds=seconds_ago),
        )
    )


def chart_data(page: Any, name: str) -> dict[str, Any]:
    found = re.search(
        rf'(?s)<script id="{name}-data" type="application/json">(.*?)</script>', page.content.decode()
    )
    assert found is not None, name
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_a_dashboard_of_nothing_says_so_instead_of_drawing_it(client: PortalClient) -> None:
    page = client.get("/")
    text = text_of(page)
    assert page.status_code == 200
    for words in (
        "Nothing was issued",
        "Nothing expires",
        "Nobody was refused",
        "No node has reported",
        "All hold",
    ):
        assert words in text
    assert "being counted" in text
    assert b'type="application/json"' not in page.content


def test_every_number_of_a_chart_stands_in_its_table(client: PortalClient) -> None:
    issue(1, 12345)
    issue(1, 7, days_ago=3)
    expire(3, 41)
    expire(20, 1000)
    page = client.get("/")
    issued, expiring = chart_data(page, "issued"), chart_data(page, "expiring")
    assert issued["series"][0]["values"][-1] == 12345
    assert [sum(one["values"]) for one in expiring["series"]] == [41, 1000, 0]
    tables = re.findall(r'(?s)<details class="numbers">.*?</details>', page.content.decode())
    assert len(tables) == 2
    for number in ("12,345", ">7<"):
        assert number in tables[0]
    for number in (">41<", "1,000"):
        assert number in tables[1]


def test_expiring_within_thirty_days_holds_those_within_seven(client: PortalClient) -> None:
    expire(0, 1)
    expire(6, 2)
    expire(7, 4)
    expire(89, 8)
    expire(90, 16)
    text = text_of(client.get("/"))
    for words in ("Expire in 7 days 3", "Expire in 30 days 7", "Expire in 90 days 15"):
        assert words in text


def test_fifty_profiles_are_five_and_all_others(client: PortalClient) -> None:
    for number in range(50):
        issue(1000 + number, 100 + number)
    data = chart_data(client.get("/"), "issued")
    assert [one["name"] for one in data["series"]][-1] == "all others"
    assert len(data["series"]) == 6
    assert sum(sum(one["values"]) for one in data["series"]) == sum(100 + number for number in range(50))


@pytest.mark.parametrize("role", [ADMINISTRATOR, OFFICER, AUDITOR])
def test_numbers_are_those_of_one_s_own_groups(role: str, sign_in: SignIn) -> None:
    issue(1, 5, group_id=1)
    issue(1, 900, group_id=2)
    expire(1, 70000, group_id=2)
    own = sign_in(role, ("GRP_001",)).get("/")
    assert chart_data(own, "issued")["series"][0]["values"][-1] == 5
    assert "70,000" not in text_of(own)
    assert "those of your groups" in text_of(own)


def test_an_auditor_without_groups_reads_the_numbers_of_all(portal: Portal) -> None:
    from certuary.store.models import RecordProblem

    RecordProblem.objects.create(kind="user", record="somebody", reason="altered", found_at=timezone.now())
    issue(1, 5, group_id=1)
    issue(1, 900, group_id=2)
    auditor = PortalClient()
    auditor.sign_in(portal.user_of(AUDITOR, ()))
    page = auditor.get("/")
    assert chart_data(page, "issued")["series"][0]["values"][-1] == 905
    assert "All groups" in text_of(page)
    assert "somebody altered" in text_of(page)
    assert 'href="/seals/"' in page.content.decode()


def test_a_node_that_fell_silent_is_told_from_one_that_is_not_ready(client: PortalClient) -> None:
    node("one")
    node("two", reasons=("est: no EST worker answers",))
    node("three", seconds_ago=31)
    text = text_of(client.get("/"))
    assert "one.plant.example one Ready" in text
    assert "two.plant.example two Not ready est: no EST worker answers" in text
    assert "three.plant.example three Not answering" in text


@pytest.mark.parametrize(
    ("role", "sees"), [(CA_ADMINISTRATOR, True), (AUDITOR, True), (ADMINISTRATOR, False), (OFFICER, False)]
)
def test_nodes_are_for_ca_administrators_and_auditors(role: str, sees: bool, sign_in: SignIn) -> None:
    node("one")
    assert ("one.plant.example" in text_of(sign_in(role).get("/"))) is sees


def test_authorities_say_how_many_days_are_left_and_how_old_their_crls_are(
    portal: Portal, client: PortalClient
) -> None:
    from certuary.store.models import Crl

    text = text_of(client.get("/"))
    for name in ("root", "issuing"):
        authority = portal.stores.records.find("authority", name=name)
        assert authority is not None
        left = f"{(authority.values['not_after'] - timezone.now()).days:,}"  # type: ignore[operator]
        crl = Crl.objects.filter(authority_id=authority.id).order_by("-number")[0]
        assert f"{name} {authority.values['kind']} {left} current no. {crl.number}, " in text


def test_broken_seals_are_named_to_those_whom_they_concern(portal: Portal, sign_in: SignIn) -> None:
    from certuary.store.models import RecordProblem

    for kind, record in (("application", "quickstart"), ("user", "somebody"), ("profile", "gear")):
        RecordProblem.objects.create(kind=kind, record=record, reason="altered", found_at=timezone.now())
    every, own = text_of(sign_in().get("/")), text_of(sign_in(OFFICER, ("GRP_001",)).get("/"))
    other = text_of(sign_in(OFFICER, ("GRP_002",)).get("/"))
    assert all(f"{name} altered" in every for name in ("quickstart", "somebody", "gear"))
    assert ("quickstart" in own, "quickstart" in other) == (True, False)
    assert "somebody altered" not in own
    assert "gear altered" in other


def test_a_script_in_a_name_is_shown_and_never_run(client: PortalClient) -> None:
    from certuary.store.models import RecordProblem

    name = "</script><script>alert(1)</script>"
    issue(1, 5)
    node("one", reasons=(name,))
    RecordProblem.objects.create(kind="application", record=name, reason=name, found_at=timezone.now())
    assert b"<script>alert" not in client.get("/").content
