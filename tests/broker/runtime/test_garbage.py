"""Garbage: the interpreter looks seldom, and not at what was there."""

import gc
from collections.abc import Iterator

import pytest

from broker.runtime import garbage


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """The process is the tests' own again afterwards."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_the_young_are_looked_at_after_many_decisions_and_not_after_each() -> None:
    garbage.seldom()
    assert gc.get_threshold() == (garbage.YOUNG, garbage.MIDDLE, garbage.OLD)
    assert gc.isenabled()


def test_what_was_there_is_never_looked_at_again_and_goes_all_the_same() -> None:
    gone: list[str] = []

    class Known:
        def __del__(self) -> None:
            gone.append("known")

    state = [Known()]
    garbage.keep()
    assert gc.get_freeze_count() > 0
    gc.collect()
    assert not gone
    state.clear()
    assert gone == ["known"]
