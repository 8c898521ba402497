"""The frames of a trial: what is written is read back, and what is cut short is no answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.log.record import Row
from broker.trial import frames
from tidegate.model.errors import Unavailable
from tidegate.model.impact import Impact


@given(st.integers(1, 2**62), st.text(min_size=1, max_size=30), st.integers(1, 2**31), st.binary(max_size=200))
def test_a_row_comes_back(offset: int, kind: str, version: int, payload: bytes) -> None:
    row = Row(offset, kind, version, 5, payload, 0, b"")
    assert frames.row_of(frames.row_bytes(row)) == (offset, kind, version, payload)


def test_answers_are_progress_or_the_impact() -> None:
    impact = Impact(("p@1",), 7, 2)
    assert frames.answer_of(frames.progress_bytes(41)) == 41
    assert frames.answer_of(frames.impact_bytes(impact)) == impact
    with pytest.raises(Unavailable):
        frames.answer_of(b"nonsense")
    head = frames.Head(9, 1, ("a", "b"), 3, 1, 8, rows=True)
    assert frames.head_of(frames.head_bytes(head)) == head
