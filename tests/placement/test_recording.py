"""What machine code packs is what the model packs (for columns of numbers see `test_packed`)."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from placement import recording
from tidegate.model import packed

MOST = 2**63 - 1


@given(st.integers(0, MOST), st.integers(0, 40))
def test_one_number_many_times_is_a_column_of_it(number: int, count: int) -> None:
    assert recording.pack_same(number, count) == packed.pack_numbers([number] * count)


@given(st.lists(st.integers(0, 300), max_size=60))
def test_values_that_no_row_has_are_left_out(codes: list[int]) -> None:
    present, told = recording.pack_used(301, np.array(codes, dtype=np.int64))
    some = sorted(set(codes))
    assert present.nonzero()[0].tolist() == some
    assert told == packed.pack_numbers([some.index(code) for code in codes])
