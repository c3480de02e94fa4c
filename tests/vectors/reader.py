"""Read a vector: header lines, an empty line, then base64."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    name: str
    kind: str
    expect: str
    origin: str
    base64_text: bytes

    @property
    def der(self) -> bytes:
        return base64.b64decode(self.base64_text)


def load(name: str) -> Vector:
    head, _, body = (_FOLDER / f"{name}.vector").read_text().partition("\n\n")
    fields = dict(line.split(": ", 1) for line in head.splitlines())
    return Vector(name=name, base64_text=body.encode(), **fields)


def load_all(kind: str) -> Iterator[Vector]:
    for path in sorted(_FOLDER.glob("*.vector")):
        vector = load(path.stem)
        if vector.kind == kind:
            yield vector
