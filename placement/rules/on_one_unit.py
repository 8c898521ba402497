"""What the rules on amounts share: one copy must find enough of it on one unit.

Each amount has two rules. The first asks whether any unit would have enough if nothing stood there: a "no" is about the
place and lasts. The second (`...-free`) asks whether any unit has enough now, and speaks only where the first allowed:
a "no" is about what else stands there, and may pass.

What units have at most is kept with the fleet's columns (`placement.packing.most`), and followed unit by unit as
they change.
"""

from collections.abc import Hashable

import numpy as np

from placement.fleet.columns import GREATEST, UNKNOWN, Columns, Mask, Numbers
from placement.fleet.fleet import Fleet
from placement.fleet.journal import Change, Changes, Left
from placement.packing.most import Most
from placement.rules.rule import Column, Plain
from tidegate.model.decision import Kind, Lack, RuleColumn, Unit
from tidegate.model.workload import Workload

MOST_SCANNED = 2_000_000
"""Sites times the scans kept: some thirty times as many bytes."""


class OnOneUnit(Plain):
    """On an empty unit. A subclass says what it is about: the key, the unit, what is wanted, and what there is."""

    key = ""
    unit = Unit.COUNT

    def wanted(self, workload: Workload) -> int:
        """How much one copy needs; 0: it is not asked."""
        raise NotImplementedError

    def lack(self, workload: Workload) -> Lack:
        """What is wanted, as misses tell it."""
        return Lack(self.key, "Ge", wanted_number=self.wanted(workload), unit=self.unit)

    def whole(self, columns: Columns, workload: Workload) -> Numbers:
        """Shape (offers,): how much an empty unit has."""
        raise NotImplementedError

    def looks_at(self, workload: Workload) -> Hashable:
        """What `whole` and `left` depend on of the workload: by default, on its demand."""
        return workload.demand

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): True where a unit has enough, or nothing is wanted."""
        return self.column(workload, fleet).allowed

    def column(self, workload: Workload, fleet: Fleet) -> Column:
        """The answers, with their record: the most that any unit of the site has, and the offer that has it."""
        wanted = self.wanted(workload)
        if wanted == 0:
            return self.silent(fleet)
        most = self.most_whole(workload, fleet.columns)
        return self.silent(fleet) if wanted <= most.least else self._told(workload, wanted, fleet, most, None)

    def _told(self, workload: Workload, wanted: int, fleet: Fleet, most: Most, unless: Most | None) -> Column:
        cell = most.cell(wanted, unless)
        if not cell.refuses:
            return self.silent(fleet)
        record = RuleColumn(
            self.name,
            self.because,
            self.enforced,
            self.kind,
            cell.bits,
            (self.lack(workload),),
            b"",
            cell.numbers,
            cell.offers,
            cell.offer_codes,
        )
        return Column(self, cell.refuses, len(fleet.columns), record)

    def most_whole(self, workload: Workload, columns: Columns) -> Most:
        """The most on any empty unit. Scanned once for many."""
        return self._most(columns, (self.name, "whole", self.looks_at(workload)), workload)

    def _most(self, columns: Columns, key: Hashable, workload: Workload) -> Most:
        kept: dict[Hashable, Most] = columns.kept("most", dict)
        found = kept.get(key)
        if found is None:
            if len(kept) * len(columns) > MOST_SCANNED:
                kept.clear()
            whole = np.where(columns.count > 0, self.whole(columns, workload), 0)
            found = kept[key] = Most(columns, whole)
        return found


class FreeOnOneUnit(OnOneUnit):
    """On a unit as it is now. A subclass says what is left on units in use."""

    kind = Kind.CAPACITY

    def left(self, columns: Columns, workload: Workload) -> Numbers:
        """Shape (units,): how much is left on each unit in use."""
        raise NotImplementedError

    def amount(self, columns: Columns, offer: int, left: Left) -> int:
        """The same of one unit. Asked where `plain`."""
        raise NotImplementedError

    def plain(self, workload: Workload) -> bool:
        """Whether the amount follows from what is left on a unit as a whole, and not GPU by GPU."""
        return True

    def column(self, workload: Workload, fleet: Fleet) -> Column:
        """As before; it speaks where a unit has too little now and one would have enough if nothing stood there."""
        wanted = self.wanted(workload)
        if wanted == 0:
            return self.silent(fleet)
        columns = fleet.columns
        now = self.most_now(workload, columns)
        if wanted <= now.least:
            return self.silent(fleet)
        return self._told(workload, wanted, fleet, now, self.most_whole(workload, columns))

    def most_now(self, workload: Workload, columns: Columns) -> Most:
        """The most on any unit as it is now."""
        kept: dict[Hashable, Most] = columns.kept("most", dict)
        key = (self.name, self.looks_at(workload))
        found = kept.get(key)
        if found is None:
            whole = self.most_whole(workload, columns)
            found = kept[key] = Most(columns, self._scan(workload, columns, whole))
        elif found.place != columns.units.journal.end:
            self._catch_up(found, workload, columns)
        return found

    def same_after(self, changes: Changes, column: Column, workload: Workload, columns: Columns) -> bool:
        """Whether what a column says is what would be said now that these units have changed."""
        wanted = self.wanted(workload)
        if wanted == 0:
            return True
        plain = self.plain(workload)
        for (offer, _), change in changes.items():
            if plain:
                had, has = self.amount(columns, offer, change.had), self.amount(columns, offer, change.has)
            else:
                had, has = (GREATEST, 0) if change.gpus_changed else (0, 0)  # as much as may be, and nothing of it left
            site = int(columns.offer_site[offer])
            if column.refuses >> site & 1:
                # It tells the most that there is: not of this unit, before or now, where another has more.
                if had != has and max(had, has) >= self.most_now(workload, columns).best[site]:
                    return False
            elif has < wanted <= had and self._too_full(workload, wanted, columns, site):
                return False
        return True

    def _too_full(self, workload: Workload, wanted: int, columns: Columns, site: int) -> bool:
        now, whole = self.most_now(workload, columns), self.most_whole(workload, columns)
        return bool(now.best[site] < wanted <= whole.best[site])

    def _scan(self, workload: Workload, columns: Columns, whole: Most) -> Numbers:
        most = np.where(columns.fresh > 0, whole.by_offer, 0)
        used = (columns.unit_offer != UNKNOWN).nonzero()[0]
        np.maximum.at(most, columns.unit_offer[used], self.left(columns, workload)[used])
        return most

    def _catch_up(self, found: Most, workload: Workload, columns: Columns) -> None:
        journal, whole = columns.units.journal, self.most_whole(workload, columns)
        changes, plain = journal.since(found.place), self.plain(workload)
        found.place = journal.end
        if changes is None or (not plain and any(change.gpus_changed for change in changes.values())):
            found.put_all(self._scan(workload, columns, whole))
            return
        for (offer, _), change in changes.items() if plain else ():
            self._follow(found, columns, offer, change, int(whole.by_offer[offer]))

    def _follow(self, found: Most, columns: Columns, offer: int, change: Change, whole: int) -> None:
        """One unit changed: what its offer has at most now."""
        units, most = columns.units, int(found.by_offer[offer])
        had, has = self.amount(columns, offer, change.had), self.amount(columns, offer, change.has)
        if had == has:
            return
        if has >= most:
            most = has
        elif had >= most:
            most = whole if columns.fresh[offer] > 0 else 0
            for other in units.rows_of(offer):
                most = max(most, self.amount(columns, offer, units.left_on(offer, other)))
        found.put(offer, most)
