"""Packed bits and numbers come back as they went in, whoever packed them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from placement import explain, recording
from tidegate.model.packed import count_zeros, pack_bits, pack_numbers, unpack_bits, unpack_numbers, zeros

bounds = st.sampled_from((1, 2**8, 2**16, 2**32, 2**63 - 1))


@given(st.lists(st.booleans(), max_size=40))
def test_bits_come_back(truths: list[bool]) -> None:
    bits = pack_bits(truths)
    assert unpack_bits(bits, len(truths)) == tuple(truths)
    assert zeros(bits, len(truths)) == tuple(row for row, truth in enumerate(truths) if not truth)
    assert count_zeros(bits, len(truths)) == truths.count(False)
    assert explain.pack_bits(np.array(truths, dtype=np.bool_)) == bits


@given(bounds.flatmap(lambda most: st.lists(st.integers(0, most) | st.just(0), max_size=20)), st.booleans())
def test_numbers_come_back_at_the_least_width(numbers: list[int], below: bool) -> None:
    numbers = [-number for number in numbers] if below else numbers
    data = pack_numbers(numbers)
    assert unpack_numbers(data, len(numbers)) == tuple(numbers)
    assert recording.pack_numbers(np.array(numbers, dtype=np.int64)) == data


def test_bytes_that_are_not_so_many_numbers_are_said_so() -> None:
    with pytest.raises(ValueError, match="3 bytes are not 2 numbers"):
        unpack_numbers(b"abc", 2)
