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
    fields: tuple[Field, ...]
    success: str


def api_docs(request: HttpRequest) -> HttpResponse:
    context = {"tags": operations_by_tag(), "scopes": SCOPES.items(), "base": f"https://{request.get_host()}"}
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
        fields=(*_parameters(operation), *_body(operation, schemas)),
        success=", ".join(str(code) for code in operation["responses"] if str(code) < "300"),
    )


def _parameters(operation: Mapping[str, Any]) -> Iterable[Field]:
    for parameter in operation.get("parameters", ()):
        yield Field(
            name=parameter["name"],
            where=parameter["in"],
            kind=_kind(parameter["schema"]),
            required=parameter["required"],
            words=parameter.get("description", "") or parameter["schema"].get("description", ""),
        )


def _body(operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterable[Field]:
    content = operation.get("requestBody", {}).get("content", {})
    for media in content.values():
        schema = schemas[media["schema"]["$ref"].rpartition("/")[2]]
        for name, value in schema["properties"].items():
            yield Field(
                name=name,
                where="body",
                kind=_kind(value),
                required=name in schema.get("required", ()),
                words=value.get("description", ""),
            )


def _kind(schema: Mapping[str, Any]) -> str:
    kinds = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    words = (
        f"list of {one['items']['type']}" if "items" in one else str(one.get("type", "")) for one in kinds
    )
    return ", ".join(words)
