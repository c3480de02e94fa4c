"""The REST API under `/api/v1`: its parts, its errors, and its description as OpenAPI 3.1."""

from __future__ import annotations

from typing import Any, Final

from ninja import NinjaAPI
from ninja.operation import Operation

from certuary import __version__
from certuary.portal.api import (
    applications,
    approvals,
    audit,
    authorities,
    certificates,
    groups,
    overview,
    own_tokens,
    profiles,
    properties,
    refusals,
    seals,
    users,
)
from certuary.portal.api.answers import Event, KeptChange
from certuary.portal.api.callers import SIGNATURE_HEADER, nobody
from certuary.portal.api.idempotency import HEADER
from certuary.portal.api.parser import JSON, JsonParser
from certuary.portal.api.problems import CONTENT_TYPE, handle_errors
from certuary.portal.api.second_person import KEPT

_ERRORS: Final = {
    "400": "malformed",
    "401": "no valid token",
    "403": "not allowed to this token, or not signed",
    "404": "not there, or of another group",
    "409": "in conflict with what is there",
    "413": "a body larger than 512 KiB",
    "415": "a body that is not said to be application/json",
    "422": "a value is not accepted",
    "429": "too many failures; Retry-After says when",
    "500": "something unexpected; the log has the story under the request's identifier",
    "503": "not now; Retry-After says when",
}

_READING: Final = frozenset({"check_profile", "try_request"})
"""They take a body and change nothing: no signature, no idempotency key."""
_SCHEME: Final = "token"
_TOKEN: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "begins with cty_; made in the portal, at API tokens, with the scopes that each operation names",
}

ROUTERS: Final = {
    "/applications": applications.router,
    "/approvals": approvals.router,
    "/certificates": certificates.router,
    "/profiles": profiles.profiles,
    "/profile-checks": profiles.checks,
    "/labels": profiles.labels,
    "/groups": groups.router,
    "/properties": properties.router,
    "/authorities": authorities.router,
    "/users": users.router,
    "/refusals": refusals.router,
    "/dry-runs": refusals.dry_runs,
    "/audit": audit.router,
    "/seals": seals.router,
    "/statistics": overview.statistics,
    "/nodes": overview.nodes,
    "/search": overview.search,
    "/tokens": own_tokens.router,
}


_ACCEPTED: Final = "it takes two persons: it was kept, and Location says where a second one approves it"


class _Api(NinjaAPI):
    def get_openapi_operation_id(self, operation: Operation) -> str:
        """What a generated client calls it."""
        return operation.view_func.__name__

    def get_content_type(self) -> str:
        """RFC 8259 section 11: it has no parameter, as JSON is UTF-8."""
        return JSON


def build_api() -> NinjaAPI:
    api = _Api(
        title="Certuary",
        version=__version__,
        description="What the portal does, for scripts. Every error is a problem document (RFC 9457).",
        urls_namespace="api-v1",
        docs_url=None,
        openapi_url=None,
        auth=nobody,
        parser=JsonParser(),
        servers=[{"url": "/", "description": "this portal"}],
    )
    handle_errors(api)
    for path, router in ROUTERS.items():
        api.add_router(path, router)
    return api


def describe(document: dict[str, Any]) -> dict[str, Any]:
    """The generated document, and what operations have in common: their scope, errors, and the headers of a change."""
    for operations in document["paths"].values():
        for method, operation in operations.items():
            scope = operation.pop("x-scope")
            operation["security"] = [{_SCHEME: [scope]}]
            operation["responses"] |= {code: _problem(words) for code, words in _ERRORS.items()}
            if method != "get" and operation["operationId"] not in _READING:
                operation.setdefault("parameters", []).extend(_change_headers())
            if operation["operationId"] in KEPT:
                operation["responses"]["202"] = _accepted()
    components = document["components"]
    components["schemas"] |= {
        "Problem": _PROBLEM,
        "Event": Event.model_json_schema(mode="serialization"),
        "KeptChange": KeptChange.model_json_schema(mode="serialization"),
    }
    components["securitySchemes"] = {_SCHEME: _TOKEN}
    return document


def _problem(words: str) -> dict[str, object]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": words, "content": {CONTENT_TYPE: {"schema": schema}}}


def _accepted() -> dict[str, object]:
    schema = {"$ref": "#/components/schemas/KeptChange"}
    return {"description": _ACCEPTED, "content": {JSON: {"schema": schema}}}


def _change_headers() -> list[dict[str, object]]:
    text = {"type": "string"}
    return [
        {
            "name": SIGNATURE_HEADER,
            "in": "header",
            "required": True,
            "description": "base64 of the user's name, a colon and the password, which unwraps the key that signs",
            "schema": text,
        },
        {
            "name": HEADER,
            "in": "header",
            "required": False,
            "description": "repeated within 24 hours, the request is done once and answered the same",
            "schema": {**text, "maxLength": 255},
        },
    ]


_PROBLEM: Final = {
    "type": "object",
    "title": "Problem",
    "required": ["type", "title", "status", "detail", "instance", "rule", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri"},
        "rule": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}

API: Final = build_api()


def openapi_document() -> dict[str, Any]:
    return describe(dict(API.get_openapi_schema(path_prefix="api/v1")))
