"""Reach: what a measured time is worth at a moment, and how long an answer takes from every offer.

A measurement is counted at its upper confidence bound (`tidegate.model.sketch`), and less is believed of it with time:

    up to 30 minutes old        as it is
    up to a day                 half as much again, since nobody has confirmed it
    older than a day            as if it had never been made

A weak one, which is more than 30 minutes old or rests on fewer than 20 samples, is not believed where the declared time
is longer. What was never measured is what was declared; what was neither is not known.

The time to an answer is the 99th percentile of the worst origin's round trip and that of the service, added: not less
than the percentile of the sum, whatever the two have to do with each other.

Shapes are those of `columns`. An origin's columns are worked out once and hold until a measurement of it changes age or
is replaced. Limits: times below 2**40 us, moments below 2**62 ms.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from placement.fleet.facts import Measurement

Numbers = NDArray[np.int64]

FRESH_MS = 1_800_000
FORGOTTEN_MS = 86_400_000
ENOUGH = 20
"""Samples from which on a measurement stands by itself."""
UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Worth:
    """Times as a decision counts on them. All of one shape."""

    us: Numbers
    """`UNKNOWN` where nothing is known."""
    measured_at: Numbers
    """Ms since the epoch; 0 where the time was declared."""
    samples: Numbers
    """0 where the time was declared."""
    likely_us: Numbers
    """The percentile itself, without what is added for want of samples or for age."""


class Times:
    """Measured and declared times of one kind, one row each; what they are worth depends on the moment."""

    def __init__(self, declared_us: Numbers, measured: Iterable[tuple[int, Measurement]] = ()) -> None:
        """`declared_us`: `UNKNOWN` where nothing is declared; `measured`: by row."""
        rows = len(declared_us)
        self._declared = declared_us
        self._us = np.full(rows, UNKNOWN, dtype=np.int64)
        self._likely = np.full(rows, UNKNOWN, dtype=np.int64)
        self._measured_at = np.zeros(rows, dtype=np.int64)
        self._samples = np.zeros(rows, dtype=np.int64)
        self._worth: Worth | None = None
        self._since, self._until = 0, 0
        for row, measurement in measured:
            self.put(row, measurement)

    def put(self, row: int, measurement: Measurement) -> None:
        """A new measurement of one row."""
        self._us[row], self._likely[row] = measurement.us, measurement.likely_us
        self._measured_at[row], self._samples[row] = measurement.measured_at, measurement.samples
        self._worth = None

    def at(self, now: int) -> Worth:
        """What every row is worth at a moment, ms since the epoch."""
        if self._worth is None or not self._since < now <= self._until:
            self._worth = self._weighed(now)
            self._since, self._until = self._unchanged(now)
        return self._worth

    def _weighed(self, now: int) -> Worth:
        age = now - self._measured_at
        counted = np.where(age > FRESH_MS, self._us + (self._us + 1) // 2, self._us)
        weak = (age > FRESH_MS) | (self._samples < ENOUGH)
        believed = (self._us != UNKNOWN) & (age <= FORGOTTEN_MS) & ~(weak & (self._declared > counted))
        return Worth(
            us=np.where(believed, counted, self._declared),
            measured_at=np.where(believed, self._measured_at, 0),
            samples=np.where(believed, self._samples, 0),
            likely_us=np.where(believed, self._likely, self._declared),
        )

    def _unchanged(self, now: int) -> tuple[int, int]:
        """After which moment and until which one every measurement is of the age it is now."""
        known = self._measured_at[self._us != UNKNOWN]
        turns = np.concatenate((known + FRESH_MS, known + FORGOTTEN_MS))
        before, after = turns[turns < now], turns[turns >= now]
        never = 2**62
        return int(before.max()) if len(before) else -never, int(after.min()) if len(after) else never


def of_classes(
    measured: Mapping[tuple[str, str], Measurement], model_digest: str, classes: tuple[str, ...], declared_us: int
) -> Times:
    """Service times of one model by class of device; a device of no class has only what was declared."""
    known = ((row, measured.get((model_digest, name))) for row, name in enumerate(classes) if name)
    return Times(
        np.full(len(classes), declared_us, dtype=np.int64),
        ((row, measurement) for row, measurement in known if measurement is not None),
    )
