"""Octets that are nearly right: what a parser is most easily surprised by."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

Edit = tuple[str, int, bytes]

_EDITS: SearchStrategy[Edit] = st.tuples(
    st.sampled_from(["replace", "insert", "delete", "cut", "double"]),
    st.integers(min_value=0, max_value=4095),
    st.binary(min_size=1, max_size=6),
)


def nearly(originals: Sequence[bytes]) -> SearchStrategy[bytes]:
    """One of these with a few places changed."""
    return st.builds(_edited, st.sampled_from(originals), st.lists(_EDITS, max_size=4))


def anything_or_nearly(originals: Sequence[bytes]) -> SearchStrategy[bytes]:
    return st.one_of(st.binary(max_size=300), nearly(originals))


def _edited(original: bytes, edits: list[Edit]) -> bytes:
    octets = original
    for kind, place, new in edits:
        at = place % (len(octets) + 1)
        if kind == "replace":
            octets = octets[:at] + new + octets[at + len(new) :]
        elif kind == "insert":
            octets = octets[:at] + new + octets[at:]
        elif kind == "delete":
            octets = octets[:at] + octets[at + len(new) :]
        elif kind == "cut":
            octets = octets[:at]
        else:
            octets += octets[at:]
    return octets
