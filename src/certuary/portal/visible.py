"""Text of strangers, made safe to read: characters that cannot be seen, or that turn what follows around, are named."""

from __future__ import annotations

import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def visible(text: str) -> str:
    """A right-to-left override becomes the text U+202E between small angle brackets. Escaping for HTML comes after."""
    return "".join(_named(character) for character in text)


def _named(character: str) -> str:
    if character.isascii() and character.isprintable():
        return character
    if unicodedata.category(character) in _HIDDEN:
        return f"\u2039U+{ord(character):04X}\u203a"
    return character
