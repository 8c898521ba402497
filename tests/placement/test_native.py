"""What is compiled calls nothing that lies in another file, since what is kept on disk would not notice a change."""

import importlib
import pkgutil
from types import ModuleType

import numba
import pytest
from numba.core.registry import CPUDispatcher

import placement
from placement.native import INT, column, native


def modules() -> list[ModuleType]:
    """Every module of the engine, but the pool's, which says of itself what it keeps."""
    names = [one.name for one in pkgutil.walk_packages(placement.__path__, "placement.")]
    return [importlib.import_module(name) for name in names if not name.startswith("placement.pool")]


def natives(module: ModuleType) -> dict[str, CPUDispatcher]:
    """What it has of its own."""
    return {
        name: one
        for name, one in vars(module).items()
        if isinstance(one, CPUDispatcher) and one.__module__ == module.__name__
    }


def test_no_native_function_calls_one_of_another_file() -> None:
    found = 0
    for module in modules():
        for one in natives(module).values():
            called = [vars(module).get(name) for name in one.py_func.__code__.co_names]
            strangers = [
                each for each in called if isinstance(each, CPUDispatcher) and each.__module__ != module.__name__
            ]
            assert not strangers, (module.__name__, one)
            found += 1
    assert found > 10


def test_columns_of_another_kind_are_refused_and_not_compiled_for() -> None:
    @native(column(INT))
    def first(numbers):
        return numbers[0]

    import numpy as np

    assert first(np.array([7])) == 7
    with pytest.raises(TypeError):
        first(np.array([7.0]))
    with pytest.raises(TypeError):
        first(np.arange(8)[::2])
    assert len(first.signatures) == 1


def test_it_is_compiled_all_the_same_where_it_cannot_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    real = numba.njit

    def nowhere(takes, **how):
        if how.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return real(takes, **how)

    monkeypatch.setattr(numba, "njit", nowhere)

    @native(INT)
    def twice(number):
        return 2 * number

    assert twice(21) == 42
