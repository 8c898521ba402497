"""Which classes of work are asked for, learnt from what has been asked: the mix, where nobody knows it beforehand.

Counts with a half-life: after every `HALF_LIFE` asks all counts are halved and what comes to nothing is forgotten, so
last week's work does not price this week's. At most `MOST_CLASSES` are kept: a newcomer beyond that takes one off every
count until there is room (Misra and Gries, 1982), so what is frequent is never lost.

It is folded from the log like everything else: the same asks in the same order give the same mix.
"""

from collections.abc import Hashable, Iterable
from typing import TypeVar

from placement.pool.nouns import Ask, Mix, mix_of

HALF_LIFE = 20_000
"""Asks."""
MOST_CLASSES = 1_024
SCALE = 16
"""One ask counts so much, so that halving does not forget at once what is rare."""


Class = TypeVar("Class", bound=Hashable)


def count(counts: dict[Class, int], asked: Class, since: int) -> int:
    """Count one ask, in place. `since`: asks since counts were last halved; the answer is the next call's."""
    if asked not in counts and len(counts) >= MOST_CLASSES:
        _decrease(counts, min(SCALE, *counts.values()))
    if asked in counts or len(counts) < MOST_CLASSES:
        counts[asked] = counts.get(asked, 0) + SCALE
    if since + 1 < HALF_LIFE:
        return since + 1
    for known, had in list(counts.items()):
        counts[known] = had // 2
        if not counts[known]:
            del counts[known]
    return 0


def _decrease(counts: dict[Class, int], amount: int) -> None:
    for known, had in list(counts.items()):
        counts[known] = had - amount
        if not counts[known]:
            del counts[known]


class Popularity:
    """Counts by class. Only the holder changes it."""

    def __init__(self, known: Mix = ()) -> None:
        """`known`: a mix to begin with, as if it had been asked."""
        self._counts = {wanted.ask: wanted.count * SCALE for wanted in known}
        self._since = 0

    def asked(self, asks: Iterable[Ask]) -> None:
        """These were asked for, whether or not they found room."""
        for ask in asks:
            self._since = count(self._counts, ask, self._since)

    @property
    def mix(self) -> Mix:
        """What has been asked for, the most frequent first; counts in sixteenths of an ask."""
        return mix_of(self._counts)
