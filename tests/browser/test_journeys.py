"""What people come for: each journey from its first page to what a device, a CRL or another person then sees."""

from __future__ import annotations

import base64
import hmac
import re
import sqlite3
import struct
import subprocess
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.sync_api import Page, expect

from tests.browser.browsing import NewVisitor, Visitor
from tests.command import Commands
from tests.est_session import BASE, EstSession
from tests.fault.processes import fetch_crl, until
from tests.request_maker import usual_request
from tests.running_server import RunningServer

EFFECT_SECONDS = 10
PASSWORD = "a password for a person"
TOTP_SECONDS = 30
"""How long a code of an authenticator app is valid (RFC 6238)."""


# Applications


def test_an_application_is_registered_enrols_at_once_and_is_edited(
    admin: Visitor, server: RunningServer, tmp_path: Path
) -> None:
    admin.open("/applications/")
    admin.look("applications")
    admin.press("New")
    admin.look("application-new")
    admin.fill("Name", "Line 4")
    admin.press("Proceed")
    assert admin.page.locator("#error-summary").is_visible()
    assert admin.value("Name") == "Line 4"
    admin.fill("Username", "line-4")
    admin.fill("IP addresses and networks", "127.0.0.0/8\n10.0.0.0/24")
    expect(admin.page.locator("#understood-networks")).to_contain_text("256 addresses")
    admin.fill("Subject rule", "CN=line4-*")
    admin.press("Proceed")
    admin.look("application-confirm")
    assert "10.0.0.0/24" in admin.text()
    admin.press("Edit")
    assert admin.value("Username") == "line-4"
    assert admin.value("Subject rule") == "CN=line4-*"
    admin.press("Proceed")
    admin.sign()
    admin.look("application-registered")

    password = admin.page.locator(".secret").first.inner_text()
    certificate = enrol_as_shown(admin.page, password, tmp_path)
    assert certificate.subject.rfc4514_string().startswith("CN=line4-")

    admin.open("/applications/")
    admin.follow("Line 4")
    admin.look("application")
    assert password not in admin.page.content()
    admin.press("Edit")
    admin.fill("IP addresses and networks", "10.0.0.0/24")
    admin.press("Proceed")
    assert admin.page.locator("dd del").count() > 0
    admin.look("application-edit-confirm")
    admin.sign()
    until(
        lambda: status_of(server, "line-4", password) == 401, EFFECT_SECONDS, "the edit at the EST listener"
    )


def enrol_as_shown(page: Page, password: str, directory: Path) -> x509.Certificate:
    """Paste the page's lines into a shell, typing the password where they ask for it."""
    script = "\n".join(page.locator("pre.code").all_inner_texts())
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script],
        cwd=directory,
        input=password + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return x509.load_pem_x509_certificates((directory / "device.pem").read_bytes())[0]


def status_of(server: RunningServer, username: str, password: str, label: str = "") -> int:
    """Of an enrolment by these credentials."""
    return enrol(server, username, password, label=label)[0]


def enrol(
    server: RunningServer, username: str, password: str, *, name: str = "line4-2", label: str = ""
) -> tuple[int, str]:
    """Status, and the request's id. With a new key: a device has one of its own."""
    path = f"{BASE}/{label}/simpleenroll" if label else f"{BASE}/simpleenroll"
    with EstSession(server, credentials=(username, password)) as session:
        answer = session.enrol(usual_request(new_key(), common_name=name), path=path)
        return answer.status, answer.headers["X-Request-Id"]


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def test_a_seal_broken_by_sql_turns_the_page_red_until_it_is_mended(
    admin: Visitor, server: RunningServer, commands: Commands
) -> None:
    commands.add_application("sealed", "--ip", "127.0.0.0/8")
    execute(server, "UPDATE applications SET networks = '[]' WHERE name = 'sealed'")
    admin.open("/applications/?q=sealed")
    assert admin.page.locator("tr.is-broken").count() == 1
    admin.look("applications-broken")
    admin.follow("sealed")
    assert admin.page.locator("main .alert-danger").is_visible()
    assert admin.page.locator("main").get_by_role("link", name="Edit").count() == 0
    admin.look("application-broken")
    execute(server, "UPDATE applications SET networks = '[\"127.0.0.0/8\"]' WHERE name = 'sealed'")
    admin.page.reload()
    assert admin.page.locator("main .alert-danger").count() == 0
    admin.look("application-mended")


