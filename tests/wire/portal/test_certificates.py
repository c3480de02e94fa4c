"""Certificates in the portal: shown decoded whatever they hold, handed out, revoked; and only to whom they concern."""

from __future__ import annotations

import csv
import io
import re

import pytest
from cryptography import x509

from certuary.core.cms import parse_certs_only
from certuary.core.values import serial_to_text
from certuary.services.entitlement import ADMINISTRATOR, AUDITOR, OFFICER
from certuary.services.ports import CertificateRow
from tests.people_ca import unreadable
from tests.wire.portal.certificates import KEYS, add_application, add_certificate, page_of
from tests.wire.portal.pages import Confirm, Page, Portal, PortalClient, SignIn, text_of
from tests.wire.portal.test_api import script_of

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def application_id(portal: Portal) -> int:
    number = add_application(portal, "plant-robots", "GRP_001").id
    assert isinstance(number, int)
    return number


@pytest.fixture
def row(portal: Portal, application_id: int) -> CertificateRow:
    return add_certificate(portal, application_id, names=(x509.DNSName("device-1.plant.example"),))


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("ec-p256", "Elliptic curve, P-256"),
        ("ec-p384", "Elliptic curve, P-384"),
        ("ec-p521", "Elliptic curve, P-521"),
        ("rsa-2048", "RSA, 2048 bits"),
        ("ed25519", "Ed25519"),
    ],
)
def test_a_certificate_of_each_key_type_is_shown_decoded(
    key: str, words: str, portal: Portal, application_id: int, client: PortalClient
) -> None:
    assert key in KEYS
    found = add_certificate(portal, application_id, key=key)
    assert words in text_of(client.get(page_of(found)))


@pytest.mark.parametrize("url", ["/certificates/", "/search/?q=device", "page"])
def test_script_in_common_name_and_alternative_name_stays_text(
    url: str, portal: Portal, application_id: int, client: PortalClient
) -> None:
    names = (x509.UniformResourceIdentifier(f"urn:{SCRIPT}"),)
    found = add_certificate(portal, application_id, common_name=f"device{SCRIPT}", names=names)
    page = client.get(page_of(found) if url == "page" else url).content.decode()
    assert SCRIPT not in page
    assert "alert(1)" in page


@pytest.mark.filterwarnings("ignore:Attribute's length")
def test_long_names_and_names_that_turn_around_are_shown_as_what_they_are(
    portal: Portal, application_id: int, client: PortalClient
) -> None:
    hostile = add_certificate(portal, application_id, common_name="evil\u202egnp.exe\x00")
    long = add_certificate(portal, application_id, common_name="x" * 200)
    page = client.get(page_of(hostile)).content.decode()
    assert "\u202e" not in page
    assert "evil\u2039U+202E\u203agnp.exe\u2039U+0000\u203a" in page
    assert "x" * 200 in text_of(client.get(page_of(long)))
    listed = client.get("/certificates/").content.decode()
    assert "\u202e" not in listed
    assert "x" * 200 in listed


@pytest.mark.parametrize("what", ["octets", "version", "extension"])
def test_a_certificate_that_cannot_be_read_has_a_page_that_says_so_and_takes_no_list_down(
    portal: Portal, row: CertificateRow, client: PortalClient, what: str
) -> None:
    der, serial = {"octets": b"0", **unreadable(row.der)}[what], serial_to_text(row.serial)
    portal.execute("UPDATE certificates SET der = %s WHERE serial = %s", der, serial)
    page = client.get(page_of(row))
    assert page.status_code == 200
    assert "Its DER cannot be read" in text_of(page)
    assert "its DER was altered: it cannot be parsed" in text_of(page)
    assert client.get(page_of(row) + "download/pem/").status_code == 409
    assert serial in client.get("/certificates/").content.decode()
    assert client.get(page_of(row) + "revoke/").status_code == 200
    script = script_of(portal)
    assert script.get(f"/certificates/{serial}").json()["decoded"] == []
    assert script.get(f"/certificates/{serial}/files/pem").status_code == 409


