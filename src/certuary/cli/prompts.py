"""Passwords from files, or from a person at a terminal; never from the command line, which others can read."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

from certuary.errors import InvalidValue

_LONGEST = 4096


def read_password_file(path: Path) -> str:
    """One line; the line break at its end does not count. `-` is standard input."""
    try:
        content = sys.stdin.buffer.read(_LONGEST + 1) if str(path) == "-" else _read(path)
        text = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise InvalidValue(f"{path} is not text", rule="password") from None
    if not text or "\n" in text or len(content) > _LONGEST:
        raise InvalidValue(f"{path} holds no password: one line is expected", rule="password")
    return text


def can_ask() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str) -> str:
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().rstrip("\n")


def ask_password(question: str) -> str:
    return getpass.getpass(question, stream=sys.stderr)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST + 1)
    except OSError as problem:
        raise InvalidValue(f"{path} cannot be read: {problem.strerror}", rule="password") from None
