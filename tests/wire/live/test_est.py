"""The EST service over real sockets, against the whole running server: every status of the table, and attacks."""

from __future__ import annotations

import base64
import gzip
import sqlite3
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certuary.core.cms import parse_certs_only
from tests.command import Commands
from tests.est_session import BASE, PKCS10, Answer, EstSession, quickstart_credentials
from tests.request_maker import (
    attributes,
    extension_request,
    info,
    name,
    request,
    usual_request,
)
from tests.running_server import RunningServer, running_server
from tests.vectors.reader import load

DNS = x509.DNSName
CODE_SIGNING = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
USER_PRINCIPAL_NAME = x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x01a")
LAB_PROFILE = """
name = "lab"
authority = "issuing"
key_reuse = "refuse"

[validity]
lifetime = "30d"

[keys]
allow = ["ec-p256"]

[subject]
required = ["CN"]

[key_usage]
allow = ["digitalSignature"]

[extended_key_usage]
allow = ["clientAuth"]
"""


class Plant:
    """A running server with applications of every kind."""

    def __init__(self, server: RunningServer, work: Path) -> None:
        self.server = server
        self.work = work
        self.commands = Commands(server.home, work)
        self.quickstart = quickstart_credentials(server)
        profile = work / "lab.toml"
        profile.write_text(LAB_PROFILE)
        self.commands.run("profile", "add", profile)
        self.commands.run("label", "add", "lab", "--profile", "lab")
        add = self.commands.add_application
        self.lab = add("lab-devices", "--label", "lab")
        self.ruled = add("ruled", "--subject-rule", "CN=dev-*; dns=.plant.example")
        self.elsewhere = add("elsewhere", "--ip", "192.0.2.0/24")
        self.disabled = add("disabled")
        self.commands.run("application", "disable", "disabled")
        time.sleep(2)

    def session(self, credentials: tuple[str, str] | None = None, **options: object) -> EstSession:
        return EstSession(self.server, credentials=credentials, work=self.work, **options)  # type: ignore[arg-type]

    def enrol(self, csr_der: bytes, credentials: tuple[str, str] | None = None) -> Answer:
        with self.session(credentials or self.quickstart) as session:
            return session.enrol(csr_der)

    def events(self, answer: Answer) -> list[tuple[str, str]]:
        """(kind, detail) of the audit events of one request."""
        with sqlite3.connect(f"file:{self.server.home}/certuary.db?mode=ro", uri=True) as database:
            rows = database.execute(
                "SELECT kind, detail FROM audit_events WHERE request_id = ? ORDER BY id",
                [answer.headers["X-Request-Id"]],
            ).fetchall()
        database.close()
        return rows


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    work = tmp_path_factory.mktemp("est")
    with running_server(work / "home") as server:
        yield Plant(server, work)


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


# What is served to whom.


@pytest.mark.parametrize("base", ["/.well-known/est", "/est", "/emCAServices/est"])
def test_every_operation_answers_on_every_base(plant: Plant, base: str) -> None:
    with plant.session(plant.quickstart) as session:
        cacerts = session.ask(f"{base}/cacerts")
        assert cacerts.headers["Content-Type"].startswith("application/pkcs7-mime")
        assert len(parse_certs_only(base64.b64decode(cacerts.body))) == 2
        assert session.ask(f"{base}/csrattrs").headers["Content-Type"] == "application/csrattrs"
        csr = usual_request(new_key(), common_name="three-bases")
        enrolled = session.enrol(csr, path=f"{base}/simpleenroll")
        assert enrolled.headers["Content-Type"] == "application/pkcs7-mime; smime-type=certs-only"
        assert enrolled.certificate.subject == name((NameOID.COMMON_NAME, "three-bases"))
        assert session.enrol(csr, path=f"{base}/simplereenroll").status == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{BASE}/cacerts", 200),
        (f"{BASE}/csrattrs", 200),
        (f"{BASE}/lab/cacerts", 200),
        ("/est/cacerts", 401),
        ("/est/csrattrs", 401),
        ("/emCAServices/est/lab/cacerts", 401),
    ],
)
def test_reading_is_open_on_the_well_known_base_only(plant: Plant, path: str, status: int) -> None:
    with plant.session() as session:
        assert session.ask(path).status == status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", f"{BASE}/", 404),
        ("GET", f"{BASE}/cacerts/", 404),
        ("GET", f"{BASE}/nowhere/cacerts", 404),
        ("POST", f"{BASE}/fullcmc", 404),
        ("POST", f"{BASE}/serverkeygen", 404),
        ("GET", f"{BASE}/lab/lab/cacerts", 404),
        ("GET", f"{BASE}/%2e%2e/est/cacerts", 404),
        ("GET", "/portal", 404),
        ("POST", f"{BASE}/cacerts", 405),
        ("GET", f"{BASE}/simpleenroll", 405),
        ("DELETE", f"{BASE}/simpleenroll", 405),
        ("HEAD", f"{BASE}/cacerts", 200),
    ],
)
def test_other_paths_and_methods_are_refused(plant: Plant, method: str, path: str, status: int) -> None:
    with plant.session(plant.quickstart) as session:
        answer = session.ask(path, method=method)
    assert answer.status == status
    assert ("Allow" in answer.headers) == (status == 405)


