"""Client certificates at the portal's listener, over real TLS: one that is bound opens it, and nothing else does."""

from __future__ import annotations

import http.client
import re
import socket
import sqlite3
import ssl
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.command import Commands
from tests.est_session import EstSession, quickstart_credentials
from tests.people_ca import PeopleCa, Person
from tests.request_maker import usual_request
from tests.running_server import RunningServer, running_server

PEOPLE = PeopleCa()
BUTTON = "Sign in with a certificate"


@dataclass(slots=True)
class Browser:
    """Cookies and one connection, which presents a certificate."""

    connection: http.client.HTTPSConnection
    context: ssl.SSLContext
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        return self._ask("GET", path, None, headers)

    def post(self, path: str, page: str, values: dict[str, str] | None = None) -> tuple[int, str]:
        """A form of that page."""
        _, content = self.get(page)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]*)"', content)
        assert token is not None
        body = urllib.parse.urlencode({"csrfmiddlewaretoken": token[1], **(values or {})})
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Referer": f"https://localhost:{self.connection.port}{page}",
        }
        return self._ask("POST", path, body, headers)

    def sign_in(self) -> tuple[int, str]:
        return self.post("/sign-in/certificate/", "/sign-in/")

    def is_signed_in(self) -> bool:
        return self.get("/account/")[0] == 200

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> tuple[int, str]:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        self.connection.request(method, path, body, headers | ({"Cookie": cookie} if cookie else {}))
        answer = self.connection.getresponse()
        for line in answer.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        return answer.status, answer.read().decode()


Browse = Callable[..., Browser]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Initialised; its portal takes certificates of Acme People and of its own issuing authority."""
    home = tmp_path_factory.mktemp("certificates") / "home"
    with running_server(home):
        pass
    commands = Commands(home, home.parent)
    own = commands.run("ca", "export", "--format", "pem").stdout
    (home / "people.pem").write_text(PEOPLE.pem.decode() + own)
    with (home / "certuary.toml").open("a") as file:
        file.write(f'portal_client_ca_file = "{home / "people.pem"}"\n')
    return home


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[RunningServer]:
    with running_server(home) as running:
        yield running


@pytest.fixture(scope="module")
def commands(server: RunningServer) -> Commands:
    return Commands(server.home, server.home.parent)


@pytest.fixture
def browse(server: RunningServer, tmp_path: Path) -> Iterator[Browse]:
    """`browse(person)`: a browser that presents that certificate, or none."""
    with ExitStack() as opened:

        def open_browser(person: Person | None = None) -> Browser:
            context = server.tls_context()
            if person is not None:
                context.load_cert_chain(*person.write(tmp_path))
            connection = http.client.HTTPSConnection(
                "localhost", server.portal_port, context=context, timeout=20
            )
            opened.callback(connection.close)
            return Browser(connection, context)

        yield open_browser


def bind(commands: Commands, person: Person, name: str, work: Path) -> None:
    commands.run("user", "identity", "add", name, "--certificate", person.write(work)[0])


@pytest.fixture(scope="module")
def olga(commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """An officer's certificate, bound to her."""
    commands.run("user", "add", "olga", "--role", "officer", "--group", "GRP_001")
    person = PEOPLE.issue("olga")
    bind(commands, person, "olga", tmp_path_factory.mktemp("olga"))
    return person


def last_refusal(commands: Commands) -> str:
    events = commands.json("audit", "list", "--kind", "user.refused")
    return str(
        events[0]["detail"]["reason"] if isinstance(events[0]["detail"], dict) else events[0]["detail"]
    )


def test_a_bound_certificate_opens_the_portal(browse: Browse, olga: Person) -> None:
    person = browse(olga)
    assert BUTTON in person.get("/sign-in/")[1]
    assert person.sign_in()[0] == 302
    status, page = person.get("/account/")
    assert status == 200
    assert "olga" in page
    assert "certificate CN=olga" in page


def test_its_session_is_of_no_use_on_a_connection_without_it(browse: Browse, olga: Person) -> None:
    person = browse(olga)
    person.sign_in()
    for other in (None, PEOPLE.issue("mallory")):
        thief = browse(other)
        thief.cookies = dict(person.cookies)
        assert not thief.is_signed_in()


