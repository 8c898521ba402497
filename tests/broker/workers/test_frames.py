"""Frames: what is written is read back, at once or one by one, and what is cut short is none."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.workers.frames import LENGTH, MOST_BYTES, MOST_FRAMES, frame_from, framed, joined, parts_of
from tidegate.model.errors import Unavailable


@given(st.lists(st.binary(max_size=50), max_size=6))
def test_frames_come_back_at_once_and_one_by_one_and_then_nothing(parts: list[bytes]) -> None:
    assert parts_of(joined(parts)) == parts
    stream = io.BytesIO(joined(parts))
    assert [frame_from(stream) for _ in parts] == parts
    assert frame_from(stream) is None


@given(st.lists(st.binary(max_size=40), max_size=3), st.binary(max_size=40), st.data())
def test_what_is_cut_short_is_no_frame(before: list[bytes], last: bytes, draw: st.DataObject) -> None:
    cut = framed(last)[: draw.draw(st.integers(1, len(last) + LENGTH.size - 1))]
    with pytest.raises(Unavailable):
        frame_from(io.BytesIO(cut))
    with pytest.raises(Unavailable):
        parts_of(joined(before) + cut)


def test_too_long_and_too_many_are_refused_before_anything_is_kept():
    with pytest.raises(Unavailable):
        frame_from(io.BytesIO(LENGTH.pack(MOST_BYTES + 1)))
    with pytest.raises(Unavailable):
        parts_of(framed(b"") * (MOST_FRAMES + 1))
