"""Which classes of work are asked for, learnt from what has been asked: the mix, where nobody knows it beforehand.

Counts with a half-life: after every `HALF_LIFE` asks all counts are halved and what comes to nothing is forgotten, so
last week's work does not price this week's. At most `MOST_CLASSES` are kept: a newcomer beyond that takes one off every
count until there is room (Misra and Gries, 1982), so what is frequent is never lost.

It is folded from the log like everything else: the same asks in the same order give the same mix.
"""

from collections.abc import Iterable

from placement.pool.nouns import Ask, Mix, mix_of

HALF_LIFE = 20_000
"""Asks."""
MOST_CLASSES = 1_024
SCALE = 16
"""One ask counts so much, so that halving does not forget at once what is rare."""


class Popularity:
    """Counts by class. Only the holder changes it."""

    def __init__(self, known: Mix = ()) -> None:
        """`known`: a mix to begin with, as if it had been asked."""
        self._counts = {wanted.ask: wanted.count * SCALE for wanted in known}
        self._since = 0

    def asked(self, asks: Iterable[Ask]) -> None:
        """These were asked for, whether or not they found room."""
        for ask in asks:
            if ask not in self._counts and len(self._counts) >= MOST_CLASSES:
                self._take(min(SCALE, *self._counts.values()))
                if len(self._counts) >= MOST_CLASSES:
                    continue
            self._counts[ask] = self._counts.get(ask, 0) + SCALE
            self._since += 1
            if self._since == HALF_LIFE:
                self._since = 0
                self._counts = {known: count // 2 for known, count in self._counts.items() if count > 1}

    @property
    def mix(self) -> Mix:
        """What has been asked for, the most frequent first; counts in sixteenths of an ask."""
        return mix_of(self._counts)

    def _take(self, amount: int) -> None:
        self._counts = {ask: count - amount for ask, count in self._counts.items() if count > amount}
