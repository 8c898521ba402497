"""What random questions are drawn with."""

import random
from collections.abc import Sequence
from typing import TypeVar

GIB = 2**30
NOW, DIGEST = 10**12, "m"
ORIGINS = ("plant", "branch")
T = TypeVar("T")


class Dice(random.Random):
    """Seeded; the same throws for ever."""

    def one(self, *of: T) -> T:
        """One of these."""
        return self.choice(of)

    def often(self, share: float = 0.5) -> bool:
        """True for so many of all throws."""
        return self.random() < share

    def some(self, of: Sequence[T], most: int) -> tuple[T, ...]:
        """A few of these, in any order."""
        return tuple(self.sample(of, self.randint(0, min(most, len(of)))))
