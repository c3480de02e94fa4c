"""Clients that enrol, each on a thread of its own, and remember what they got.

    with Load(server) as load:
        load.wait_for(50)
        ...
    load.received

Each request has a key and a common name of its own. A connection is used for a few requests, then a new one is
made. Whatever a server in trouble may do to a client is counted, not raised; anything else fails the test.
"""

from __future__ import annotations

import base64
import http.client
import itertools
import random
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from tests.est_session import BASE, PKCS10, Answer, EstSession, basic, quickstart_credentials
from tests.request_maker import usual_request
from tests.running_server import RunningServer

MAX_REQUESTS_PER_CONNECTION = 8
_PAUSE_AFTER_TROUBLE_SECONDS = 0.05
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A certificate that a client holds. Times are of the monotonic clock."""

    common_name: str
    request_id: str
    certificate: x509.Certificate
    asked_at: float
    answered_at: float

    @property
    def seconds(self) -> float:
        return self.answered_at - self.asked_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    common_name: str
    status: int
    retry_after: str | None
    text: str
    answered_at: float


class Load:
    def __init__(self, server: RunningServer, *, clients: int = 4, pause_seconds: float = 0.0) -> None:
        self.received: list[Received] = []
        self.refused: list[Refused] = []
        self.unanswered: list[str] = []
        """Common names of requests whose connection ended before the first byte of an answer."""
        self.torn: list[str] = []
        """What happened to answers that began and did not end."""
        self.surprises: list[BaseException] = []
        self._server = server
        self._pause_seconds = pause_seconds
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"client-{number}") for number in range(clients)
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.stop()
        if kind is None and self.surprises:
            raise self.surprises[0]

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(60)

    def wait_for(self, more: int, seconds: float = 30) -> None:
        """Until that many more certificates have been received."""
        self._wait(len(self.received) + more, self.received, seconds)

    def wait_for_refusals(self, more: int, seconds: float = 30) -> None:
        self._wait(len(self.refused) + more, self.refused, seconds)

    def _wait(self, count: int, answers: Sequence[object], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while len(answers) < count:
            assert time.monotonic() < deadline, f"{len(answers)} answers of {count}; {self.refused[-1:]}"
            assert not self.surprises, self.surprises
            time.sleep(0.01)

    def _run(self) -> None:
        try:
            headers = basic(*quickstart_credentials(self._server)) | {"Content-Type": PKCS10}
            with EstSession(self._server) as session:
                while not self._stopping.is_set():
                    self._use_one_connection(session, headers)
        except BaseException as surprise:
            self.surprises.append(surprise)

    def _use_one_connection(self, session: EstSession, headers: Mapping[str, str]) -> None:
        for _ in range(random.randint(1, MAX_REQUESTS_PER_CONNECTION)):
            if self._stopping.is_set() or not self._enrol(session, headers):
                break
            time.sleep(self._pause_seconds)
        session.close()

    def _enrol(self, session: EstSession, headers: Mapping[str, str]) -> bool:
        """Whether the connection can be used further."""
        key = ec.generate_private_key(ec.SECP256R1())
        common_name = f"load-{next(_numbers)}"
        csr = usual_request(key, common_name=common_name)
        asked_at = time.monotonic()
        answer = self._ask(session, headers, csr, common_name)
        answered_at = time.monotonic()
        if answer is None:
            time.sleep(_PAUSE_AFTER_TROUBLE_SECONDS)
            return False
        if answer.status != 200:
            self.refused.append(
                Refused(
                    common_name=common_name,
                    status=answer.status,
                    retry_after=answer.headers["Retry-After"],
                    text=answer.text,
                    answered_at=answered_at,
                )
            )
            time.sleep(_PAUSE_AFTER_TROUBLE_SECONDS)
            return True
        certificate = answer.certificate
        assert certificate.public_key() == key.public_key()
        self.received.append(
            Received(
                common_name=common_name,
                request_id=answer.headers["X-Request-Id"],
                certificate=certificate,
                asked_at=asked_at,
                answered_at=answered_at,
            )
        )
        return answer.headers["Connection"] != "close"

    def _ask(
        self, session: EstSession, headers: Mapping[str, str], csr_der: bytes, common_name: str
    ) -> Answer | None:
        try:
            session.connection.request(
                "POST", f"{BASE}/simpleenroll", base64.b64encode(csr_der), dict(headers)
            )
            response = session.connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLError):
            self.unanswered.append(common_name)
            return None
        except http.client.HTTPException as problem:
            self.torn.append(f"{common_name}: {problem!r}")
            return None
        try:
            return Answer(status=response.status, headers=response.headers, body=response.read())
        except (http.client.HTTPException, OSError) as problem:
            self.torn.append(f"{common_name}: {problem!r}")
            return None


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
