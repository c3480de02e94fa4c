"""Why was I refused?: refusals explained and listed, and a dry run that says what an enrolment would."""

from __future__ import annotations

import base64
import json
import os
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.core.files.uploadedfile import SimpleUploadedFile

from certuary.core import der
from certuary.core.enrolment_step import Step
from certuary.core.est import Operation
from certuary.core.values import fold_address, make_serial
from certuary.errors import CertuaryError, NotAuthenticated
from certuary.est.request import make_request_id
from certuary.services.authenticate import Caller, why_not
from certuary.services.authorise import find_profile
from certuary.services.enrol import EnrolRequest, enrol, refusal_item
from certuary.services.entitlement import ADMINISTRATOR, AUDITOR, OFFICER
from certuary.services.ports import Record
from certuary.services.register_application import Grants, NewApplication, register_application
from certuary.services.rehearse_enrolment import Outcome, Rehearsal, rehearse_enrolment
from tests.request_maker import KEY, info, name, request, spki, usual_request
from tests.wire.portal.pages import PASSWORD, Page, Portal, PortalClient, SignIn, text_of

OTHER = ec.generate_private_key(ec.SECP256R1())
SMALL_RSA = rsa.generate_private_key(65537, 1024)
ADDRESS = "10.0.0.7"


def sent(csr_der: bytes) -> bytes:
    return base64.b64encode(csr_der)


def titled() -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        name((x509.NameOID.COMMON_NAME, "dev-1"), (x509.NameOID.TITLE, "Boss"))
    )
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding

    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


@dataclass(frozen=True, kw_only=True)
class Case:
    body: bytes = field(default_factory=lambda: sent(usual_request()))
    grants: dict[str, Any] = field(default_factory=dict)
    address: str = ADDRESS
    label: str | None = None
    operation: Operation = Operation.SIMPLEENROLL
    stops_at: Step | None
    rule: str = ""


CASES = {
    "a good request": Case(stops_at=None),
    "an unknown label": Case(label="nowhere", stops_at=Step.ENDPOINT, rule="unknown-label"),
    "a foreign network": Case(
        grants={"networks": ("192.0.2.0/24",)}, stops_at=Step.APPLICATION, rule="not-authenticated"
    ),
    "no base64": Case(body=b"hello!", stops_at=Step.BODY, rule="malformed-body"),
    "no PKCS#10": Case(body=sent(b"\x30\x03\x02\x01\x05"), stops_at=Step.PKCS10, rule="malformed-csr"),
    "octets at the end": Case(
        body=sent(usual_request() + b"\x00"), stops_at=Step.PKCS10, rule="trailing-bytes"
    ),
    "a small key": Case(
        body=sent(usual_request(SMALL_RSA)), stops_at=Step.PKCS10, rule="rsa-modulus-too-small"
    ),
    "another's key": Case(
        body=sent(request(info(spki_der=spki(OTHER)))), stops_at=Step.POSSESSION, rule="proof-of-possession"
    ),
    "a label not granted": Case(label="plant", stops_at=Step.GRANT, rule="label-not-granted"),
    "another group": Case(grants={"group": "GRP_002"}, stops_at=Step.GRANT, rule="group-not-granted"),
    "nothing to renew": Case(
        operation=Operation.SIMPLEREENROLL, stops_at=Step.NAMES, rule="nothing-to-renew"
    ),
    "a field not taken": Case(body=sent(titled()), stops_at=Step.PROFILE, rule="subject-attribute"),
    "a name not allowed": Case(
        grants={"subject_rule": "CN=gw-*"}, stops_at=Step.SUBJECT_RULE, rule="subject-refused"
    ),
}


def register(portal: Portal, name: str = "device", **grants: Any) -> Record:
    actor, deps = portal.changes_as()
    given = Grants(**{"group": "GRP_001", **grants})
    new = NewApplication(name=name, username=name, password=PASSWORD, grants=given)
    return register_application(actor, new, portal.deps.passwords, deps).record


def add_plant_label(portal: Portal) -> None:
    from certuary.services.manage_group import add_label

    actor, deps = portal.changes_as()
    add_label(actor, "plant", "tls-server", deps)


