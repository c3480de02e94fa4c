"""How a body is read: JSON that says it is, and nothing that JSON does not know."""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

from django.http import HttpRequest
from ninja.parser import Parser

from certuary.errors import UnsupportedMediaType

JSON: Final = "application/json"


class JsonParser(Parser):
    def parse_body(self, request: HttpRequest) -> Any:
        """`UnsupportedMediaType`; a `ValueError` for what is not JSON."""
        if request.content_type != JSON:
            raise UnsupportedMediaType(f"a body here is {JSON}")
        return json.loads(request.body, parse_constant=_refuse)


def _refuse(constant: str) -> NoReturn:
    """RFC 8259 section 6: neither NaN nor Infinity is a number."""
    raise ValueError(constant)
