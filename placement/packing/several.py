"""Several: the sites whose copies stand on more than one offer, and how many copies on each.

Arrays, not a tuple for each slot: there may be hundreds of such sites, of which few are ever looked at.
"""

from dataclasses import dataclass

import numpy as np

from placement.fleet.columns import Numbers

Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Several:
    """See the module. The slots of a site lie side by side, site by site."""

    sites: Numbers
    """Shape (sites,): rows, ascending."""
    lengths: Numbers
    """Shape (sites,): how many slots each has."""
    offers: Numbers
    """Shape (slots,): rows of the fleet."""
    copies: Numbers
    """Shape (slots,)."""

    def __len__(self) -> int:
        return len(self.sites)

    @classmethod
    def joined(cls, parts: list["Several"]) -> "Several":
        """All of these, which have no site in common."""
        if not parts:
            return NONE
        if len(parts) == 1:
            return parts[0]
        names = ("sites", "lengths", "offers", "copies")
        whole = cls(*[np.concatenate([getattr(part, name) for part in parts]) for name in names])
        return whole._picked(np.argsort(whole.sites))

    def at(self, site: int) -> Pairs:
        """The offers of a site, each with its copies; empty where the copies do not stand on several."""
        place = int(np.searchsorted(self.sites, site)) if len(self.sites) else 0
        if place == len(self.sites) or self.sites[place] != site:
            return ()
        only = self._picked(np.array([place]))
        return tuple(zip(only.offers.tolist(), only.copies.tolist(), strict=True))

    def of(self, sites: Numbers) -> "Several":
        """Of these sites, ascending, those that are here."""
        if len(self.sites) == 0:
            return self
        places = np.minimum(np.searchsorted(self.sites, sites), len(self.sites) - 1)
        return self._picked(places[self.sites.take(places) == sites])

    def without(self, sites: Numbers) -> "Several":
        """All but these."""
        return self._picked((~np.isin(self.sites, sites)).nonzero()[0])

    def named(self, rows: Numbers) -> "Several":
        """The same where site `s` is the one in `rows[s]`; these ascend."""
        return Several(rows[self.sites], self.lengths, self.offers, self.copies)

    def same(self, other: "Several") -> bool:
        """Whether both say the same."""
        names = ("sites", "lengths", "offers", "copies")
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name in names)

    def _picked(self, places: Numbers) -> "Several":
        lengths = self.lengths[places]
        begin = (np.cumsum(self.lengths) - self.lengths)[places]
        slots = np.repeat(begin - (np.cumsum(lengths) - lengths), lengths) + np.arange(int(lengths.sum()))
        return Several(self.sites[places], lengths, self.offers[slots], self.copies[slots])


_NOTHING = np.zeros(0, dtype=np.int64)
NONE = Several(_NOTHING, _NOTHING, _NOTHING, _NOTHING)
"""No site."""