def really(portal: Portal, case: Case, application: Record) -> CertuaryError | None:
    """What the server itself says, by its own services and none of the dry run's."""
    rehearsal = portal.deps.rehearsal
    snapshot, now = rehearsal.snapshot(), rehearsal.clock.now()
    try:
        profile = find_profile(snapshot, case.label)
        known = snapshot.applications_by_id[int(application.id)]
        reason = why_not(known, fold_address(case.address), now)
        if reason is not None:
            raise NotAuthenticated(reason)
        caller = Caller(application=known, certificate=None, by_password=True)
        asked = EnrolRequest(
            operation=case.operation,
            label=case.label,
            body=case.body,
            request_id="real",
            address=case.address,
            now=now,
            serial=make_serial(int(now.timestamp() * 1000), os.urandom(12)),
            tls_unique=lambda: None,
        )
        enrol(asked, caller, snapshot, profile, rehearsal.enrol)
    except CertuaryError as refusal:
        return refusal
    return None


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_dry_run_stops_where_the_server_does(portal: Portal, case: Case) -> None:
    application = register(portal, **case.grants)
    add_plant_label(portal)
    real = really(portal, case, application)
    done = rehearse_enrolment(
        Rehearsal(
            operation=case.operation,
            label=case.label,
            body=case.body,
            application_id=int(application.id),
            address=case.address,
        ),
        portal.deps.rehearsal,
    )
    assert (done.refusal.rule if done.refusal else "") == (real.rule if real else "") == case.rule
    assert str(done.refusal) == str(real)
    stopped = [result.step for result in done.steps if result.outcome is Outcome.STOPPED]
    assert stopped == ([] if case.stops_at is None else [case.stops_at])
    assert [result.step for result in done.steps] == list(Step)


def test_the_page_of_a_dry_run_shows_each_rule_and_stores_nothing(
    client: PortalClient, portal: Portal
) -> None:
    register(portal, subject_rule="CN=gw-*")
    client.get("/refusals/try/")
    before = rows(portal)
    page = text_of(try_page(client, csr=sent(usual_request()).decode()))
    assert "It would be refused: subject-refused" in page
    assert "9. Names passed" in page
    assert "12. Subject rule stopped here" in page
    assert "13. Lint not reached" in page
    assert "CN=dev-1" in page
    assert rows(portal) == before


def test_a_request_that_would_be_granted_shows_what_it_would_get(
    client: PortalClient, portal: Portal
) -> None:
    register(portal)
    page = text_of(try_page(client, csr=sent(usual_request()).decode()))
    assert "It would be granted" in page
    assert "What it would get" in page


def test_der_is_uploaded_as_a_file(client: PortalClient, portal: Portal) -> None:
    register(portal)
    page = try_page(client, csr="", file=SimpleUploadedFile("request.der", usual_request()))
    assert "It would be granted" in text_of(page)


@pytest.mark.parametrize(
    "hostile",
    [
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30\x80" * 20000,
        der.tlv(der.SEQUENCE, b"\x30\x00" * 20000),
        b"0" * 65536,
    ],
    ids=["a length of 4 GiB", "nested", "many parts", "not DER"],
)
def test_a_hostile_file_is_refused_at_once(client: PortalClient, portal: Portal, hostile: bytes) -> None:
    register(portal)
    client.get("/refusals/try/")
    start = time.process_time()
    page = try_page(client, csr="", file=SimpleUploadedFile("request.der", hostile))
    assert time.process_time() - start < 2
    assert page.status_code == 200
    assert "It would be refused" in text_of(page)


def test_a_file_above_64_kib_is_not_looked_at(client: PortalClient, portal: Portal) -> None:
    register(portal)
    page = try_page(client, csr="", file=SimpleUploadedFile("request.der", b"\x30" * 70000))
    assert "at most 64 KiB" in text_of(page)


def test_a_refused_request_is_explained(client: PortalClient, portal: Portal) -> None:
    request_id = refuse(portal, register(portal))
    page = text_of(client.get(f"/refusals/{request_id}/"))
    assert "Refused: subject-attribute" in page
    assert "the profile does not take title" in page
    assert "a subject field that the profile does not take" in page
    assert "subject.optional" in page
    assert "title=Boss" in page
    assert "tls-device , version 1" in page
    assert ADDRESS in page


def test_a_request_id_leads_to_its_page(client: PortalClient) -> None:
    found: Page = client.get("/refusals/?request=ABC")
    assert found.url == "/refusals/abc/"
    missing = client.get("/refusals/abc/")
    assert missing.status_code == 404
    assert "There is no such request here" in text_of(missing)


def test_a_wrong_password_is_explained_to_ca_administrators_alone(
    client: PortalClient, portal: Portal, sign_in: SignIn
) -> None:
    from certuary.services.ports import AuditRow

    request_id = make_request_id(os.urandom)
    row = AuditRow(
        at=portal.deps.clock.now(),
        kind="authentication.refused",
        actor_kind="stranger",
        actor="",
        target="",
        request_id=request_id,
        address=ADDRESS,
        detail=json.dumps({"reason": "wrong password (username 'device')"}),
    )
    with portal.stores.records.transaction() as transaction:
        transaction.add_audit(row)
    page = text_of(client.get(f"/refusals/{request_id}/"))
    assert "Refused: not-authenticated" in page
    assert "wrong password (username 'device')" in page
    assert sign_in(ADMINISTRATOR).get(f"/refusals/{request_id}/").status_code == 404


