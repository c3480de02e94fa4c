"""Every operation of the API, from its OpenAPI document: who is kept out, and that nothing odd takes one down."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from certuary.services.entitlement import ADMINISTRATOR, AUDITOR, CA_ADMINISTRATOR, OFFICER
from tests.wire.portal.pages import Portal, PortalClient
from tests.wire.portal.sites import APPLICATION, COMMON_NAME, USER, Foreign, make_foreign
from tests.wire.portal.test_api import Script, script_of

DOCUMENTATION: Final = Path(__file__).parents[3] / "docs" / "api.md"
LARGE: Final = 9**40
NOT_THERE: Final = ("forget_sealed_record", "delete_label")
"""What these would change is in no group's data here."""
SHARED: Final = {"profiles", "labels", "properties", "authorities"}
"""What belongs to no group."""
ODD_TEXTS: Final = (
    "",
    "\0",
    "x" * 5000,
    "../..",
    "%",
    "' OR 1=1 --",
    "\u202e\u200b",
    "\ud800",
    "-1",
    str(LARGE),
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59+00:00",
    "0001-01-01T00:00:00+12:00",
    "9999-12-31T23:59:59-12:00",
    "GRP_002",
    "\n",
)
ODD_VALUES: Final[tuple[object, ...]] = (
    *ODD_TEXTS,
    None,
    True,
    -1,
    LARGE,
    1e300,
    [],
    [[]],
    ["\0"],
    {},
    {"x": 1},
)
ODD_BODIES: Final = (
    b"\xff\xfe",
    b"{",
    b"[]",
    b"null",
    b'"text"',
    b"1" * 6000,
    b'{"name": NaN}',
    b"[" * 100_000,
    b'{"name": "\\ud800"}',
    b"x" * 600_000,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    name: str
    method: str
    path: str
    summary: str
    scope: str
    parameters: tuple[Mapping[str, Any], ...]
    body: Mapping[str, Any] | None

    @property
    def changes(self) -> bool:
        return any(one["name"] == "Certuary-Sign" for one in self.parameters)

    @property
    def subject(self) -> str:
        return self.path.split("/")[3]

    def url(self, values: Mapping[str, object]) -> str:
        path = self.path.removeprefix("/api/v1")
        for one in self.parameters:
            if one["in"] == "path":
                value = str(values.get(one["name"], "1"))
                path = path.replace(f"{{{one['name']}}}", quote(value, safe="", errors="surrogatepass"))
        return path


def operations() -> tuple[Operation, ...]:
    from certuary.portal.api.build import openapi_document

    document = openapi_document()
    return tuple(
        Operation(
            name=operation["operationId"],
            method=method.upper(),
            path=path,
            summary=operation["summary"],
            scope=operation["security"][0]["token"][0],
            parameters=tuple(operation.get("parameters", ())),
            body=_body(operation, document["components"]["schemas"]),
        )
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )


def _body(operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any] | None:
    content = operation.get("requestBody", {}).get("content")
    if content is None:
        return None
    reference: str = content["application/json"]["schema"]["$ref"]
    found: Mapping[str, Any] = schemas[reference.rpartition("/")[2]]
    return found


OPERATIONS: Final = operations()


@pytest.fixture
def foreign(portal: Portal) -> Foreign:
    return make_foreign(portal)


def good_body(operation: Operation) -> dict[str, object] | None:
    """One that the schema takes."""
    known: dict[str, object] = {
        "name": "third",
        "username": "third",
        "profile": "network-gear",
        "toml": "name = 1",
        "value": "GRP_001",
        "role": "officer",
        "groups": ["GRP_001"],
        "since": "2026-01-01T00:00:00Z",
        "csr": "x",
        "application": APPLICATION,
        "address": "10.0.0.7",
        "digest": "0" * 64,
        "reason": "not now",
    }
    if operation.body is None:
        return None
    return {name: known[name] for name in operation.body.get("required", ())}


def call(
    script: Script, operation: Operation, values: Mapping[str, object], *, sign: bool = True, **more: Any
) -> Any:
    body = more.pop("body", good_body(operation))
    return script.call(operation.method, operation.url(values), body, sign=sign, **more)


def foreign_values(foreign: Foreign, operation: Operation) -> Mapping[str, object]:
    """What group GRP_002 has, by the parameters of this operation; nothing where it names none of a group's things."""
    by_subject: dict[str, Mapping[str, object]] = {
        "approvals": {"name": foreign.approval.values["name"]},
        "applications": {"name": APPLICATION},
        "certificates": {"serial": foreign.certificate["serial"], "form": "pem"},
        "groups": {"code": "GRP_002"},
        "users": {"name": USER},
        "refusals": {"request_id": foreign_request_id(foreign)},
        "audit": {"number": foreign.event["number"]},
        "seals": {"kind": "application", "number": foreign.application.id},
        "tokens": {"number": own_token()},
    }
    if any(one["in"] == "path" for one in operation.parameters):
        assert operation.subject in by_subject or operation.subject in SHARED, operation.path
    return by_subject.get(operation.subject, {})


def foreign_request_id(foreign: Foreign) -> object:
    from tests.wire.portal.sites import KINDS

    return KINDS["refusal"](foreign)["request_id"]


def own_token() -> int:
    """The first one that was made: the CA Administrator's."""
    from certuary.portal.models import ApiToken

    return int(ApiToken.objects.order_by("id").values_list("id", flat=True)[0])


def events() -> int:
    from certuary.store.models import AuditEvent

    return AuditEvent.objects.count()


def test_no_operation_answers_without_a_token(portal: Portal) -> None:
    from certuary.portal.api.failures import FAILURES

    for operation in OPERATIONS:
        FAILURES.forget()
        answer = PortalClient().generic(operation.method, "/api/v1" + operation.url({}), b"{}")
        assert answer.status_code == 401, operation.name
        assert json.loads(answer.content)["rule"] == "not-authenticated"


def test_no_operation_answers_a_token_without_its_scope(portal: Portal) -> None:
    from certuary.portal.api.tokens import SCOPES

    without = {scope: script_of(portal, CA_ADMINISTRATOR, (), *(set(SCOPES) - {scope})) for scope in SCOPES}
    assert {operation.scope for operation in OPERATIONS} == set(SCOPES)
    for operation in OPERATIONS:
        answer = call(without[operation.scope], operation, {})
        assert answer.status_code == 403, operation.name
        assert answer.json()["rule"] == "api-scope", operation.name


@pytest.mark.parametrize("role", [ADMINISTRATOR, OFFICER, AUDITOR])
def test_no_operation_tells_what_another_group_has(portal: Portal, foreign: Foreign, role: str) -> None:
    script_of(portal)
    own = script_of(portal, role, ("GRP_001",))
    theirs = (foreign.application, foreign.user, foreign.group)
    before = [portal.stores.records.find(record.kind, id=record.id) for record in theirs]
    for operation in OPERATIONS:
        values = foreign_values(foreign, operation)
        answer = call(own, operation, values)
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content
        asked = [str(value) for value in values.values()]
        names = [name for name in (APPLICATION, USER, COMMON_NAME) if name not in asked]
        if values and any(one["in"] == "path" for one in operation.parameters):
            assert answer.status_code in (403, 404), (operation.name, answer.content)
        # A dry run says that there is no application of the name that was asked for.
        if operation.name != "try_request":
            assert not [name for name in names if name.encode() in content], operation.name
    assert before == [portal.stores.records.find(record.kind, id=record.id) for record in theirs]


def portal_state(portal: Portal, kind: Any) -> list[object]:
    return [(record.id, record.version) for record in portal.stores.records.all(kind)]


@pytest.mark.parametrize("role", [ADMINISTRATOR, OFFICER, AUDITOR])
def test_what_is_absent_and_what_is_another_group_s_are_answered_alike(
    portal: Portal, foreign: Foreign, role: str
) -> None:
    script_of(portal)
    own = script_of(portal, role, ("GRP_001",))
    for operation in OPERATIONS:
        values = foreign_values(foreign, operation)
        if (
            operation.method != "GET"
            or not any(one["in"] == "path" for one in operation.parameters)
            or not values
        ):
            continue
        absent = {**values, **ABSENT, "form": "pem", "kind": "application"}
        theirs, nowhere = call(own, operation, values), call(own, operation, absent)
        assert theirs.status_code == nowhere.status_code, operation.name
        assert told(theirs, values) == told(nowhere, absent), operation.name


ABSENT: Final = {
    "name": "nobody",
    "serial": "0" * 30 + "1",
    "code": "GRP_099",
    "request_id": "e" * 32,
    "number": 10**9,
}


def told(answer: Any, values: Mapping[str, object]) -> str:
    detail: str = answer.json()["detail"]
    for name, value in values.items():
        detail = detail if name in ("form", "kind") else detail.replace(str(value), "X")
    return detail


def test_no_change_is_made_without_the_password(portal: Portal, foreign: Foreign) -> None:
    script = script_of(portal)
    before, kinds = events(), ("application", "user", "group", "label", "profile", "property")
    state = {kind: portal_state(portal, kind) for kind in kinds}
    changing = [operation for operation in OPERATIONS if operation.changes]
    assert len(changing) > 20
    for operation in changing:
        values = dict(foreign_values(foreign, operation))
        if operation.name == "adopt_sealed_record":
            portal.execute("UPDATE applications SET networks = '[]', version = version")
            portal.execute("UPDATE applications SET subject_rule = 'CN=x' WHERE name = %s", APPLICATION)
        answer = call(script, operation, values, sign=False)
        assert answer.status_code in (403, 404), (operation.name, answer.content)
        if answer.status_code == 403:
            assert answer.json()["rule"] == "signature-required", operation.name
        else:  # what is not there needs no signature
            assert operation.name in NOT_THERE, operation.name
    assert events() == before
    assert state == {kind: portal_state(portal, kind) for kind in kinds}


def test_odd_bodies_are_answered_with_a_problem(portal: Portal) -> None:
    script = script_of(portal)
    for operation in OPERATIONS:
        if operation.body is None:
            continue
        for body in ODD_BODIES:
            answer = raw(script, operation, {}, body)
            expected = (413,) if len(body) > 512 * 1024 else (400, 422)
            assert answer.status_code in expected, (operation.name, body[:40], answer.content)
            assert answer["Content-Type"] == "application/problem+json"
        answer = raw(script, operation, {}, b"{}", content_type="text/plain")
        assert answer.status_code == 415, operation.name


def raw(
    script: Script,
    operation: Operation,
    values: Mapping[str, object],
    body: bytes,
    content_type: str = "application/json",
) -> Any:
    return PortalClient().generic(
        operation.method,
        "/api/v1" + operation.url(values),
        body,
        content_type=content_type,
        headers={"authorization": f"Bearer {script.token}"},
    )


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_odd_values_take_nothing_down(portal: Portal, operation: Operation) -> None:
    script = script_of(portal)
    for url, body in odd_requests(operation):
        call_oddly(script, operation, url, body)


def call_oddly(script: Script, operation: Operation, url: str, body: object) -> None:
    """Signed only where that is all that is missing: a signature costs more than the rest."""
    answer = script.call(operation.method, url, body)
    if answer.status_code == 403 and answer.json()["rule"] == "signature-required":
        answer = script.call(operation.method, url, body, sign=True)
    assert answer.status_code < 500, (operation.name, url[:200], str(body)[:200])
    if answer.status_code >= 400:
        assert answer["Content-Type"] == "application/problem+json", (url[:200], answer.content[:200])


def odd_requests(
    operation: Operation, odd_values: Sequence[object] = ODD_VALUES
) -> Iterator[tuple[str, object]]:
    """One odd value at a time: in the path, in the query, in the body."""
    body = good_body(operation)
    texts = [odd for odd in odd_values if isinstance(odd, str)]
    for one in operation.parameters:
        for text in texts:
            if one["in"] == "path":
                yield operation.url({one["name"]: text or "x"}), body
            elif one["in"] == "query":
                value = quote(text, safe="", errors="surrogatepass")
                yield f"{operation.url({})}?{one['name']}={value}", body
    for name in (operation.body or {}).get("properties", ()):
        for odd in odd_values:
            yield operation.url({}), {**(body or {}), name: odd}
    if operation.body is not None:
        yield operation.url({}), {**(body or {}), "unknown": 1}


def test_the_documentation_lists_every_operation_with_its_scope() -> None:
    """`WRITE_DOCS=1` writes the table."""
    before, heading, _ = DOCUMENTATION.read_text().partition("## Every operation\n")
    lines = [f"| `{one.method} {one.path}` | {one.summary} | `{one.scope}` |" for one in OPERATIONS]
    table = "\n".join(["| operation | does | scope |", "|---|---|---|", *lines])
    expected = f"{before}{heading}\n{table}\n"
    if os.environ.get("WRITE_DOCS"):
        DOCUMENTATION.write_text(expected)
    assert DOCUMENTATION.read_text() == expected


def test_the_description_is_valid_openapi_3_1() -> None:
    from certuary.portal.api.build import openapi_document

    document = json.loads(json.dumps(openapi_document()))
    found = [
        f"{list(error.absolute_path)}: {error.message}"
        for error in OpenAPIV31SpecValidator(document).iter_errors()
    ]
    assert found == []


def test_the_description_is_one_that_a_client_can_be_made_of() -> None:
    """What generators ask beyond OpenAPI 3.1."""
    from certuary.portal.api.build import openapi_document

    document = json.loads(json.dumps(openapi_document()))
    assert set(document["components"]["securitySchemes"]) == {"token"}
    for path, methods in document["paths"].items():
        templated = set(re.findall(r"{(\w+)}", path))
        for method, operation in methods.items():
            named = [(one["in"], one["name"]) for one in operation["parameters"]]
            assert len(named) == len(set(named)), path
            assert {name for where, name in named if where == "path"} == templated, path
            assert all("schema" in one for one in operation["parameters"])
            done = {code: answer for code, answer in operation["responses"].items() if code < "300"}
            assert done, (method, path)
            for code, answer in operation["responses"].items():
                assert re.fullmatch(r"[2-5]\d\d", code)
                assert answer["description"]
            if "204" not in done:
                assert all(answer["content"] for answer in done.values()), (method, path)
    for name, schema in document["components"]["schemas"].items():
        assert schema["type"] == "object", name
        assert schema["properties"], name