def test_an_altered_row_is_shown_as_one_that_cannot_be_believed(
    portal: Portal, row: CertificateRow, client: PortalClient
) -> None:
    portal.execute("UPDATE certificates SET application_id = 1 WHERE serial = %s", serial_to_text(row.serial))
    assert "This record cannot be believed" in text_of(client.get(page_of(row)))


def test_downloads_are_what_their_media_types_say(row: CertificateRow, client: PortalClient) -> None:
    base = page_of(row) + "download/"
    pem = client.get(base + "pem/")
    assert pem["Content-Type"] == "application/x-pem-file"
    assert x509.load_pem_x509_certificate(pem.content).serial_number == row.serial
    der = client.get(base + "der/")
    assert der["Content-Type"] == "application/pkix-cert"
    assert der.content == row.der
    assert der["Content-Disposition"] == f'attachment; filename="{serial_to_text(row.serial)}.cer"'
    p7b = client.get(base + "p7b/")
    assert p7b["Content-Type"] == "application/pkcs7-mime; smime-type=certs-only"
    assert parse_certs_only(p7b.content) == (row.der,)
    chain = client.get(base + "chain/").content
    assert len(x509.load_pem_x509_certificates(chain)) == 3
    assert client.get(base + "exe/").status_code == 404


def test_the_hierarchy_is_a_tree_with_each_authority_s_key_and_where_it_lives(client: PortalClient) -> None:
    page = client.get("/authorities/").content.decode()
    found = re.findall(
        r'(?s)<li class="depth-(\d)">.*?href="(/authorities/\d+/)".*?'
        r"<dt>Key</dt><dd>([^<]+)</dd>.*?Private key: ([^;]+);",
        page,
    )
    assert found == [
        ("0", "/authorities/1/", "ec-p256", "key store (file), key root, role root"),
        ("1", "/authorities/2/", "ec-p256", "key store (file), key issuing, role issuing"),
    ]


def test_an_authority_and_its_crl_are_handed_out(client: PortalClient) -> None:
    assert "issuing" in text_of(client.get("/authorities/"))
    page = text_of(client.get("/authorities/2/"))
    assert "The portal never opens it" in page
    crl = client.get("/authorities/2/download/crl/")
    assert crl["Content-Type"] == "application/pkix-crl"
    assert len(x509.load_der_x509_crl(crl.content)) == 0
    chain = client.get("/authorities/2/download/chain-p7b/")
    assert len(parse_certs_only(chain.content)) == 2
    assert client.get("/authorities/99/").status_code == 404


def test_an_officer_revokes_with_a_reason_and_a_signature(
    portal: Portal, row: CertificateRow, sign_in: SignIn, confirm: Confirm
) -> None:
    officer = sign_in(OFFICER, ("GRP_001",))
    proposed = officer.post_form(page_of(row) + "revoke/", {"reason": "keyCompromise"})
    review = text_of(officer.get(proposed.url))
    assert "keyCompromise" in review
    assert "device-1.plant.example" in review
    answer = confirm(officer, proposed.url)
    assert (answer.status_code, answer.url) == (302, page_of(row))
    page = text_of(officer.get(page_of(row)))
    assert "Revoked: keyCompromise" in page
    assert "certificate.revoked" in page
    assert "Revoke certificate" not in page
    assert officer.post_form(page_of(row) + "revoke/", {"reason": ""}).status_code == 200


def test_a_revocation_needs_the_password_and_the_certificate_that_was_shown(
    portal: Portal, row: CertificateRow, sign_in: SignIn, confirm: Confirm
) -> None:
    officer = sign_in(OFFICER, ("GRP_001",))
    proposed = officer.post_form(page_of(row) + "revoke/", {"reason": "superseded"})
    assert confirm(officer, proposed.url, password="wrong").status_code == 403
    portal.execute("UPDATE certificates SET mark = %s WHERE serial = %s", b"0", serial_to_text(row.serial))
    assert confirm(officer, proposed.url).status_code == 409
    assert "certificate.revoked" not in portal.audit_kinds()


@pytest.mark.parametrize("role", [ADMINISTRATOR, AUDITOR])
def test_who_is_no_officer_revokes_nothing(role: str, row: CertificateRow, sign_in: SignIn) -> None:
    client = sign_in(role, ("GRP_001",))
    assert "Revoke certificate" not in text_of(client.get(page_of(row)))
    assert client.get(page_of(row) + "revoke/").status_code == 403


