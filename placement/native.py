"""Native: loops over columns, as machine code (numba), where NumPy calls take longer than what they work out.

A call of NumPy takes about a microsecond whatever it is asked, a call of one of these a few tenths. So the innermost
sums of a decision that was never made before are written as loops, beside the nouns that they are sums of.

Each says what columns it takes, so all are compiled when they are first imported on a machine, which takes some
seconds, and kept on disk: beside the source, in the user's cache, or nowhere where neither can be written. What is kept
does not notice that a constant or a function in another file has changed. So what a function calls stands in its own
file, constants from elsewhere are such as never change, and everything else is handed over.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast


@contextmanager
def _without(package: str) -> Iterator[None]:
    """What is imported meanwhile does not find a package that nobody has imported before."""
    is_there = package in sys.modules
    if not is_there:
        sys.modules[package] = None  # type: ignore[assignment]
    yield
    if not is_there:
        del sys.modules[package]


with _without("scipy"):  # numba loads it, for sums of which none is here: a quarter of a second, and 16 MB
    import numba
    from numba import types
    from numba.core.registry import cpu_target

    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()

Function = TypeVar("Function", bound=Callable[..., Any])

INT, SEED, TRUTH, BYTE = types.int64, types.uint64, types.boolean, types.uint8


def column(of: types.Type) -> types.Type:
    """Of numbers that are read, side by side in memory."""
    return types.Array(of, 1, "C", readonly=True)


def strided(of: types.Type) -> types.Type:
    """Of numbers that are read, as every so manieth of others."""
    return types.Array(of, 1, "A", readonly=True)


def alike(of: types.Type, count: int) -> types.Type:
    """So many of one kind, handed over together."""
    return types.UniTuple(of, count)  # type: ignore[no-untyped-call]


def written(of: types.Type, dimensions: int = 1) -> types.Type:
    """Of numbers that are written, side by side."""
    return types.Array(of, dimensions, "C")


def native(*takes: types.Type) -> Callable[[Function], Function]:
    """The function as machine code for these arguments."""

    def made(function: Function) -> Function:
        try:
            return cast(Function, numba.njit(takes, cache=True, error_model="numpy")(function))
        except RuntimeError:  # there is nowhere to keep it
            return cast(Function, numba.njit(takes, error_model="numpy")(function))

    return made
