"""Summaries and digests of what went in and came out."""

import hashlib

import numpy as np
import pytest

from edge.serving.prediction import SUMMARY_ROWS, input_digest, summary
from tidegate.wire.tensors import Tensor


def test_scores_are_told_by_where_they_are_greatest_row_by_row() -> None:
    told = summary(Tensor("scores", np.array([[0.1, 0.7, 0.2], [0.5, 0.25, 0.25]], np.float32)))
    assert (told.name, told.datatype, list(told.shape)) == ("scores", "FP32", [2, 3])
    assert list(told.labels) == [1, 0]
    assert list(told.scores) == pytest.approx([0.7, 0.5])


def test_labels_are_told_themselves_and_no_more_than_the_bound() -> None:
    told = summary(Tensor("label", np.arange(40)))
    assert list(told.labels) == list(range(SUMMARY_ROWS))
    assert list(told.shape) == [40]
    assert not told.scores


def test_texts_are_cut() -> None:
    told = summary(Tensor("said", np.array([b"short", b"x" * 100], object)))
    assert list(told.texts) == [b"short", b"x" * 64]


@pytest.mark.parametrize("array", [np.zeros((0, 3), np.float32), np.float32(2.5).reshape(()), np.zeros((2, 0))])
def test_odd_shapes_are_told_too(array: np.ndarray) -> None:
    told = summary(Tensor("y", array))
    assert list(told.shape) == list(array.shape)
    assert len(told.labels) == (1 if array.size else 0)


def test_the_greatest_unsigned_numbers_keep_their_bits() -> None:
    assert list(summary(Tensor("y", np.array([2**64 - 1], np.uint64))).labels) == [-1]
    assert list(summary(Tensor("y", np.array([True, False]))).labels) == [1, 0]


def test_the_digest_is_of_names_types_shapes_and_bytes() -> None:
    array = np.arange(6, dtype=np.int16).reshape(2, 3)
    wanted = hashlib.sha256(b"x\0INT16\x002,3\0" + array.tobytes()).digest()
    assert input_digest([Tensor("x", array)]) == wanted
    assert input_digest([Tensor("x", array.reshape(3, 2))]) != wanted
    assert input_digest([Tensor("x", array.T.copy().T)]) == wanted