def test_a_certificate_of_another_group_is_nowhere(
    portal: Portal, row: CertificateRow, sign_in: SignIn
) -> None:
    officer = sign_in(OFFICER, ("GRP_002",))
    for url in ("", "download/pem/", "download/chain/", "revoke/"):
        assert officer.get(page_of(row) + url).status_code == 404
    serial = serial_to_text(row.serial)
    for url in (
        "/certificates/",
        f"/certificates/?by=serial&q={serial}",
        "/certificates/?q=device",
        "/certificates/?by=san&q=device",
        f"/certificates/?by=sha256&q={row.key_hash}",
        "/certificates/?application=plant-robots",
        f"/search/?q={serial}",
        "/search/?q=device-1",
        f"/search/?q={row.key_hash}",
        "/search/?q=plant-robots",
    ):
        answer = officer.get(url)
        assert answer.status_code == 200, url
        assert f"/certificates/{serial}/" not in answer.content.decode(), url


@pytest.mark.parametrize(
    "query",
    [
        "q=device-1",
        "q=CN%3DDevice-1",
        "by=san&q=plant.example",
        "by=serial&q=SERIAL",
        "by=sha256&q=KEY",
        "application=plant-robots",
        "expires=90&status=valid",
        "from=2020-01-01&to=2100-01-01",
    ],
)
def test_each_filter_finds_it_and_stands_in_a_chip(
    query: str, row: CertificateRow, client: PortalClient
) -> None:
    query = query.replace("SERIAL", serial_to_text(row.serial)).replace("KEY", row.key_hash)
    page = client.get(f"/certificates/?{query}")
    assert page_of(row) in page.content.decode()
    assert 'class="chip"' in page.content.decode()


@pytest.mark.parametrize("typed", ["%", "_", "\\", "'", '"', "a%' OR 1=1 --", "\x00", "(", "*", "💥"])
@pytest.mark.parametrize("url", ["/search/", "/certificates/", "/certificates/?by=san", "/audit/?target=x"])
def test_characters_of_query_languages_are_only_characters(
    url: str, typed: str, row: CertificateRow, client: PortalClient
) -> None:
    path, _, rest = url.partition("?")
    given = {"q": typed, **dict([rest.split("=")] if rest else [])}
    if "target" in given:
        given["target"] = typed
    answer = client.get(path, given)
    assert answer.status_code == 200
    assert page_of(row) not in answer.content.decode()


@pytest.mark.parametrize(
    "query", ["by=serial&q=zz", "by=sha256&q=12", "from=yesterday", "after=99999999&q=x"]
)
def test_a_search_that_makes_no_sense_is_answered_with_a_sentence(query: str, client: PortalClient) -> None:
    answer = client.get(f"/certificates/?{query}")
    assert answer.status_code == 200
    assert "This search cannot be done" in text_of(answer)


def test_a_table_for_a_spreadsheet_holds_no_formula(
    portal: Portal, application_id: int, client: PortalClient
) -> None:
    add_certificate(portal, application_id, subject="=cmd|' /C calc'!A0", common_name="x")
    lines = list(csv.reader(io.StringIO(client.get("/certificates/?format=csv").content.decode())))
    assert lines[0][0] == "subject"
    assert lines[1][0] == "'=cmd|' /C calc'!A0"


def test_the_search_field_goes_to_what_is_meant(row: CertificateRow, client: PortalClient) -> None:
    serial = serial_to_text(row.serial)
    for typed in (serial, serial.upper(), row.key_hash, "device-1", "device-1.plant.example"):
        answer: Page = client.get("/search/", {"q": typed})
        assert (answer.status_code, answer.url) == (302, page_of(row)), typed
    application: Page = client.get("/search/", {"q": "quickstart"})
    assert application.url == "/applications/1/"
    assert "Certificates" in text_of(client.get("/search/", {"q": "dev"}))
    assert "Nothing found" in text_of(client.get("/search/", {"q": "never"}))
