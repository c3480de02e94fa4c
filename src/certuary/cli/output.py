"""What commands print: data on stdout, as text or JSON; everything else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from certuary.cli.invocation import Invocation
from certuary.services.first_start import write_file

Item = Mapping[str, object]


def emit(invocation: Invocation, data: object, text: str) -> None:
    if invocation.as_json:
        sys.stdout.write(json.dumps(data, indent=2, default=plain) + "\n")
    elif text:
        sys.stdout.write(text.rstrip("\n") + "\n")


def emit_items(invocation: Invocation, items: Iterable[Item], columns: Sequence[str]) -> None:
    """A list: every key as JSON, the chosen columns as a table."""
    found = list(items)
    emit(invocation, found, table(columns, found))


def emit_item(invocation: Invocation, item: Item) -> None:
    width = max((len(key) for key in item), default=0)
    lines = (f"{key:<{width}}  {cell(value)}".rstrip() for key, value in item.items())
    emit(invocation, item, "\n".join(lines))


def table(columns: Sequence[str], items: Sequence[Item]) -> str:
    rows = [[column.replace("_", " ").upper() for column in columns]]
    rows += [[cell(item.get(column)) for column in columns] for item in items]
    widths = [max(len(row[index]) for row in rows) for index in range(len(columns))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def cell(value: object) -> str:
    """A value for people. Names came from strangers, so nothing unprintable reaches the terminal."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return moment_text(value)
    if isinstance(value, list | tuple):
        return ", ".join(cell(part) for part in value) or "-"
    return "".join(character if character.isprintable() else "\ufffd" for character in str(value)) or "-"


def moment_text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def plain(value: object) -> object:
    """What JSON has no form for."""
    if isinstance(value, datetime):
        return moment_text(value)
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    return str(value)


def note(text: str) -> None:
    sys.stderr.write(text + "\n")


def warn(texts: Iterable[str]) -> None:
    for text in texts:
        note(f"warning: {text}")


def progress() -> Callable[[str], None]:
    """Tells the steps of long work on a terminal, and nothing in a pipe."""
    return note if sys.stderr.isatty() else _say_nothing


def _say_nothing(step: str) -> None:
    return None


def write_export(content: bytes, out: Path | None) -> None:
    """To a file, or to stdout as it is; `--json` changes nothing about what is exported."""
    if out is not None:
        write_file(out, content, mode=0o644)
        return
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