def test_its_session_opens_no_est(browse: Browse, server: RunningServer, olga: Person) -> None:
    person = browse(olga)
    person.sign_in()
    assert person.is_signed_in()
    cookie = "; ".join(f"{name}={value}" for name, value in person.cookies.items())
    request = usual_request(ec.generate_private_key(ec.SECP256R1()), common_name="olga")
    with EstSession(server) as session:
        assert session.enrol(request, headers={"Cookie": cookie}).status == 401
    with EstSession(server, credentials=quickstart_credentials(server)) as session:
        assert session.enrol(request, headers={"Cookie": cookie}).status == 200


@pytest.mark.parametrize(
    "header",
    ["Client-Cert", "X-SSL-Client-Cert", "X-Forwarded-Client-Cert", "Ssl-Client-Cert", "X-Client-Cert"],
)
def test_no_header_stands_in_for_the_certificate(
    browse: Browse, server: RunningServer, olga: Person, header: str
) -> None:
    liar = browse()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]*)"', liar.get("/sign-in/")[1])
    assert token is not None
    pem = urllib.parse.quote(olga.pem.decode())
    status, page = liar._ask(
        "POST",
        "/sign-in/certificate/",
        urllib.parse.urlencode({"csrfmiddlewaretoken": token[1]}),
        {
            "Content-Type": "application/x-www-form-urlencoded",
            "Referer": f"https://localhost:{server.portal_port}/sign-in/",
            header: pem,
        },
    )
    assert (status, "sent no certificate" in page) == (403, True)


def test_a_certificate_that_nobody_bound_opens_nothing(browse: Browse, commands: Commands) -> None:
    stranger = browse(PEOPLE.issue("olga"))
    status, page = stranger.sign_in()
    assert status == 403
    assert "Nobody is let in by this identity" in page
    assert not stranger.is_signed_in()
    assert "no user has this identity" in last_refusal(commands)


def test_a_bound_certificate_that_has_expired_gets_an_answer_and_opens_nothing(
    browse: Browse, commands: Commands, tmp_path: Path
) -> None:
    expired = PEOPLE.issue("olga", days=(-9, -1))
    commands.run("user", "add", "oskar", "--role", "auditor", "--group", "GRP_001")
    bind(commands, expired, "oskar", tmp_path)
    person = browse(expired)
    assert person.sign_in()[0] == 403
    assert "has expired" in last_refusal(commands)


def test_a_certificate_of_another_authority_or_for_another_use_ends_the_handshake(browse: Browse) -> None:
    for person in (
        PeopleCa("Elsewhere").issue("olga"),
        PEOPLE.issue("olga", usages=(ExtendedKeyUsageOID.SERVER_AUTH,)),
    ):
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
            browse(person).get("/sign-in/")


def test_without_a_certificate_the_password_opens_the_portal_as_before(
    browse: Browse, commands: Commands
) -> None:
    person = browse()
    status, page = person.sign_in()
    assert (status, "sent no certificate" in page) == (403, True)
    values = {"login": "admin", "password": commands.password_file.read_text()}
    assert person.post("/sign-in/", "/sign-in/", values)[0] == 302
    assert person.is_signed_in()


def test_a_certificate_taken_away_ends_its_session_on_the_open_connection(
    browse: Browse, commands: Commands, tmp_path: Path
) -> None:
    person = PEOPLE.issue("petra")
    commands.run("user", "add", "petra", "--role", "auditor", "--group", "GRP_001")
    bind(commands, person, "petra", tmp_path)
    petra = browse(person)
    petra.sign_in()
    assert petra.is_signed_in()
    commands.run("user", "identity", "remove", "petra", "--certificate", person.write(tmp_path)[0])
    assert not petra.is_signed_in()


def enrol(server: RunningServer, name: str) -> Person:
    key = ec.generate_private_key(ec.SECP256R1())
    with EstSession(server, credentials=quickstart_credentials(server)) as session:
        answer = session.enrol(usual_request(key, common_name=name))
    return Person(certificate=answer.certificate, key=key)


