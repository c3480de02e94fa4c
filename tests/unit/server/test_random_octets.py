from __future__ import annotations

from certuary.server.random_octets import RandomOctets


def test_no_octets_are_handed_out_twice() -> None:
    take = RandomOctets()
    taken = [take(12) for _ in range(2000)]
    assert len(set(taken)) == len(taken)
    assert {len(one) for one in taken} == {12}