def test_an_enrol_answer_is_one_line_of_base64_with_an_exact_length_and_one_certificate(plant: Plant) -> None:
    answer = plant.enrol(usual_request(new_key()))
    assert answer.certificate
    assert not answer.body.endswith(b"\n")
    assert b"\n" not in answer.body
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    assert answer.headers["Content-Transfer-Encoding"] == "base64"
    assert answer.headers["Cache-Control"] == "no-store"
    assert len(answer.headers["X-Request-Id"]) == 32


def test_the_certificate_enrolment_and_event_of_a_request_carry_its_id(plant: Plant) -> None:
    answer = plant.enrol(usual_request(new_key()))
    ((kind, detail),) = plant.events(answer)
    assert kind == "enrolment.issued"
    assert "quickstart" not in detail or "password" not in detail
    listed = plant.commands.json("cert", "show", f"{answer.certificate.serial_number:x}")
    assert listed["subject"] == "CN=dev-1"


# Bodies.


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
@pytest.mark.parametrize("form", ["one-line", "64", "76-crlf", "pem", "tabs", "der"])
def test_every_wrapping_of_a_request_is_taken(plant: Plant, form: str, ending: str) -> None:
    csr = usual_request(new_key())
    text = base64.b64encode(csr).decode()
    wrapped = {
        "one-line": text,
        "64": "\n".join(text[at : at + 64] for at in range(0, len(text), 64)),
        "76-crlf": "\r\n".join(text[at : at + 76] for at in range(0, len(text), 76)),
        "pem": f"-----BEGIN CERTIFICATE REQUEST-----\n{text}\n-----END CERTIFICATE REQUEST-----",
        "tabs": " \t".join(text[at : at + 30] for at in range(0, len(text), 30)),
    }
    body = csr if form == "der" else (wrapped[form] + ending).encode()
    with plant.session(plant.quickstart) as session:
        answer = session.ask(
            f"{BASE}/simpleenroll", method="POST", body=body, headers={"Content-Type": PKCS10}
        )
    assert answer.certificate


@pytest.mark.parametrize("encoding", ["base64", "binary", "7bit", "xyz"])
def test_a_content_transfer_encoding_has_no_meaning(plant: Plant, encoding: str) -> None:
    with plant.session(plant.quickstart) as session:
        answer = session.enrol(usual_request(new_key()), headers={"Content-Transfer-Encoding": encoding})
    assert answer.certificate


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"====",
        b"\x00" * 50,
        base64.b64encode(b"\x30\x03\x02\x01\x00"),
        base64.b64encode(usual_request())[:-8],
        base64.b64encode(usual_request() + b"\x00"),
        base64.urlsafe_b64encode(b"\xff\xfe" * 40),
        base64.b64encode(b"\x30\x80" * 10_000),
        base64.b64encode(b"\x30\x84\x7f\xff\xff\xff"),
    ],
)
def test_a_body_that_is_no_request_is_refused_at_once(plant: Plant, body: bytes) -> None:
    with plant.session(plant.quickstart) as session:
        assert session.enrol(usual_request(new_key())).status == 200
        started = time.monotonic()
        answer = session.ask(
            f"{BASE}/simpleenroll", method="POST", body=body, headers={"Content-Type": PKCS10}
        )
    assert answer.status == 400
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/PKCS10; charset=x; name=y"}, 200),
        ({"Content-Type": "application/pkcs7-mime"}, 415),
        ({"Content-Type": ""}, 415),
        ({"Content-Type": PKCS10, "Content-Encoding": "gzip"}, 415),
        ({"Content-Type": PKCS10, "Content-Encoding": "identity"}, 200),
    ],
)
def test_the_media_type_counts_and_its_parameters_do_not(
    plant: Plant, headers: dict[str, str], status: int
) -> None:
    body = base64.b64encode(usual_request(new_key()))
    if headers.get("Content-Encoding") == "gzip":
        body = gzip.compress(body)
    with plant.session(plant.quickstart) as session:
        answer = session.ask(f"{BASE}/simpleenroll", method="POST", body=body, headers=headers)
    assert answer.status == status


