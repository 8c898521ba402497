"""Which offers a packing may use: those that answer soon enough and that neither law nor quota forbids."""

from typing import NamedTuple

from placement.fleet.columns import Mask, Numbers


class Usable(NamedTuple):
    """Shapes (offers,): the offers that answer soon enough and that neither law nor quota forbids; None: all.

    A quota may forbid a model of GPU now that it would allow if other work went; so there are two, and they are the
    same object where no quota speaks of models.
    """

    now: Mask | None = None
    lasting: Mask | None = None
    """What is to be judged as if nothing stood anywhere."""

    @property
    def alike(self) -> bool:
        """Whether the two are one."""
        return self.now is self.lasting

    def at(self, rows: Numbers) -> "Usable":
        """Of these offers alone, in their order."""
        now = None if self.now is None else self.now.take(rows)
        return Usable(now, now if self.alike or self.lasting is None else self.lasting.take(rows))

    def within(self, now: Mask | None, lasting: Mask | None) -> "Usable":
        """Only those that these allow too."""
        if now is None and lasting is None:
            return self
        alike = self.alike and now is lasting
        first = both(self.now, now)
        return Usable(first, first if alike else both(self.lasting, lasting))


def both(one: Mask | None, other: Mask | None) -> Mask | None:
    """What two masks allow; None allows all."""
    return other if one is None else one if other is None else one & other
