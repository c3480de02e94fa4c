"""Change single values in a profile's TOML and leave the rest of the text as it is: order, blanks and comments.

    text + {"validity.lifetime": "30d"} -set_values-> text

Where that cannot be done (a table written as an inline one, say) the whole text is written anew, and the caller is told
that comments are gone.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from certuary.core.profile_config import KEYS, find_key_line, parse_profile
from certuary.errors import InvalidProfile

Value = str | bool | int | tuple[str, ...] | Mapping[str, str]
Values = Mapping[str, Value]

_ESCAPES: Final = {ord('"'): '\\"', ord("\\"): "\\\\"}

DEFAULTS: Final[Mapping[str, Value]] = {
    "description": "",
    "authority": "issuing",
    "est_default": False,
    "key_reuse": "allow",
    "unasked_extensions": "drop",
    "certificate_policies": (),
    "validity.backdate": "5m",
    "subject.required": (),
    "subject.optional": (),
    "subject.fixed": {},
    "subject.unlisted": "refuse",
    "subject.common_name": "free",
    "alternative_names.allow": (),
    "alternative_names.required": (),
    "alternative_names.max": 10,
    "alternative_names.wildcards": False,
    "basic_constraints.include": True,
    "basic_constraints.critical": True,
    "key_usage.critical": True,
    "extended_key_usage.critical": False,
    "pointers.crl": "auto",
    "pointers.ca": "auto",
}
"""What a key that is not there means; the parser says the same, and a test compares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """`kept_the_rest` is False when the text was written anew, without its comments."""

    toml: str
    kept_the_rest: bool


def read_values(toml_text: str) -> dict[str, Value]:
    """What the text says, by key, without defaults. `InvalidProfile` when it is no profile."""
    parse_profile(toml_text)
    return _flat(tomllib.loads(toml_text))


def set_values(toml_text: str, changes: Values) -> Written:
    """The text with these values. It must be a profile's."""
    before = read_values(toml_text)
    wanted = {**before, **changes}
    lines = toml_text.split("\n")
    for path, value in changes.items():
        if before.get(path) != value:
            lines = _with_value(lines, path, value)
    text = "\n".join(lines)
    if _reads_as(text, wanted):
        return Written(toml=text, kept_the_rest=True)
    return Written(toml=write_values(wanted), kept_the_rest=False)


def write_values(values: Values) -> str:
    """A profile's text in the order of `KEYS`."""
    blocks = []
    for table, keys in KEYS.items():
        lines = [
            f"{key} = {_written(values[path])}"
            for key in keys
            if (path := f"{table}.{key}" if table else key) in values
        ]
        if lines:
            blocks.append("\n".join([f"[{table}]", *lines] if table else lines))
    return "\n\n".join(blocks) + "\n"


def _flat(document: Mapping[str, object]) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for key, value in document.items():
        if isinstance(value, dict) and key in KEYS:
            values |= {f"{key}.{inner}": _plain(inner_value) for inner, inner_value in value.items()}
        else:
            values[key] = _plain(value)
    return values


def _plain(value: object) -> Value:
    if isinstance(value, list):
        return tuple(value)
    assert isinstance(value, str | bool | int | dict)
    return value


def _reads_as(text: str, wanted: Values) -> bool:
    try:
        return _flat(tomllib.loads(text)) == dict(wanted)
    except ValueError:
        return False


def _with_value(lines: list[str], path: str, value: Value) -> list[str]:
    table, _, key = path.rpartition(".")
    at = find_key_line(lines, path)
    if at is None:
        return _with_new_key(lines, table, f"{key} = {_written(value)}")
    stop = _end_of_value(lines, at)
    head = lines[at].partition("=")[0]
    comment = _comment(lines[at]) if stop == at + 1 else ""
    return [*lines[:at], f"{head.rstrip()} = {_written(value)}{comment}", *lines[stop:]]


def _end_of_value(lines: list[str], at: int) -> int:
    """A list may run over several lines: the value ends where it can be read."""
    for stop in range(at + 1, len(lines) + 1):
        if _is_toml("\n".join(lines[at:stop])):
            return stop
    return at + 1


def _comment(line: str) -> str:
    """What stands behind the value, with the blanks before it."""
    for at, character in enumerate(line):
        if character == "#" and _is_toml(line[:at]):
            return line[len(line[:at].rstrip()) :]
    return ""


def _with_new_key(lines: list[str], table: str, line: str) -> list[str]:
    """Behind the last line of its table that says something; a table that is missing goes to the end."""
    start = find_key_line(lines, table) if table else 0
    if start is None:
        end = _last_said(lines, 0, len(lines))
        return [*lines[:end], "", f"[{table}]", line, ""]
    stop = next(
        (number for number in range(start + bool(table), len(lines)) if lines[number].lstrip()[:1] == "["),
        len(lines),
    )
    end = _last_said(lines, start, stop)
    return [*lines[:end], line, *lines[end:]]


def _last_said(lines: list[str], start: int, stop: int) -> int:
    while stop > start and (not lines[stop - 1].strip() or lines[stop - 1].lstrip()[0] == "#"):
        stop -= 1
    return stop


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except ValueError:
        return False
    return True


def _written(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_quoted, value))}]"
    pairs = ", ".join(f"{key} = {_quoted(text)}" for key, text in value.items())
    return f"{{ {pairs} }}" if pairs else "{}"


def _quoted(text: str) -> str:
    if not text.isprintable():
        raise InvalidProfile("a text has characters that cannot be printed")
    return f'"{text.translate(_ESCAPES)}"'