# Requests that ask for too much.


def flipped(csr: bytes) -> bytes:
    return csr[:-1] + bytes([csr[-1] ^ 1])


@pytest.mark.parametrize(
    ("csr", "status", "rule"),
    [
        (flipped(usual_request()), 400, "proof-of-possession"),
        (usual_request(ec.generate_private_key(ec.SECP192R1())), 400, None),
        (
            request(info(attributes=attributes(extension_request(x509.BasicConstraints(True, None))))),
            403,
            None,
        ),
        (request(info(attributes=attributes(extension_request(CODE_SIGNING)))), 403, None),
        (usual_request(alternative_names=[DNS("*.plant.example")]), 403, None),
        (usual_request(alternative_names=[x509.RegisteredID(x509.ObjectIdentifier("1.2.3"))]), 403, None),
        (
            usual_request(alternative_names=[USER_PRINCIPAL_NAME]),
            403,
            None,
        ),
    ],
)  # fmt: skip
def test_what_the_profile_does_not_let_through_is_refused_by_name(
    plant: Plant, csr: bytes, status: int, rule: str | None
) -> None:
    answer = plant.enrol(csr)
    assert answer.status == status, answer.text
    assert rule is None or answer.rule == rule
    kinds = [kind for kind, _ in plant.events(answer)]
    assert kinds == ["enrolment.refused"]


def test_a_short_rsa_key_is_refused_by_name(plant: Plant) -> None:
    answer = plant.enrol(usual_request(rsa.generate_private_key(65537, 1024)))
    assert (answer.status, answer.rule) == (400, "rsa-modulus-too-small")


def test_a_certificate_never_outgrows_the_profile(plant: Plant) -> None:
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    csr = request(info(attributes=attributes(extension_request(usage))))
    certificate = plant.enrol(csr).certificate
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert not constraints.ca
    assert certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value


# Who may ask.


def test_refusals_of_credentials_are_alike(plant: Plant) -> None:
    attempts = {
        "unknown user": ("nobody", "x"),
        "wrong password": (plant.quickstart[0], "x"),
        "wrong network": plant.elsewhere,
        "disabled": plant.disabled,
    }
    seen = set()
    for reason, credentials in attempts.items():
        answer = plant.enrol(usual_request(), credentials)
        kept = {key: value for key, value in answer.headers.items() if key not in ("X-Request-Id", "Date")}
        seen.add((answer.status, answer.body, str(sorted(kept.items()))))
        ((kind, detail),) = plant.events(answer)
        assert kind == "authentication.refused"
        assert reason.split()[0] in detail or "networks" in detail
    ((status, body, headers),) = seen
    assert status == 401
    assert "WWW-Authenticate" in headers
    assert b"password" not in body


def test_the_challenge_has_no_body_and_no_event(plant: Plant) -> None:
    with plant.session() as session:
        answer = session.enrol(usual_request())
    assert (answer.status, answer.body) == (401, b"")
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert plant.events(answer) == []


@pytest.mark.parametrize(
    "value", ["Basic", "Basic ???", "Bearer abc", "Basic " + "A" * 9000, "Digest username=x"]
)
def test_unreadable_credentials_are_a_401(plant: Plant, value: str) -> None:
    with plant.session() as session:
        answer = session.enrol(usual_request(), headers={"Authorization": value})
    assert answer.status == 401