@pytest.mark.parametrize("role", [ADMINISTRATOR, OFFICER, AUDITOR])
def test_refusals_of_other_groups_are_not_there(portal: Portal, sign_in: SignIn, role: str) -> None:
    own = refuse(portal, register(portal, "own"))
    other = refuse(portal, register(portal, "foreign", group="GRP_002"))
    client = sign_in(role)
    assert client.get(f"/refusals/{own}/").status_code == 200
    assert client.get(f"/refusals/{other}/").status_code == 404
    listed = text_of(client.get("/refusals/"))
    assert own in listed
    assert other not in listed
    assert "foreign" not in listed
    page = text_of(try_page(client, application="foreign", csr=sent(usual_request()).decode()))
    assert "there is no application of this name" in page


def test_refusals_are_filtered_and_paged_by_key(
    client: PortalClient, portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    from certuary.portal.views import refusals

    monkeypatch.setattr(refusals, "_PAGE", 2)
    application = register(portal)
    ids = [refuse(portal, application) for _ in range(5)]
    malformed = refuse(portal, application, b"hello!")
    seen: list[str] = []
    url = "/refusals/?format=json"
    page = client.get(url)
    while True:
        seen += [row["request"] for row in page.json()]
        found = page_link(client.get(url.replace("format=json", "")))
        if not found:
            break
        url = f"{found}&format=json"
        page = client.get(url)
    assert seen == [malformed, *reversed(ids)]
    only = client.get("/refusals/?rule=malformed-body&format=json").json()
    assert [row["request"] for row in only] == [malformed]
    assert client.get("/refusals/?after=nonsense").status_code == 404


def test_a_page_of_refusals_is_found_by_an_index(portal: Portal) -> None:
    from django.db import connection

    from certuary.store.models import Enrolment

    rows = Enrolment.objects.filter(outcome="refused").order_by("-at", "-id")[:50]
    with connection.cursor() as cursor:
        sql, parameters = rows.query.sql_with_params()
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)
        plan = " ".join(str(row) for row in cursor.fetchall())
    assert "enrolments_refused" in plan
    assert "TEMP B-TREE" not in plan


def page_link(page: Page) -> str:
    import html
    import re

    found = re.search(r'href="([^"]*)">Older', page.content.decode())
    return html.unescape(found[1]) if found else ""


def try_page(client: PortalClient, **values: Any) -> Page:
    given = {"application": "device", "address": ADDRESS, "label": "", "operation": "simpleenroll"}
    return client.post_form("/refusals/try/", {**given, **values})


def refuse(portal: Portal, application: Record, body: bytes | None = None) -> str:
    """As the EST worker commits a refusal."""
    rehearsal = portal.deps.rehearsal
    snapshot = rehearsal.snapshot()
    profile = find_profile(snapshot, None)
    known = snapshot.applications_by_id[int(application.id)]
    caller = Caller(application=known, certificate=None, by_password=True)
    request_id = make_request_id(os.urandom)
    asked = EnrolRequest(
        operation=Operation.SIMPLEENROLL,
        label=None,
        body=body or sent(titled()),
        request_id=request_id,
        address=ADDRESS,
        now=rehearsal.clock.now() + timedelta(milliseconds=1),
        serial=1 << 100,
        tls_unique=lambda: None,
    )
    try:
        enrol(asked, caller, snapshot, profile, rehearsal.enrol)
    except CertuaryError as refusal:
        item = refusal_item(asked, caller, profile, refusal)
    commit(portal, item)
    return request_id


def commit(portal: Portal, item: Any) -> None:
    from certuary.store.models import Enrolment

    row = item.enrolment
    Enrolment.objects.create(
        request_id=row.request_id,
        at=row.at,
        operation=row.operation,
        outcome=row.outcome,
        reason=row.reason,
        application_id=row.application_id,
        profile_version_id=row.profile_version_id,
        label=row.label,
        address=row.address,
        serial=None,
        csr_der=row.csr_der,
    )
    with portal.stores.records.transaction() as transaction:
        transaction.add_audit(item.audit)


def rows(portal: Portal) -> tuple[int, int, int]:
    from certuary.store.models import Certificate, Enrolment

    return Certificate.objects.count(), Enrolment.objects.count(), len(portal.audit_kinds())
