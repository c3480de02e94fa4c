from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address

import pytest

from certuary.core.values import parse_network
from certuary.errors import NotAuthenticated
from certuary.services.authenticate import Caller, check_certificate, why_not
from tests.unit.services.builders import NOW, application, identity, snapshot

HERE = ip_address("10.0.0.7")
ELSEWHERE = "the address is not in the application's networks"


@pytest.mark.parametrize(
    ("changes", "address", "reason"),
    [
        ({}, "10.0.0.7", None),
        ({"networks": (parse_network("10.0.0.0/24"),)}, "10.0.0.7", None),
        ({"networks": (parse_network("10.0.0.0/24"),)}, "10.0.1.7", ELSEWHERE),
        ({"networks": (parse_network("10.0.0.0/24"),)}, "2001:db8::1", ELSEWHERE),
        ({"networks": (parse_network("2001:db8::/32"),)}, "2001:db8::1", None),
        ({"enabled": False}, "10.0.0.7", "the application is disabled"),
        ({"expires_at": NOW}, "10.0.0.7", "the application has expired"),
        ({"expires_at": NOW + timedelta(seconds=1)}, "10.0.0.7", None),
    ],
)  # fmt: skip
def test_an_application_may_be_used_only_while_enabled_unexpired_and_on_its_networks(
    changes: dict[str, object], address: str, reason: str | None
) -> None:
    assert why_not(application(**changes), ip_address(address), NOW) == reason


def test_an_unknown_user_is_a_reason_like_any_other() -> None:
    assert why_not(None, HERE, NOW) == "unknown user"


def test_a_certificate_speaks_for_its_application() -> None:
    plant = application()
    assert check_certificate(identity(), snapshot(plant), HERE, NOW) is plant


@pytest.mark.parametrize(
    ("certificate", "changes", "reason"),
    [
        ({"not_before": NOW + timedelta(seconds=1)}, {}, "the client certificate is not yet valid"),
        ({"not_after": NOW}, {}, "the client certificate has expired"),
        ({"application_id": 9}, {}, "client certificate: unknown user"),
        ({}, {"enabled": False}, "client certificate: the application is disabled"),
        (
            {},
            {"networks": (parse_network("192.0.2.0/24"),)},
            "client certificate: the address is not in the application's networks",
        ),
    ],
)
def test_a_certificate_is_judged_on_every_request(
    certificate: dict[str, object], changes: dict[str, object], reason: str
) -> None:
    with pytest.raises(NotAuthenticated) as refused:
        check_certificate(identity(**certificate), snapshot(application(**changes)), HERE, NOW)
    assert refused.value.reason == reason
    assert "certificate" not in str(refused.value)


@pytest.mark.parametrize(
    ("by_password", "certificate", "expected"),
    [
        (True, None, True),
        (False, identity(), False),
        (True, identity(), True),
        (False, identity(is_ra=True), True),
    ],
)
def test_only_a_password_or_an_ra_chooses_names(
    by_password: bool, certificate: object, expected: bool
) -> None:
    caller = Caller(application=application(), certificate=certificate, by_password=by_password)  # type: ignore[arg-type]
    assert caller.may_choose_names is expected
