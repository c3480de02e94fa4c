from __future__ import annotations

import pytest

from certuary.errors import Unavailable
from certuary.services.keys_in_flight import KeysInFlight


def test_a_key_is_certified_by_one_request_at_a_time() -> None:
    keys = KeysInFlight()
    keys.claim("key", "first")
    keys.claim("key", "first")
    with pytest.raises(Unavailable) as refused:
        keys.claim("key", "second")
    assert refused.value.rule == "key-in-flight"
    keys.release("second")
    with pytest.raises(Unavailable):
        keys.claim("key", "third")
    keys.release("first")
    keys.claim("key", "second")


def test_releasing_what_was_never_claimed_is_nothing() -> None:
    KeysInFlight().release("first")
