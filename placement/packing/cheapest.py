"""Cheapest: by one price list, the best offer of every site that has fresh units enough for all copies.

It follows from the list and from how many units are fresh. So it is kept once it was asked for twice, and follows the
journal of units: where units were begun or came free again one site is looked at anew, or all where that is cheaper.
What has room on units in use is for the packing to look at, since it goes by each amount that a copy asks for.

Limits: `MOST_CHEAPEST` sites, list by list, are kept.
"""

from placement.fleet.columns import Ranks
from placement.lately import Lately
from placement.packing.ground import Ground
from placement.packing.price_list import PriceList

MOST_CHEAPEST = 300_000
"""Some four bytes each."""
FEW_SITES, OFFERS_TO_A_SITE = 8, 2_000
"""To look at one site anew takes about as long as to go through so many offers; a few are looked at in any fleet."""


class Cheapest:
    """See the module."""

    def __init__(self, ground: Ground, table: PriceList) -> None:
        """`ground`: all of the fleet."""
        self._table = table
        self._place = 0
        """In the journal, of which the keys are."""
        self._look_at_all(ground)

    @classmethod
    def of(cls, ground: Ground, table: PriceList, models: tuple[str, ...] = ()) -> Ranks | None:
        """Shape (sites,): the least rank and place, or `PriceList.never`, as things are now. Not to be written to.

        Of offers whose GPUs are of these models, or of all where none is named; `ground`: all of the fleet. None where
        nobody has asked for it before.
        """
        columns = ground.columns
        kept: Lately[tuple[PriceList, Cheapest | None]] = columns.kept(
            "cheapest", lambda: Lately(MOST_CHEAPEST // (len(columns) + 1))
        )
        known = kept.get((id(table), models))
        if known is None:
            kept.put((id(table), models), (table, None))
            return None
        found = known[1]
        if found is None:
            found = cls(ground, table.among(models, columns) if models else table)
            kept.put((id(table), models), (table, found))
        else:
            found._catch_up(ground)
        return found._keys

    def _catch_up(self, ground: Ground) -> None:
        columns, journal = ground.columns, ground.columns.units.journal
        if journal.end == self._place:
            return
        changes = journal.since(self._place)
        sites = None if changes is None else {int(columns.offer_site[offer]) for offer, _ in changes}
        if sites is None or len(sites) > max(FEW_SITES, len(columns.offers) // OFFERS_TO_A_SITE):
            self._look_at_all(ground)
            return
        for site in sites:
            self._look_at(site, ground)
        self._place = journal.end

    def _look_at_all(self, ground: Ground) -> None:
        units = self._table.units
        short = ground.fresh < units.take(ground.build, out=ground.scratch.numbers, mode="clip")
        self._keys = self._table.keys(ground, short)
        self._place = ground.columns.units.journal.end

    def _look_at(self, site: int, ground: Ground) -> None:
        table, stops = self._table, ground.columns.stops
        here = slice(stops[site], stops[site + 1])
        enough = ground.fresh[here] >= table.units.take(ground.build[here])
        keys = table.ranks.take(ground.shape[here]) | ground.local[here]
        self._keys[site] = keys[enough].min(initial=table.never)
