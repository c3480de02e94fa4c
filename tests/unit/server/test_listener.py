"""The caps on connections."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, cast

import pytest

from certuary.core.values import fold_address
from certuary.server.listener import Listener


class Connection:
    def __init__(self, address: str) -> None:
        self.address = fold_address(address)


@pytest.mark.parametrize(
    ("first", "second", "admitted"),
    [
        ("192.0.2.1", "192.0.2.1", False),
        ("192.0.2.1", "192.0.2.2", True),
        ("192.0.2.1", "::ffff:192.0.2.1", False),
        ("2001:db8::1", "2001:db8::ffff:2", False),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", True),
    ],
)
def test_one_household_has_its_share_and_gives_it_back(first: str, second: str, admitted: bool) -> None:
    loop = asyncio.new_event_loop()
    listener = Listener(
        loop=loop,
        context=cast(Any, None),
        new_http=cast(Any, None),
        counters=Counter(),
        max_connections=10,
        max_connections_per_address=1,
    )
    one, other = cast(Any, Connection(first)), cast(Any, Connection(second))
    assert listener.admit(one)
    assert listener.admit(other) is admitted
    listener.release(one)
    listener.release(other)
    assert listener.admit(other)
    loop.close()
