"""The REST API under `/api/v1`: its parts, its errors, and its description as OpenAPI 3.1."""

from __future__ import annotations

from typing import Final

from ninja import NinjaAPI

from certuary import __version__
from certuary.portal.api import applications, certificates, records
from certuary.portal.api.callers import SIGNATURE_HEADER, TokenAuth
from certuary.portal.api.idempotency import HEADER
from certuary.portal.api.problems import CONTENT_TYPE, handle_errors

_ERRORS: Final = {
    "400": "malformed",
    "401": "no valid token",
    "403": "not allowed to this token, or not signed",
    "404": "not there, or of another group",
    "409": "in conflict with what is there",
    "413": "the body is too large",
    "422": "a value is not accepted",
    "429": "too many failures; Retry-After says when",
    "503": "not now; Retry-After says when",
}


def build_api() -> NinjaAPI:
    api = NinjaAPI(
        title="Certuary",
        version=__version__,
        description="What the portal does, for scripts. Every error is a problem document (RFC 9457).",
        urls_namespace="api-v1",
        docs_url=None,
        openapi_url=None,
        auth=TokenAuth(),
        servers=[{"url": "/", "description": "this portal"}],
    )
    handle_errors(api)
    api.add_router("/applications", applications.router)
    api.add_router("/certificates", certificates.router)
    for path, router in records.ROUTERS.items():
        api.add_router(path, router)
    return api


def describe(document: dict[str, object]) -> dict[str, object]:
    """The generated document, and what every operation has in common: its errors, and the headers of a change."""
    paths = document["paths"]
    assert isinstance(paths, dict)
    for operations in paths.values():
        for method, operation in operations.items():
            operation["responses"] |= {code: _problem(words) for code, words in _ERRORS.items()}
            if method != "get":
                operation.setdefault("parameters", []).extend(_change_headers())
    components = document["components"]
    assert isinstance(components, dict)
    components["schemas"]["Problem"] = _PROBLEM
    return document


def _problem(words: str) -> dict[str, object]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": words, "content": {CONTENT_TYPE: {"schema": schema}}}


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


def openapi_document() -> dict[str, object]:
    return describe(dict(API.get_openapi_schema(path_prefix="api/v1")))