def test_what_est_issues_opens_nothing_until_it_is_bound_and_nothing_again_once_it_is_revoked(
    browse: Browse, server: RunningServer, commands: Commands, tmp_path: Path
) -> None:
    device = enrol(server, "a-device")
    person = browse(device)
    assert person.sign_in()[0] == 403
    assert "no user has this identity" in last_refusal(commands)

    commands.run("user", "add", "dora", "--role", "auditor", "--group", "GRP_001")
    bind(commands, device, "dora", tmp_path)
    assert person.sign_in()[0] == 302
    assert person.is_signed_in()

    commands.run("cert", "revoke", f"{device.certificate.serial_number:x}")
    assert not person.is_signed_in(), "on the connection that is open"
    again = browse(device)
    assert again.sign_in()[0] == 403
    assert "is revoked" in last_refusal(commands)


@pytest.mark.parametrize(
    "change",
    [
        "certificate_der = (SELECT certificate_der FROM authorities WHERE name = 'root')",
        "certificate_der = x'00'",
        "removed_at = '2026-01-01 00:00:00'",
    ],
)
def test_no_alteration_of_the_authority_s_row_opens_the_portal_to_what_was_revoked(
    browse: Browse, server: RunningServer, commands: Commands, tmp_path: Path, change: str
) -> None:
    device, name = enrol(server, "a-lost-device"), f"loser-{len(change)}"
    commands.run("user", "add", name, "--role", "auditor", "--group", "GRP_001")
    bind(commands, device, name, tmp_path)
    commands.run("cert", "revoke", f"{device.certificate.serial_number:x}")
    person = browse(device)
    with altered_authority(server, change):
        assert person.sign_in()[0] == 403
        assert not person.is_signed_in()
    assert "the authorities cannot be believed" in last_refusal(commands)


@contextmanager
def altered_authority(server: RunningServer, change: str) -> Iterator[None]:
    """The issuing authority's row, as plain SQL changes it, until it is put back."""
    columns = "certificate_der, removed_at"
    with closing(sqlite3.connect(server.home / "certuary.db", timeout=10)) as database:
        before = database.execute(f"SELECT {columns} FROM authorities WHERE name = 'issuing'").fetchone()
        with database:
            database.execute(f"UPDATE authorities SET {change} WHERE name = 'issuing'")
        try:
            yield
        finally:
            with database:
                database.execute(
                    f"UPDATE authorities SET ({columns}) = (?, ?) WHERE name = 'issuing'",
                    before,
                )


def test_a_resumed_tls_session_is_looked_at_like_a_new_one(
    browse: Browse, server: RunningServer, commands: Commands, tmp_path: Path
) -> None:
    """OpenSSL verifies nothing on resumption: the certificate that was revoked since must be refused by us."""
    device = enrol(server, "another-device")
    commands.run("user", "add", "rita", "--role", "auditor", "--group", "GRP_001")
    bind(commands, device, "rita", tmp_path)
    first = browse(device)
    first.context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert first.sign_in()[0] == 302
    assert isinstance(first.connection.sock, ssl.SSLSocket)
    resumable = first.connection.sock.session
    commands.run("cert", "revoke", f"{device.certificate.serial_number:x}")

    raw = socket.create_connection(("localhost", server.portal_port), timeout=20)
    resumed = first.context.wrap_socket(raw, server_hostname="localhost", session=resumable)
    assert resumed.session_reused
    second = browse(device)
    second.connection.sock = resumed
    second.cookies = dict(first.cookies)
    assert not second.is_signed_in()
    assert second.sign_in()[0] == 403
    assert "is revoked" in last_refusal(commands)


def test_an_identity_is_one_user_s(commands: Commands, olga: Person, tmp_path: Path) -> None:
    commands.run("user", "add", "otto", "--role", "auditor", "--group", "GRP_001")
    refused = commands.run(
        "user", "identity", "add", "otto", "--certificate", olga.write(tmp_path)[0], expect=65
    )
    assert "olga's already" in refused.stderr