def test_credentials_come_before_the_body(plant: Plant) -> None:
    with plant.session(("nobody", "x")) as session:
        answer = session.ask(
            f"{BASE}/simpleenroll", method="POST", body=b"garbage", headers={"Content-Type": "x/y"}
        )
    assert answer.status in (401, 429)


@pytest.mark.parametrize(
    "header",
    ["X-SSL-Client-Cert", "X-Forwarded-Client-Cert", "Client-Cert", "X-Forwarded-For", "Forwarded"],
)
def test_a_forged_header_gives_nothing_and_is_audited(plant: Plant, header: str) -> None:
    with plant.session(plant.elsewhere) as session:
        answer = session.enrol(usual_request(), headers={header: "for=192.0.2.1"})
    assert answer.status in (401, 429)
    kinds = [kind for kind, _ in plant.events(answer)]
    assert "request.headers-ignored" in kinds


@pytest.mark.parametrize(
    ("common_name", "names", "status"),
    [
        ("dev-7", [], 200),
        ("dev-7", [DNS("dev-7.plant.example")], 200),
        ("boss", [], 403),
        ("dev-7", [DNS("dev-7.plant.example.evil.example")], 403),
        ("dev-7", [DNS("evilplant.example")], 403),
    ],
)
def test_a_leaked_credential_cannot_ask_for_any_name(
    plant: Plant, common_name: str, names: list[x509.GeneralName], status: int
) -> None:
    csr = usual_request(new_key(), common_name=common_name, alternative_names=names)
    assert plant.enrol(csr, plant.ruled).status == status


def test_labels_and_profiles_need_a_grant(plant: Plant) -> None:
    csr = usual_request(new_key())
    with plant.session(plant.quickstart) as session:
        assert session.enrol(csr, path=f"{BASE}/lab/simpleenroll").rule == "label-not-granted"
    with plant.session(plant.lab) as session:
        assert session.enrol(csr).rule == "label-needed"
        certificate = session.enrol(csr, path=f"{BASE}/lab/simpleenroll").certificate
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert lifetime.days == 30


def test_a_profile_may_refuse_a_key_that_was_certified_before(plant: Plant) -> None:
    key = new_key()
    with plant.session(plant.lab) as session:
        path = f"{BASE}/lab/simpleenroll"
        assert session.enrol(usual_request(key, common_name="a"), path=path).status == 200
        again = session.enrol(usual_request(key, common_name="b"), path=path)
    assert (again.status, again.rule) == (403, "key-reused")


# Client certificates and re-enrolment.


def test_a_certificate_renews_itself_and_nothing_else(plant: Plant) -> None:
    key = new_key()
    names = [DNS("one.plant.example"), DNS("two.plant.example")]
    first = plant.enrol(usual_request(key, common_name="self", alternative_names=names)).certificate
    with plant.session(certificate=(first, key)) as session:
        renewed = session.reenrol(usual_request(key, common_name="self", alternative_names=names[::-1]))
        assert renewed.certificate.public_key() == key.public_key()
        rekeyed = session.reenrol(usual_request(new_key(), common_name="self", alternative_names=names))
        assert rekeyed.certificate.public_key() != key.public_key()
        for common_name, changed in (("Selfish", names), ("self", names[:1]), ("self", [])):
            csr = usual_request(key, common_name=common_name, alternative_names=changed)
            assert session.reenrol(csr).rule == "subject-changed"
            assert session.enrol(csr).rule == "subject-refused"
        assert (
            session.enrol(usual_request(new_key(), common_name="self", alternative_names=names)).status == 200
        )


def test_a_password_renews_only_what_the_application_holds(plant: Plant) -> None:
    with plant.session(plant.quickstart) as session:
        csr = usual_request(new_key(), common_name="by-password")
        assert session.reenrol(csr).rule == "nothing-to-renew"
        assert session.enrol(csr).status == 200
        assert session.reenrol(csr).status == 200
    with plant.session(plant.ruled) as session:
        assert session.reenrol(csr).rule == "nothing-to-renew"


