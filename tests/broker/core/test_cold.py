"""A dictionary whose values may be bytes that nobody has read yet: nobody can tell."""

import json

import pytest

from broker.core.cold import Cold


def _thaw(data):
    return json.loads(data)


@pytest.fixture
def cold():
    held = Cold({"a": [1], "b": [2]})
    held.keep("b", b"[2]", _thaw)
    held.keep("c", b"[3]", _thaw)
    return held


def test_it_reads_as_the_dictionary_of_its_values(cold):
    plain = {"a": [1], "b": [2], "c": [3]}
    assert cold == plain and plain == cold
    assert (cold != plain) is False
    assert [*cold] == ["a", "b", "c"]
    assert [*cold.values()] == [[1], [2], [3]] and [*cold.items()] == [*plain.items()]
    assert dict(cold) == {**cold} == plain
    assert cold.get("c") == [3] and cold.get("x") is None and cold.get("x", 7) == 7
    assert cold != {"a": [1]} and cold != {**plain, "c": [4]}
    assert cold.pop("c") == [3] and cold.pop("c", None) is None


def test_bytes_are_kept_until_a_value_takes_their_place(cold):
    assert cold.kept("a") is None and cold.kept("b") == b"[2]"
    assert cold["b"] == [2] and cold.kept("b") == b"[2]", "looking does not warm"
    cold["b"] = [5]
    assert cold.kept("b") is None and cold["b"] == [5]


def test_what_is_left_out_is_not_read(cold):
    cold.keep("b", b"not json", _thaw)
    assert [*cold.without({"b"})] == [[1], [3]]


def test_a_copy_is_as_cold_and_goes_its_own_way(cold):
    copied = cold.copy()
    copied["c"] = [9]
    assert copied.kept("b") == b"[2]" and cold["c"] == [3] and copied["c"] == [9]
