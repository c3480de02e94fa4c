"""The lines to paste: of the application's own names, and safe whatever it is called."""

from __future__ import annotations

import shlex

import pytest

from certuary.portal.enrol_lines import enrol_lines
from certuary.services.ports import Record
from tests.memory_records import MemoryRecords

URL = "https://ca.example:8443/.well-known/est"


def lines(**values: object) -> tuple[str, ...]:
    columns: dict[str, object] = {"name": "line-1", "username": "line-1", "labels": [], "subject_rule": ""}
    record = Record(kind="application", id=1, revision=1, values={**columns, **values})
    return enrol_lines(record, MemoryRecords(), URL)


@pytest.mark.parametrize(
    ("rule", "subject", "name"),
    [
        ("", "/CN=device-1", ""),
        ("CN=dev-*,O=Acme", "/CN=dev-1/O=acme", ""),
        ("dns=.plant.example", "/CN=device-1.plant.example", "device-1.plant.example"),
        ("CN=dev-*; dns=host.example", "/CN=dev-1", "host.example"),
    ],
)
def test_the_request_asks_for_a_name_that_the_rule_permits(rule: str, subject: str, name: str) -> None:
    request = lines(subject_rule=rule)[2]
    assert f"-subj {subject} " in request
    assert (f"subjectAltName=DNS:{name}" in request) == bool(name)


def test_a_label_is_the_last_part_of_the_address() -> None:
    assert f"{URL}/plant/simpleenroll" in lines(labels=["plant"])[2]


@pytest.mark.parametrize("username", ["a'; rm -rf ~ #", 'a"b', "a b", "$(id)", "`id`"])
def test_a_username_cannot_leave_its_quotes(username: str) -> None:
    netrc = lines(username=username)[1]
    words = shlex.split(netrc, comments=True)
    escaped = username.replace('"', '\\"')
    assert f'machine ca.example login "{escaped}"' in words
