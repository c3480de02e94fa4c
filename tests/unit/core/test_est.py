from __future__ import annotations

import pytest

from certuary.core.est import METHODS, Base, MediaType, Operation, Route, check_label, parse_media_type, route
from certuary.errors import InvalidValue

ROUTES = {
    "/.well-known/est/cacerts": (Operation.CACERTS, Base.WELL_KNOWN, None),
    "/.well-known/est/plant/csrattrs": (Operation.CSRATTRS, Base.WELL_KNOWN, "plant"),
    "/est/simpleenroll": (Operation.SIMPLEENROLL, Base.EST, None),
    "/est/plant/simplereenroll": (Operation.SIMPLEREENROLL, Base.EST, "plant"),
    "/emCAServices/est/simpleenroll": (Operation.SIMPLEENROLL, Base.EM_CA_SERVICES, None),
    "/emCAServices/est/plant/cacerts": (Operation.CACERTS, Base.EM_CA_SERVICES, "plant"),
    "/est/Werk%20S%C3%BCd/cacerts": (
        Operation.CACERTS,
        Base.EST,
        "Werk S\N{LATIN SMALL LETTER U WITH DIAERESIS}d",
    ),
    "/est/%63acerts": (Operation.CACERTS, Base.EST, None),
    "/%2ewell-known/est/cacerts": (Operation.CACERTS, Base.WELL_KNOWN, None),
    "/est/%2561/cacerts": (Operation.CACERTS, Base.EST, "%61"),
    "/est/est/cacerts": (Operation.CACERTS, Base.EST, "est"),
}


@pytest.mark.parametrize(("path", "expected"), ROUTES.items())
def test_route_finds(path: str, expected: tuple[Operation, Base, str | None]) -> None:
    operation, base, label = expected
    assert route(path) == Route(operation=operation, base=base, label=label)
    assert route(path.encode()) == route(path)


def test_route_finds_every_operation_on_every_base() -> None:
    for base in Base:
        for operation in Operation:
            assert route(f"{base}/{operation}") == Route(operation=operation, base=base, label=None)
            assert route(f"{base}/x/{operation}") == Route(operation=operation, base=base, label="x")


NOWHERE = [
    "", "/", "/cacerts", "cacerts", "/est", "/est/", "/est//cacerts", "//est/cacerts", "/est/cacerts/",
    "/est/plant//cacerts", "/est/a/b/cacerts", "/est/cacerts/cacerts", "/est/fullcmc/cacerts",
    "/est/tamp/cacerts", "/est/%70al/cacerts", "/est/fullcmc", "/est/serverkeygen", "/EST/cacerts",
    "/est/CACERTS", "/well-known/est/cacerts", "/emCAServices/cacerts", "/emcaservices/est/cacerts",
    "/est/./cacerts", "/est/%2e%2e/cacerts", "/est/a%2Fb/cacerts", "/est%2Fcacerts", "/est/%00/cacerts",
    "/est/%ff/cacerts", "/est/cacerts?x=1", "/est/cacerts%3Fx", "/est/" + "a" * 65 + "/cacerts",
    "/est/a%0D%0Ab/cacerts",
]  # fmt: skip


@pytest.mark.parametrize("path", NOWHERE)
def test_route_finds_nothing_at(path: str) -> None:
    assert route(path) is None


def test_reading_operations_take_get_and_head_and_enrolling_ones_post() -> None:
    assert {operation: METHODS[operation] for operation in Operation} == {
        Operation.CACERTS: ("GET", "HEAD"),
        Operation.CSRATTRS: ("GET", "HEAD"),
        Operation.SIMPLEENROLL: ("POST",),
        Operation.SIMPLEREENROLL: ("POST",),
    }


@pytest.mark.parametrize("name", ["plant", "Plant 7", "a" * 64, "est", "caCerts"])
def test_check_label_accepts(name: str) -> None:
    assert check_label(name) == name


@pytest.mark.parametrize("name", ["", "cacerts", "symmetrickeys", "a/b", "..", ".", "a\nb", "a" * 65])
def test_check_label_refuses(name: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        check_label(name)
    assert caught.value.rule == "label"


MEDIA_TYPES: dict[str | bytes, tuple[str, dict[str, str]]] = {
    "application/pkcs10": ("application/pkcs10", {}),
    b"Application/PKCS10": ("application/pkcs10", {}),
    " application/pkcs10 ; charset=UTF-8": ("application/pkcs10", {"charset": "utf-8"}),
    'application/pkcs7-mime ;Smime-Type = "Certs-Only" ;name=x.p7': (
        "application/pkcs7-mime",
        {"smime-type": "certs-only", "name": "x.p7"},
    ),
    "application/pkcs10;;junk; =": ("application/pkcs10", {"": ""}),
    "a/b; x=1; X=2": ("a/b", {"x": "1"}),
    "nonsense": ("", {}),
    "": ("", {}),
    b"\xff\x00;": ("", {}),
}


@pytest.mark.parametrize(("value", "expected"), MEDIA_TYPES.items())
def test_parse_media_type_reads(value: str | bytes, expected: tuple[str, dict[str, str]]) -> None:
    essence, parameters = expected
    assert parse_media_type(value) == MediaType(essence=essence, parameters=parameters)