def execute(server: RunningServer, sql: str) -> None:
    connection = sqlite3.connect(server.home / "certuary.db", timeout=20)
    try:
        connection.execute(sql)
        connection.commit()
    finally:
        connection.close()


# Profiles and labels


def test_a_profile_is_created_and_used_through_a_label(
    admin: Visitor, server: RunningServer, commands: Commands
) -> None:
    admin.open("/profiles/")
    admin.look("profiles")
    admin.open("/profiles/new/")
    admin.look("profile-new")
    toml = (Path(__file__).parents[2] / "src/certuary/profiles/tls-device.toml").read_text()
    toml = re.sub(r"(?m)^name = .*", 'name = "short-lived"', toml)
    toml = re.sub(r"(?m)^lifetime = .*", 'lifetime = "2d"', toml)
    admin.page.locator("#id_toml").fill(toml)
    admin.press("Proceed")
    admin.look("profile-confirm")
    admin.sign()
    admin.open("/profiles/")
    admin.follow("short-lived")
    admin.look("profile")

    admin.open("/labels/new/")
    admin.look("label-new")
    admin.fill("Label", "short")
    admin.page.locator("#id_profile").select_option(label="short-lived")
    admin.press("Proceed")
    admin.sign()

    name, password = commands.add_application("labelled", "--label", "short")
    until(lambda: status_of(server, name, password, "short") == 200, EFFECT_SECONDS, "the label")


# Certificates


def test_a_certificate_is_found_and_revoked_and_the_crl_says_so(
    admin: Visitor, server: RunningServer, commands: Commands
) -> None:
    name, password = commands.add_application("revoked", "--ip", "127.0.0.0/8")
    until(lambda: enrol(server, name, password, name="lost-device")[0] == 200, EFFECT_SECONDS, "an enrolment")
    admin.open("/certificates/?q=lost-device")
    admin.look("certificates")
    admin.page.locator("main tbody a").first.click()
    admin.look("certificate")
    serial = int(admin.path.split("/")[2], 16)
    admin.press("Revoke certificate")
    admin.look("certificate-revoke")
    admin.page.locator("#id_reason").select_option("keyCompromise")
    admin.press("Proceed")
    admin.look("certificate-revoke-confirm")
    admin.sign()

    def is_on_crl() -> bool:
        crl = x509.load_der_x509_crl(fetch_crl(server))
        return crl.get_revoked_certificate_by_serial_number(serial) is not None

    until(is_on_crl, EFFECT_SECONDS, "the CRL")


# Second factors


def test_second_factors_an_authenticator_app_and_a_passkey(
    new_visitor: NewVisitor, commands: Commands, tmp_path: Path
) -> None:
    visitor = person(new_visitor, commands, tmp_path, "fatima", "auditor", "GRP_001")
    visitor.open("/account/")
    visitor.look("account")
    visitor.open("/account/2fa/totp/")
    visitor.look("totp")
    secret = visitor.page.locator("#totp-secret").inner_text().replace(" ", "")
    visitor.fill("Code that the app shows", totp(secret, time.time()))
    visitor.press("Proceed")
    visitor.sign()
    visitor.open("/account/")

    sign_out(visitor)
    visitor.sign_in("fatima", PASSWORD)
    assert visitor.path.startswith("/sign-in/second-factor/")
    visitor.look("second-factor")
    visitor.open("/account/")
    assert visitor.path.startswith("/sign-in/"), "a password alone opened a page"
    visitor.open("/sign-in/")
    visitor.sign_in("fatima", PASSWORD)
    time.sleep(
        TOTP_SECONDS - time.time() % TOTP_SECONDS + 0.1
    )  # the code of this step was used: codes serve once
    visitor.page.locator("#id_code").fill(totp(secret, time.time()))
    visitor.press("Continue")
    expect(visitor.page).to_have_url(visitor.base + "/")

    with_virtual_authenticator(visitor.page)
    visitor.open("/account/2fa/passkeys/new/")
    visitor.look("passkey-new")
    visitor.fill("Name", "Laptop")
    visitor.page.get_by_role("button", name="Create the passkey").click()
    visitor.page.wait_for_url("**/confirm/**")
    visitor.sign()
    sign_out(visitor)
    visitor.sign_in("fatima", PASSWORD)
    visitor.page.get_by_role("button", name="Use a passkey").click()
    expect(visitor.page).to_have_url(visitor.base + "/")


