"""Whether an answer of the API is one that its OpenAPI document describes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from openapi_schema_validator import OAS31Validator


def assert_described(method: str, url: str, answer: Any) -> None:
    """Nothing is said of a method or an address that the document does not have: 404, 405."""
    operation = _operation(method.lower(), urlsplit(url).path)
    if operation is None:
        assert answer.status_code in (404, 405, 422), (method, url, answer.status_code)
        return
    described = operation["responses"].get(str(answer.status_code))
    assert described is not None, (
        f"{operation['operationId']} answers {answer.status_code}, which nothing describes"
    )
    wrong = list(_differences(described, answer))
    assert not wrong, f"{operation['operationId']}, {answer.status_code}: {wrong}"


def _differences(described: Mapping[str, Any], answer: Any) -> Iterator[str]:
    content = described.get("content", {})
    if not content:
        if answer.content:
            yield "a body that is not described"
        return
    media_type = answer["Content-Type"]
    if media_type not in content:
        yield f"{media_type} is none of {sorted(content)}"
    elif media_type.endswith("json"):
        validator = _validator(json.dumps(content[media_type]["schema"]))
        for error in validator.iter_errors(json.loads(answer.content)):
            yield f"{list(error.absolute_path)}: {error.message[:200]}"


def _operation(method: str, path: str) -> Mapping[str, Any] | None:
    for pattern, operations in _patterns():
        if pattern.fullmatch(path) and method in operations:
            found: Mapping[str, Any] = operations[method]
            return found
    return None


@cache
def _document() -> Mapping[str, Any]:
    """Stricter than it is: clients are to expect fields that come later, but none may come unsaid."""
    from certuary.portal.api.build import openapi_document

    document: Mapping[str, Any] = json.loads(json.dumps(openapi_document()))
    for schema in document["components"]["schemas"].values():
        schema.setdefault("additionalProperties", False)
    return document


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], Mapping[str, Any]], ...]:
    """Those without parameters first: `/audit/export` is no event's number."""
    paths = sorted(_document()["paths"].items(), key=lambda item: item[0].count("{"))
    return tuple((re.compile(re.sub(r"{\w+}", "[^/]+", path)), operations) for path, operations in paths)


@cache
def _validator(schema: str) -> OAS31Validator:
    return OAS31Validator({**json.loads(schema), "components": _document()["components"]})
