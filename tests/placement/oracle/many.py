"""Many questions, in blocks and in several processes. What a process is sent must be found in a module with a name."""

import multiprocessing
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.placement.oracle.chance import case
from tests.placement.oracle.compare import Compared, compare

BLOCK = 250


@dataclass
class Found:
    """What a run of cases came to."""

    cases: int = 0
    wrong: dict[int, list[str]] = field(default_factory=dict)
    """By the number of the case."""
    kinds: Counter[str] = field(default_factory=Counter)


def block(numbers: range) -> Found:
    """These cases, one after the other."""
    found = Found()
    for number in numbers:
        found.cases += 1
        try:
            compared = compare(case(number))
        except Exception as error:  # noqa: BLE001 - whatever the engine raises is an answer that nobody expected
            compared = Compared([f"{type(error).__name__}: {error}"])
        found.kinds.update(compared.kinds)
        if compared.wrong:
            found.wrong[number] = compared.wrong
    return found


def blocks(first: int, cases: int, processes: int) -> Iterator[Found]:
    """All of them in blocks, in any order, each in one of so many processes."""
    parts = [range(at, min(at + BLOCK, first + cases)) for at in range(first, first + cases, BLOCK)]
    if processes == 1:
        yield from map(block, parts)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap_unordered(block, parts)