def with_virtual_authenticator(page: Page) -> None:
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def totp(secret: str, at: float) -> str:
    """RFC 6238, as an app on a phone does it."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.digest(key, struct.pack(">Q", int(at) // TOTP_SECONDS), "sha1")
    start = digest[-1] & 15
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"


def person(
    new_visitor: NewVisitor, commands: Commands, tmp_path: Path, name: str, role: str, *groups: str
) -> Visitor:
    """A new user, signed in, in a window of their own."""
    secret = tmp_path / f"{name}-password"
    secret.write_text(PASSWORD)
    secret.chmod(0o600)
    scope = [part for group in groups for part in ("--group", group)]
    commands.run("user", "add", name, "--role", role, *scope, "--password-file", secret)
    visitor = new_visitor()
    visitor.sign_in(name, PASSWORD)
    assert visitor.path == "/", visitor.text()
    return visitor


def sign_out(visitor: Visitor) -> None:
    visitor.page.locator("header .dropdown > button").click()
    visitor.page.get_by_role("button", name="Sign out").click()
    visitor.page.wait_for_url("**/sign-in/")


# Refusals


def test_a_refusal_is_explained_by_its_request_id(
    admin: Visitor, server: RunningServer, commands: Commands
) -> None:
    name, password = commands.add_application("narrow", "--subject-rule", "CN=narrow-*")
    until(lambda: enrol(server, name, password)[0] == 403, EFFECT_SECONDS, "the application")
    status, request_id = enrol(server, name, password, name="other-name")
    assert status == 403
    admin.open("/refusals/")
    admin.look("refusals")
    admin.fill("Request id", request_id)
    admin.press("Explain")
    admin.look("refusal")
    assert request_id in admin.text()
    assert "narrow" in admin.text()
    admin.open("/refusals/try/")
    admin.look("refusal-try")


# Roles


@pytest.mark.parametrize(
    ("role", "opens", "is_refused"),
    [
        ("administrator", ("/applications/new/", "/profiles/new/"), ("/groups/new/",)),
        ("officer", ("/certificates/", "/applications/"), ("/applications/new/", "/users/new/")),
        ("auditor", ("/audit/", "/applications/"), ("/applications/new/", "/groups/new/", "/users/new/")),
    ],
)
def test_each_role_sees_and_reaches_only_what_it_may(
    role: str,
    opens: tuple[str, ...],
    is_refused: tuple[str, ...],
    new_visitor: NewVisitor,
    commands: Commands,
    tmp_path: Path,
) -> None:
    commands.add_application(f"of-default-{role}")
    groups = {group["name"] for group in commands.json("group", "list")}
    if "Elsewhere" not in groups:
        commands.run("group", "add", "Elsewhere")
    commands.add_application(f"of-elsewhere-{role}", "--group", "Elsewhere")
    visitor = person(new_visitor, commands, tmp_path, f"a-{role}", role, "GRP_001")
    entries = visitor.page.locator("nav[aria-label=Main] a").evaluate_all(
        "all => all.map(one => one.pathname)"
    )
    for path in {*entries, *opens}:
        visitor.open(path)
        assert visitor.heading not in ("Not permitted", "Nothing here"), f"{role}: {path}"
    visitor.open("/applications/")
    assert f"of-default-{role}" in visitor.text()
    assert "of-elsewhere" not in visitor.text()
    visitor.watch.expected.add(403)
    for path in is_refused:
        visitor.open(path)
        assert visitor.heading == "Not permitted", f"{role}: {path}"
    visitor.look(f"not-permitted-{role}")