def test_two_credentials_must_belong_together(plant: Plant) -> None:
    key = new_key()
    certificate = plant.enrol(usual_request(key, common_name="both")).certificate
    with plant.session(plant.quickstart, certificate=(certificate, key)) as session:
        assert session.enrol(usual_request(new_key(), common_name="another")).status == 200
    with plant.session(plant.ruled, certificate=(certificate, key)) as session:
        assert session.enrol(usual_request(key, common_name="dev-1")).status == 401
    with plant.session(("quickstart", "wrong"), certificate=(certificate, key)) as session:
        assert session.enrol(usual_request(key, common_name="both")).status in (401, 429)


@pytest.mark.parametrize("tls", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_revoked_certificate_stops_on_an_open_connection(plant: Plant, tls: ssl.TLSVersion) -> None:
    key = new_key()
    certificate = plant.enrol(usual_request(key, common_name="revoked")).certificate
    with plant.session(certificate=(certificate, key), tls=tls) as session:
        csr = usual_request(key, common_name="revoked")
        assert session.reenrol(csr).status == 200
        plant.commands.run("cert", "revoke", f"{certificate.serial_number:x}", "--reason", "keyCompromise")
        deadline = time.monotonic() + 2
        while session.reenrol(csr).status == 200:
            assert time.monotonic() < deadline, "still accepted 2 s after its revocation"
            time.sleep(0.1)
        answer = session.reenrol(csr)
    assert answer.status == 401
    assert "revoked" in str(plant.events(answer))


def test_a_foreign_certificate_is_not_let_in(plant: Plant) -> None:
    key = new_key()
    today = plant.enrol(usual_request(key)).certificate
    foreign = (
        x509.CertificateBuilder()
        .subject_name(today.subject)
        .issuer_name(today.issuer)
        .public_key(key.public_key())
        .serial_number(today.serial_number)
        .not_valid_before(today.not_valid_before_utc)
        .not_valid_after(today.not_valid_after_utc)
        .sign(key, hashes.SHA256())
    )
    with plant.session(certificate=(foreign, key)) as session, pytest.raises(OSError):
        session.reenrol(usual_request(key))


def test_names_change_by_change_subject_name_only_for_who_chooses_names(plant: Plant) -> None:
    key = new_key()
    change = load("change-subject-name-tagged").der
    csr = request(info(attributes=attributes(change)))
    with plant.session(plant.quickstart) as session:
        assert session.enrol(csr).status == 400
        old = session.enrol(usual_request(key, common_name="dev-1")).certificate
        changed = session.reenrol(csr).certificate
    assert changed.subject == name((NameOID.COMMON_NAME, "new-name"))
    assert changed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value == (
        x509.SubjectAlternativeName([DNS("new.example")])
    )
    with plant.session(certificate=(old, key)) as session:
        assert session.reenrol(csr).rule == "subject-refused"


# Linking (RFC 7030 section 3.5).


def challenged(value: str) -> bytes:
    return usual_request(new_key(), challenge=value)


def test_the_right_tls_unique_is_accepted_and_another_is_not(plant: Plant) -> None:
    with plant.session(plant.quickstart, tls=ssl.TLSVersion.TLSv1_2) as session:
        unique = base64.b64encode(session.tls_unique()).decode()
        assert session.enrol(challenged(unique)).status == 200
        for wrong in (unique[:-2], "A" + unique[1:], "SCEP password"):
            assert session.enrol(challenged(wrong)).rule == "linking-failed"
    with plant.session(plant.quickstart, tls=ssl.TLSVersion.TLSv1_2) as other:
        assert other.enrol(challenged(unique)).rule == "linking-failed"


def test_over_tls_1_3_a_linking_value_is_refused_with_the_reason(plant: Plant) -> None:
    with plant.session(plant.quickstart, tls=ssl.TLSVersion.TLSv1_3) as session:
        answer = session.enrol(challenged("+rrCir/7+EYu50T4"))
    assert answer.rule == "linking-failed"
    assert "TLS 1.2" in answer.text


# TLS.


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_tls_is_refused(plant: Plant, version: ssl.TLSVersion) -> None:
    context = plant.server.tls_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with plant.session() as session:
        session.connection._context = context  # type: ignore[attr-defined]
        with pytest.raises(OSError):
            session.ask(f"{BASE}/cacerts")


@pytest.mark.parametrize(
    "ciphers", ["NULL", "aNULL", "AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "CAMELLIA", "ARIA"]
)
def test_weak_suites_are_refused(plant: Plant, ciphers: str) -> None:
    context = plant.server.tls_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    with plant.session() as session:
        session.connection._context = context  # type: ignore[attr-defined]
        with pytest.raises(OSError):
            session.ask(f"{BASE}/cacerts")


# Changes take effect.


def wait_for(
    plant: Plant, credentials: tuple[str, str], status: int, path: str = f"{BASE}/simpleenroll"
) -> Answer:
    deadline = time.monotonic() + 2
    csr = usual_request(new_key())
    while True:
        with plant.session(credentials) as session:
            answer = session.enrol(csr, path=path)
        if answer.status == status or time.monotonic() > deadline:
            return answer
        time.sleep(0.1)


def test_a_disabled_and_a_rotated_application_stop_within_two_seconds(plant: Plant) -> None:
    credentials = plant.commands.add_application("leaving")
    assert wait_for(plant, credentials, 200).status == 200
    plant.commands.run("application", "disable", "leaving")
    assert wait_for(plant, credentials, 401).status == 401
    plant.commands.run("application", "enable", "leaving")
    assert wait_for(plant, credentials, 200).status == 200
    plant.commands.run("application", "rotate", "leaving")
    assert wait_for(plant, credentials, 401).status in (401, 429)


def test_est_follows_properties_changed_by_plain_sql(plant: Plant) -> None:
    def set_status(status: str) -> None:
        with sqlite3.connect(plant.server.home / "certuary.db", timeout=10) as database:
            database.execute(
                "UPDATE api_properties SET status = ? WHERE property_key = 'est.ca.server.user.profile'",
                [status],
            )
        database.close()

    set_status("Inactive")
    try:
        answer = wait_for(plant, plant.quickstart, 503)
        assert answer.status == 503
        assert "est.ca.server.user.profile" in answer.text
        assert answer.headers["Retry-After"]
        with plant.session() as session:
            assert session.ask(f"{BASE}/cacerts").status == 503
        deadline = time.monotonic() + 2
        while plant.server.readiness()[0] != 503:
            assert time.monotonic() < deadline, "/readyz did not follow"
            time.sleep(0.1)
        assert "est.ca.server.user.profile" in str(plant.server.readiness()[1])
    finally:
        set_status("Active")
    assert wait_for(plant, plant.quickstart, 200).status == 200


def test_no_secret_is_in_the_database_or_the_log(plant: Plant) -> None:
    secrets = [plant.quickstart[1], plant.ruled[1], plant.commands.password_file.read_text()]
    plant.enrol(usual_request(new_key()), plant.ruled)
    files = [plant.server.log, *plant.server.home.glob("certuary.db*")]
    for secret in secrets:
        encoded = base64.b64encode(f"ruled:{secret}".encode())
        for path in files:
            content = path.read_bytes()
            assert secret.encode() not in content
            assert encoded not in content


def test_guessing_ends_in_429_while_the_right_application_still_enrols(plant: Plant) -> None:
    statuses = [plant.enrol(usual_request(), ("nobody", f"guess {n}")).status for n in range(60)]
    assert statuses.count(429) > 20
    assert set(statuses) <= {401, 429}
    limited = plant.enrol(usual_request(), ("nobody", "again"))
    if limited.status == 429:
        assert int(limited.headers["Retry-After"]) >= 1
    assert plant.enrol(usual_request(new_key())).status == 200


def test_two_requests_at_once_do_not_both_certify_a_key_that_must_be_new(plant: Plant) -> None:
    csr = usual_request(new_key(), common_name="twice")
    ready = threading.Barrier(2)

    def ask(_: int) -> int:
        with plant.session(plant.lab) as session:
            session.ask(f"{BASE}/cacerts")
            ready.wait(10)
            return session.enrol(csr, path=f"{BASE}/lab/simpleenroll").status

    for _ in range(5):
        with ThreadPoolExecutor(2) as pool:
            statuses = sorted(pool.map(ask, range(2)))
        assert statuses.count(200) <= 1
        csr = usual_request(new_key(), common_name="twice")
