from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certuary.errors import MalformedRequest
from certuary.services.process_report import MAX_PROBLEMS, ProcessReport, decode_report, encode_report


def test_many_problems_are_cut_with_a_count_of_the_rest() -> None:
    report = ProcessReport(
        role="est", pid=1, started_at=0, steady_at=0, problems=tuple("x" * 500 for _ in range(50))
    )
    decoded = decode_report(encode_report(report))
    assert len(decoded.problems) == MAX_PROBLEMS + 1
    assert decoded.problems[-1] == "and 30 more"
    assert len(decoded.problems[0]) == 300


def test_a_field_of_another_release_is_dropped() -> None:
    decoded = decode_report(b'{"role":"est","pid":1,"started_at":0,"steady_at":5,"new_field":1}')
    assert decoded.age_seconds(7) == 2


@given(st.binary(max_size=200))
def test_arbitrary_bytes_give_a_report_or_a_bad_request(encoded: bytes) -> None:
    try:
        decode_report(encoded)
    except MalformedRequest:
        return


@pytest.mark.parametrize("encoded", [b"[]", b"{}", b"null", b"7", b'{"role":"est"}'])
def test_json_that_is_not_a_report_is_refused(encoded: bytes) -> None:
    with pytest.raises(MalformedRequest):
        decode_report(encoded)
