"""What is signed stays the same for as long as it waits: a request for a second person waits for days."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from certuary.portal.changes.client_certificate import lasting
from certuary.portal.changes.identities import certificate_lines
from tests.people_ca import PeopleCa
from tests.unit.core.issuing import asked, planned

DAY = timedelta(days=1)


def request_at(moment: datetime) -> Any:
    deps = SimpleNamespace(clock=SimpleNamespace(now=lambda: moment), ways=SimpleNamespace(certificates=None))
    return SimpleNamespace(certuary=deps)


def test_until_when_a_bound_certificate_is_valid_is_signed_without_how_far_away_that_is() -> None:
    person = PeopleCa().issue("olga")
    ends = person.certificate.not_valid_after_utc
    early, late = (certificate_lines(person.pem.decode(), request_at(ends - days * DAY)) for days in (20, 13))
    assert [line.value for line in early] == [line.value for line in late]
    assert [line.meaning for line in early] != [line.meaning for line in late]


def test_how_long_a_client_certificate_lasts_is_the_same_on_every_day_even_near_its_issuer_s_end() -> None:
    plan = planned(asked())
    later = replace(plan, planned_at=plan.planned_at + DAY, not_after=plan.not_after + DAY)
    assert lasting(plan) == lasting(later)
    clamped = replace(plan, not_after=plan.issuer_not_after)
    assert lasting(clamped) == lasting(replace(clamped, planned_at=plan.planned_at + DAY))
