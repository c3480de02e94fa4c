"""The API's reference as a page of ours, made from its OpenAPI document: nothing is loaded from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from certuary.portal.api.build import openapi_document
from certuary.portal.api.callers import SIGNATURE_HEADER
from certuary.portal.api.tokens import SCOPES


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    name: str
    where: str
    kind: str
    required: bool
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An operation as the page shows it."""

    id: str
    method: str
    path: str
    summary: str
    words: str
    scope: str
    is_signed: bool
    fields: tuple[Field, ...]
    success: str
    answers: tuple[Field, ...]


def api_docs(request: HttpRequest) -> HttpResponse:
    """All operations in one list, and those of `subject` with all that they take and answer: together they would be too
    much for one page."""
    tags = operations_by_tag()
    subject = request.GET.get("subject", "")
    context = {
        "tags": tags,
        "subject": subject,
        "operations": dict(tags).get(subject, ()),
        "scopes": SCOPES.items(),
    }
    return render(request, "portal/api_docs.html", context)


def openapi_json(request: HttpRequest) -> HttpResponse:
    return HttpResponse(json.dumps(openapi_document(), indent=1), content_type="application/json")


@cache
def operations_by_tag() -> tuple[tuple[str, tuple[Shown, ...]], ...]:
    document: Mapping[str, Any] = openapi_document()
    found: dict[str, list[Shown]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            shown = _shown(path, method, operation, document["components"]["schemas"])
            found.setdefault(operation["tags"][0], []).append(shown)
    return tuple((tag, tuple(operations)) for tag, operations in found.items())


def _shown(path: str, method: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> Shown:
    return Shown(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        words=operation.get("description", ""),
        scope=operation["security"][0]["token"][0],
        is_signed=any(one["name"] == SIGNATURE_HEADER for one in operation.get("parameters", ())),
        fields=(*_parameters(operation), *_body(operation, schemas)),
        answers=tuple(_answer(operation, schemas)),
        success=", ".join(str(code) for code in operation["responses"] if str(code) < "300"),
    )


def _parameters(operation: Mapping[str, Any]) -> Iterable[Field]:
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "header":
            continue  # every change has the same two, which stand above
        yield Field(
            name=parameter["name"],
            where=parameter["in"],
            kind=_kind(parameter["schema"]),
            required=parameter["required"],
            words=parameter.get("description", "") or parameter["schema"].get("description", ""),
        )


def _body(operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterable[Field]:
    for media in operation.get("requestBody", {}).get("content", {}).values():
        yield from _fields(media["schema"], schemas, "body")


def _answer(operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterable[Field]:
    """Of a page the fields of what it lists."""
    done: Mapping[str, Any] = next(
        (answer for code, answer in operation["responses"].items() if str(code) in ("200", "201")), {}
    )
    schema = done.get("content", {}).get("application/json", {}).get("schema")
    if schema is None:
        return
    items = _resolved(schema, schemas)["properties"].get("items", {}).get("items")
    yield from _fields(items or schema, schemas, "each item" if items else "answer")


def _fields(schema: Mapping[str, Any], schemas: Mapping[str, Any], where: str) -> Iterable[Field]:
    resolved = _resolved(schema, schemas)
    for name, value in resolved["properties"].items():
        yield Field(
            name=name,
            where=where,
            kind=_kind(value),
            required=name in resolved.get("required", ()),
            words=value.get("description", ""),
        )


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return found


def _kind(schema: Mapping[str, Any]) -> str:
    return ", ".join(_kind_of(one) for one in schema.get("anyOf", [schema]) if one.get("type") != "null")


def _kind_of(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " or ".join(json.dumps(value) for value in schema["enum"])
    if "items" in schema:
        return f"list of {_kind_of(schema['items'])}"
    return str(schema.get("format") or schema.get("type", ""))
