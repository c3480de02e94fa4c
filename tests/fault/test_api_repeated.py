"""One change that is sent many times: at the same moment, and again once the portal was started anew."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.api_token import new_home, new_token
from tests.postgres import PostgresServer
from tests.running_server import RunningServer, running_server
from tests.wire.portal.pages import ADMIN, PASSWORD

AT_ONCE: Final = 8
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    status: int
    is_repeated: bool
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    server: RunningServer
    token: str

    def call(self, method: str, path: str, body: object = None, key: str = "") -> Answered:
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/json",
            "Certuary-Sign": b64encode(f"{ADMIN}:{PASSWORD}".encode()).decode(),
            **({"Idempotency-Key": key} if key else {}),
        }
        connection = http.client.HTTPSConnection(
            "localhost", self.server.portal_port, context=self.server.tls_context(), timeout=60
        )
        try:
            connection.request(method, f"/api/v1{path}", json.dumps(body), headers)
            answer = connection.getresponse()
            return Answered(
                status=answer.status,
                is_repeated=answer.headers["Idempotency-Replayed"] == "true",
                body=json.loads(answer.read()),
            )
        finally:
            connection.close()

    def at_once(self, path: str, body: object, keys: list[str]) -> list[Answered]:
        """One request for each key; all leave when the last is ready to."""
        together = threading.Barrier(len(keys))

        def send(key: str) -> Answered:
            together.wait(30)
            return self.call("POST", path, body, key)

        with ThreadPoolExecutor(len(keys)) as threads:
            return list(threads.map(send, keys))

    def groups(self, name: str) -> int:
        return [one["name"] for one in self.call("GET", "/groups?limit=500").body["items"]].count(name)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("repeated")
    if request.param == "sqlite":
        return new_home(directory)
    postgres: PostgresServer = request.getfixturevalue("postgres")
    return new_home(directory, "--database-url", postgres.create_database(f"repeated_{next(_numbers)}"))


@pytest.fixture(scope="module")
def token(home: Path) -> str:
    return new_token(home)


@pytest.fixture(scope="module")
def caller(home: Path, token: str) -> Iterator[Caller]:
    with running_server(home) as server:
        yield Caller(server=server, token=token)


def test_requests_of_one_key_at_the_same_moment_are_done_once(caller: Caller) -> None:
    """The others are told that it is at work, or get its answer."""
    answers = caller.at_once("/groups", {"name": "at once"}, ["same-moment"] * AT_ONCE)
    assert caller.groups("at once") == 1
    assert [one.status for one in answers if not one.is_repeated].count(201) == 1
    waiting = [one for one in answers if one.status != 201]
    assert {(one.status, one.body["rule"]) for one in waiting} <= {(409, "idempotency-in-progress")}
    again = caller.call("POST", "/groups", {"name": "at once"}, "same-moment")
    assert (again.status, again.is_repeated) == (201, True)
    assert {json.dumps(one.body) for one in (*answers, again) if one.status == 201} == {
        json.dumps(again.body)
    }


def test_one_change_under_many_keys_at_the_same_moment_is_made_once(caller: Caller) -> None:
    """Keys tell requests apart, and names things: who comes second is in conflict, and nothing fails."""
    keys = [f"key-{number}" for number in range(AT_ONCE)]
    answers = caller.at_once("/labels", {"name": "line-1", "profile": "network-gear"}, keys)
    assert Counter(one.status for one in answers) == {201: 1, 409: AT_ONCE - 1}


def test_a_request_is_remembered_when_the_portal_is_started_anew(home: Path, token: str) -> None:
    made = {"name": "before the restart"}
    with running_server(home) as server:
        first = Caller(server=server, token=token).call("POST", "/groups", made, "over-a-restart")
        assert (first.status, server.stop()) == (201, 0)
    with running_server(home) as server:
        caller = Caller(server=server, token=token)
        again = caller.call("POST", "/groups", made, "over-a-restart")
        assert (again.status, again.is_repeated, again.body) == (201, True, first.body)
        assert caller.groups("before the restart") == 1
