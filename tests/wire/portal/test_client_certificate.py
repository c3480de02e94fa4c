"""An application's client certificate: ordered and signed in the portal, issued by a real EST worker, used by curl."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running_server import RunningServer, running_server
from tests.wire.portal.pages import PASSWORD, Confirm, Page, Portal, PortalClient, confirm_change, text_of
from tests.wire.portal.test_api import assert_problem, script_for, script_of
from tests.wire.portal.test_approvals import add_boss, approve, turn_on, waiting

APPLICATION = "line-1"


@pytest.fixture
def worker(portal: Portal) -> Iterator[RunningServer]:
    """`certuary serve` on the same home: its EST worker fulfils what these pages order."""
    with running_server(portal.home) as server:
        yield server


@pytest.fixture
def application(portal: Portal) -> int:
    return register(portal, APPLICATION)


def register(portal: Portal, name: str, group: str = "GRP_001", **grants: object) -> int:
    from certuary.services.register_application import Grants, NewApplication, register_application

    actor, deps = portal.changes_as()
    new = NewApplication(
        name=name,
        username=name,
        password=PASSWORD,
        grants=Grants(group=group, **grants),  # type: ignore[arg-type]  # by name
    )
    record = register_application(actor, new, portal.deps.passwords, deps).record
    assert isinstance(record.id, int)
    return record.id


def order(client: PortalClient, application: int, **changes: str) -> Page:
    """Fill in the form, and sign what it leads to."""
    answer = propose(client, application, **changes)
    assert answer.status_code == 302, text_of(answer)
    return confirm_change(client, answer.url)


def propose(client: PortalClient, application: int, **changes: str) -> Page:
    form = {
        "profile": "tls-client",
        "common_name": APPLICATION,
        "dns_names": "",
        "key_type": "ec-p256",
        **changes,
    }
    return client.post_form(f"/applications/{application}/client-certificate/", form)


def saved_file(page: Page, directory: Path) -> tuple[Path, str]:
    """The file that the page offers, and the passphrase beside it."""
    text = page.content.decode()
    link = re.search(r'href="data:application/octet-stream;base64,([^"]+)" download="([^"]+)"', text)
    passphrase = re.search(r'<div class="secret"[^>]*>([^<]+)</div>', text)
    assert link is not None, text_of(page)
    assert passphrase is not None
    path = directory / link[2]
    path.write_bytes(base64.b64decode(link[1].replace("&#x3D;", "=").replace("&#x2B;", "+")))
    return path, passphrase[1]


def openssl(*arguments: object, passphrase: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["openssl", *map(str, arguments)],
        env={"PATH": "/usr/bin:/bin", "PASSPHRASE": passphrase},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def enrol(server: RunningServer, pem: Path, common_name: str, directory: Path) -> tuple[int, str]:
    """By curl, with the client certificate and no password: status and body."""
    csr = directory / "device.csr"
    made = openssl(
        "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
        directory / "device.key", "-subj", f"/CN={common_name}", "-outform", "DER", "-out", directory / "device.der",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    csr.write_bytes(base64.b64encode((directory / "device.der").read_bytes()))
    done = subprocess.run(
        [
            "curl", "-sS", "--cacert", server.root_pem, "--cert", pem, "-H", "Content-Type: application/pkcs10",
            "--data-binary", f"@{csr}", "-w", "\n%{http_code}",
            f"{server.est_url}/.well-known/est/simpleenroll",
        ],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def unpacked(path: Path, passphrase: str, directory: Path) -> Path:
    pem = directory / "client.pem"
    done = openssl(
        "pkcs12", "-in", path, "-nodes", "-passin", "env:PASSPHRASE", "-out", pem, passphrase=passphrase
    )
    assert done.returncode == 0, done.stderr
    return pem


def test_a_client_certificate_that_was_signed_for_enrols_other_names_without_a_password(
    portal: Portal, client: PortalClient, application: int, worker: RunningServer, tmp_path: Path
) -> None:
    page = order(client, application)
    assert page.status_code == 200, text_of(page)
    assert "no-store" in page["Cache-Control"]
    path, passphrase = saved_file(page, tmp_path)
    assert path.name == "line-1.p12"
    info = openssl(
        "pkcs12", "-in", path, "-info", "-noout", "-passin", "env:PASSPHRASE", passphrase=passphrase
    )
    assert "PBES2, PBKDF2, AES-256-CBC, Iteration 100000, PRF hmacWithSHA256" in info.stderr
    assert "MAC: sha256" in info.stderr
    assert openssl("pkcs12", "-in", path, "-noout", "-passin", "env:PASSPHRASE", passphrase="x").returncode
    pem = unpacked(path, passphrase, tmp_path)
    assert pem.read_text().count("BEGIN CERTIFICATE") == 3
    status, body = enrol(worker, pem, "some-device", tmp_path)
    assert status == 200, body
    assert kept_nowhere(portal, passphrase, path.read_bytes())
    serial = openssl("x509", "-in", pem, "-noout", "-serial").stdout.strip().removeprefix("serial=").lower()
    assert "Speaks for its application" in text_of(client.get(f"/certificates/{serial}/"))
    kinds = portal.audit_kinds()
    assert (kinds.count("certificate.ordered"), kinds.count("certificate.issued")) == (1, 1)


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ("rotate", "superseded"),
        ("disable", "privilegeWithdrawn"),
        ("delete", "cessationOfOperation"),
    ],
)
def test_rotate_disable_and_delete_revoke_it_in_the_same_signed_change(
    action: str, reason: str, portal: Portal, client: PortalClient, application: int, worker: RunningServer,
    tmp_path: Path,
) -> None:  # fmt: skip
    from certuary.store.models import AuditEvent, Certificate

    pem = unpacked(*saved_file(order(client, application), tmp_path), tmp_path)
    base = f"/applications/{application}/"
    if action == "rotate":
        proposed = client.post_form(f"{base}rotate/", {"password_source": "generate"})
    else:
        proposed = client.post_form(f"{base}act/{action}/", {}, page=base)
    assert confirm_change(client, proposed.url).status_code in (200, 302)
    row = Certificate.objects.get(source="application")
    assert row.revocation_reason == reason
    events = AuditEvent.objects.filter(
        kind__in=("certificate.revoked", "application.changed", "application.removed")
    )
    assert len(set(events.order_by("-id").values_list("request_id", flat=True)[:2])) == 1
    assert enrol_until_refused(worker, pem, tmp_path) == 401
    assert row.serial in listed(worker)


def test_without_a_worker_it_says_so_and_the_order_is_never_fulfilled(
    portal: Portal, client: PortalClient, application: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from certuary.services import order_certificate

    monkeypatch.setattr(order_certificate, "PATIENCE_SECONDS", 0.3)
    page = order(client, application)
    assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
    assert "no EST worker answered in time" in text_of(page)
    assert "Your signature is on record" in text_of(page)
    assert "Nothing was signed" not in text_of(page)
    assert portal.audit_kinds()[-2:] == ["certificate.ordered", "certificate.order-withdrawn"]
    assert portal.stores.orders.take(portal.deps.clock.now()) is None


def test_without_a_worker_an_approved_order_is_used_up_and_leads_to_its_request(
    portal: Portal,
    client: PortalClient,
    application: int,
    confirm: Confirm,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from certuary.services import order_certificate

    monkeypatch.setattr(order_certificate, "PATIENCE_SECONDS", 0.3)
    boss = add_boss(portal)
    turn_on(portal, "application")
    confirm(client, propose(client, application).url)
    approval = waiting()[0]
    answer = approve(boss, approval, confirm)
    assert answer.status_code == 302
    assert answer.url == f"/approvals/{approval.id}/"
    page = text_of(boss.get(answer.url))
    assert "Your signature is on record" in page
    assert "boss approved" in page
    assert "Nothing was signed" not in page


@pytest.mark.usefixtures("application")
def test_an_order_that_was_not_answered_can_be_asked_for_again_under_the_same_key(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    from certuary.services import order_certificate

    monkeypatch.setattr(order_certificate, "PATIENCE_SECONDS", 0.3)
    script, body = script_of(portal), {"profile": "tls-client"}
    for _ in range(2):
        answer = script.post(
            f"/applications/{APPLICATION}/client-certificate", body, headers={"idempotency-key": "k1"}
        )
        assert_problem(answer, 503, "order-unanswered")


@pytest.mark.usefixtures("application")
def test_a_script_gets_the_file_at_once_or_as_the_second_person(
    portal: Portal, worker: RunningServer, tmp_path: Path
) -> None:
    path, body = f"/applications/{APPLICATION}/client-certificate", {"profile": "tls-client"}
    script = script_of(portal)
    answer = script.post(path, body)
    assert answer.status_code == 201, answer.content
    first = tmp_path / "first.p12"
    first.write_bytes(base64.b64decode(answer.json()["pkcs12"]))
    assert enrol(worker, unpacked(first, answer.json()["passphrase"], tmp_path), "one", tmp_path)[0] == 200

    add_boss(portal)
    turn_on(portal, "application")
    asked = script.post(path, body)
    assert asked.status_code == 202, asked.content
    kept = asked.json()
    made = script_for(portal, "boss").post(
        f"/approvals/{kept['approval']}/approve", {"digest": kept["digest"]}
    )
    assert made.status_code == 200, made.content
    file, passphrase = made.json()["secrets"]
    second = tmp_path / file["filename"]
    assert second.suffix == ".p12"
    second.write_bytes(base64.b64decode(file["content"]))
    assert enrol(worker, unpacked(second, passphrase["value"], tmp_path), "two", tmp_path)[0] == 200


def test_a_name_that_the_subject_rule_does_not_allow_is_refused_before_anything_is_signed(
    portal: Portal, client: PortalClient
) -> None:
    ruled = register(portal, "ruled", subject_rule="CN=dev-*")
    page = propose(client, ruled, common_name="someone-else")
    assert page.status_code == 200
    assert "CN" in text_of(page)
    assert "certificate.ordered" not in portal.audit_kinds()


def kept_nowhere(portal: Portal, passphrase: str, pkcs12: bytes) -> bool:
    """Not in a file of the home, database and logs among them, nor in what the sessions say once they are read."""
    from certuary.portal.models import PortalSession
    from certuary.portal.sessions import SessionStore

    files = [path for path in portal.home.rglob("*") if path.is_file()]
    assert portal.home / "certuary.db" in files
    sessions = [json.dumps(SessionStore().decode(row.data)).encode() for row in PortalSession.objects.all()]
    assert sessions
    content = b"\n".join([*(path.read_bytes() for path in files), *sessions])
    traces = (passphrase.encode(), pkcs12[200:600], base64.b64encode(pkcs12)[:200])
    return not [trace for trace in traces if trace in content]


def enrol_until_refused(server: RunningServer, pem: Path, directory: Path) -> int:
    deadline = time.monotonic() + 10
    status = 0
    while time.monotonic() < deadline:
        status, _ = enrol(server, pem, "another-device", directory)
        if status != 200:
            break
        time.sleep(0.2)
    return status


def listed(server: RunningServer) -> str:
    """The serial numbers of the next CRL, lower case."""
    deadline = time.monotonic() + 15
    text = ""
    while time.monotonic() < deadline and "serial number" not in text:
        with urllib.request.urlopen(f"{server.status_url}/crl/issuing.crl", timeout=5) as answer:
            crl = answer.read()
        done = subprocess.run(
            ["openssl", "crl", "-inform", "DER", "-noout", "-text"],
            input=crl,
            capture_output=True,
            check=True,
        )
        text = done.stdout.decode().lower()
        time.sleep(0.2)
    return re.sub(r"[\s:]", "", text)


def test_where_changes_of_applications_take_two_persons_the_second_gets_the_file(
    portal: Portal,
    client: PortalClient,
    application: int,
    worker: RunningServer,
    confirm: Confirm,
    tmp_path: Path,
) -> None:
    boss = add_boss(portal)
    turn_on(portal, "application")
    asked = confirm(client, propose(client, application).url)
    assert asked.url.startswith("/approvals/")
    assert "certificate.ordered" not in portal.audit_kinds()
    page = approve(boss, waiting()[0], confirm)
    assert page.status_code == 200, text_of(page)
    pem = unpacked(*saved_file(page, tmp_path), tmp_path)
    status, body = enrol(worker, pem, "some-device", tmp_path)
    assert status == 200, body
    assert waiting() == ()
