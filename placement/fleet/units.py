"""The units in use of every offer, as columns: what is left on each, and on each of its GPUs.

    unit rows   (units,)  offer, number, GPUs wholly free, CPUs, memory, compute left in sum
    GPU rows    (gpus,)   the unit's row, compute, memory and MIG slices

A unit has a row while something stands on it; its GPUs have rows side by side, in their order. A row that is spare says
-1 for its offer or its unit. Only rows that change are written, so a copy that comes or goes costs the same in any
fleet; an array that is full is doubled.

Not a store: every row follows from the copies that stand there, and `Columns` makes them all again when a declaration
changes. Units that an offer no longer has count for nothing; GPUs that a unit no longer has are passed over.

A MIG slice is counted, in seven bits of its own, and not merely marked: two instances that overlap (a site whose GPUs
changed under its work) can then leave in either order. 127 of them can overlap.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from placement.fleet.facts import Copy
from placement.fleet.journal import Change, Journal, Left
from placement.gpu.division import EVERY_SLICE, Division, instance_mask, offer_divisions
from placement.gpu.unit import MILLI, UnitGpus
from tidegate.model.site import Offer

Numbers = NDArray[np.int64]

SPARE = -1
_OFFER, _NUMBER, _GPUS, _CPUS, _MEMORY, _MILLI, _FIRST, _COPIES = range(8)
_UNIT, _LEFT, _BYTES, _MASK, _TAKEN, _DIVISION = range(6)


class Units:
    """See the module."""

    def __init__(self, offers: tuple[Offer, ...]) -> None:
        self._offers = offers
        self.fresh: Numbers = np.array([offer.count for offer in offers], dtype=np.int64)
        """Shape (offers,): units on which nothing stands."""
        self.divisions: list[Division] = []
        """Every way in which some GPU of the fleet divides, by number."""
        self._division_codes: dict[Division, int] = {}
        self._of_offer: dict[int, dict[int, int]] = {}
        self._units: Numbers = np.full((8, 16), SPARE, dtype=np.int64)
        self._gpus: Numbers = np.full((6, 16), SPARE, dtype=np.int64)
        self._units_used = self._gpus_used = 0
        self._spare_units: list[int] = []
        self._spare_gpus: dict[int, list[int]] = {}
        self.changes = 0
        """How often a unit has changed."""
        self._in_use: tuple[int, Numbers, Numbers, Numbers] | None = None
        self._empties: dict[int, Left] = {}
        self.journal = Journal()
        """What changed, unit by unit."""

    # Shapes (units,): what is left.

    @property
    def offer(self) -> Numbers:
        """The offer's row; -1 where the unit's row is spare."""
        return self._units[_OFFER, : self._units_used]

    @property
    def gpus(self) -> Numbers:
        """GPUs that are wholly free."""
        return self._units[_GPUS, : self._units_used]

    @property
    def cpus(self) -> Numbers:
        """Thousandths of a CPU."""
        return self._units[_CPUS, : self._units_used]

    @property
    def memory(self) -> Numbers:
        """Bytes."""
        return self._units[_MEMORY, : self._units_used]

    # Shapes (GPUs of units in use,).

    @property
    def gpu_unit(self) -> Numbers:
        """The row of the GPU's unit; -1 where the GPU's row is spare."""
        return self._gpus[_UNIT, : self._gpus_used]

    @property
    def gpu_milli(self) -> Numbers:
        """Compute left, in thousandths."""
        return self._gpus[_LEFT, : self._gpus_used]

    @property
    def gpu_bytes(self) -> Numbers:
        """Memory left."""
        return self._gpus[_BYTES, : self._gpus_used]

    @property
    def gpu_mask(self) -> Numbers:
        """MIG slices taken, as `placement.gpu.division` numbers them."""
        return self._gpus[_MASK, : self._gpus_used]

    @property
    def gpu_division(self) -> Numbers:
        """Which of `divisions`; -1 where the GPU does not divide."""
        return self._gpus[_DIVISION, : self._gpus_used]

    # One offer, one unit.

    def in_use(self) -> tuple[Numbers, Numbers]:
        """The rows that are not spare, and the offers of these."""
        rows, offers, _ = self._of_in_use()
        return rows, offers

    def left_in_use(self) -> Numbers:
        """Shape (3, units in use): GPUs wholly free, CPUs and memory left on these rows."""
        return self._of_in_use()[2]

    def _of_in_use(self) -> tuple[Numbers, Numbers, Numbers]:
        if self._in_use is None or self._in_use[0] != self.changes:
            rows = (self.offer != SPARE).nonzero()[0]
            left = self._units[_GPUS : _MEMORY + 1].take(rows, axis=1)  # row by row in memory, which an index is not
            self._in_use = (self.changes, rows, self.offer.take(rows), left)
        return self._in_use[1:]

    def rows_of(self, offer: int) -> dict[int, int]:
        """The rows of an offer's units in use, by number."""
        return self._of_offer.get(offer, {})

    def standing(self, offer: int) -> tuple[Numbers, Numbers]:
        """Number and row of an offer's units in use, in no order."""
        rows = self.rows_of(offer)
        count = len(rows)
        return np.fromiter(rows, np.int64, count), np.fromiter(rows.values(), np.int64, count)

    def left_on(self, offer: int, number: int) -> Left:
        """What is left on one unit of an offer."""
        row = self.rows_of(offer).get(number)
        return self.empty(offer) if row is None else self._left_in(row)

    def _left_in(self, row: int) -> Left:
        gpus, cpus, memory = self._units[_GPUS : _MEMORY + 1, row].tolist()
        return Left(gpus, cpus, memory)

    def compute_on(self, row: int) -> int:
        """The sum of compute left, of the unit in a row."""
        return int(self._units[_MILLI, row])

    def empty(self, offer: int) -> Left:
        """What an empty unit of an offer has."""
        found = self._empties.get(offer)
        if found is None:
            resources, divisions = self._offers[offer].resources, offer_divisions(self._offers[offer])
            free = sum(1 for division in divisions if division is None or not division.standing)
            found = self._empties[offer] = Left(free, resources.cpus_milli, resources.memory_bytes)
        return found

    def left(self, rows: Numbers) -> tuple[Numbers, Numbers, Numbers, Numbers]:
        """GPUs wholly free, CPUs, memory, and the sum of compute left, of the units in these rows."""
        chosen = self._units[:, rows]
        return chosen[_GPUS], chosen[_CPUS], chosen[_MEMORY], chosen[_MILLI]

    def gpu_rows(self, offer: int, rows: Numbers) -> Numbers:
        """Shape (units, GPUs): the GPU rows of an offer's units in use."""
        firsts: Numbers = self._units[_FIRST, rows]
        return np.add.outer(firsts, np.arange(self._offers[offer].resources.gpus, dtype=np.int64))

    def gpus_of(self, offer: int, number: int) -> UnitGpus:
        """The GPUs of one unit as they are; those of an empty one where nothing stands there."""
        whole = self._offers[offer]
        divisions, memory = offer_divisions(whole), whole.resources.gpu_memory_bytes
        row = self.rows_of(offer).get(number)
        if row is None:
            gpus = len(divisions)
            return UnitGpus(whole.gpu_sharing, memory, divisions, [MILLI] * gpus, [memory] * gpus, [0] * gpus)
        first = int(self._units[_FIRST, row])
        part = self._gpus[:, first : first + len(divisions)]
        return UnitGpus(
            whole.gpu_sharing, memory, divisions, part[_LEFT].tolist(), part[_BYTES].tolist(), part[_MASK].tolist()
        )

    def free_gpus(self, offer: int, number: int) -> list[int]:
        """Those of one unit that can be given out whole, ascending."""
        found = self.gpus_of(offer, number)
        return [gpu for gpu in range(len(found)) if found.is_free(gpu)]

    def occupy(self, offer: int, copy: Copy) -> None:
        """A copy comes."""
        self._change(offer, copy, 1)

    def vacate(self, offer: int, copy: Copy) -> None:
        """A copy that came before goes."""
        self._change(offer, copy, -1)

    def _change(self, offer: int, copy: Copy, sign: int) -> None:
        if copy.unit >= self._offers[offer].count:
            return
        self.changes += 1
        rows = self._of_offer.setdefault(offer, {})
        row = rows.get(copy.unit)
        had = self.empty(offer) if row is None else self._left_in(row)
        if row is None:
            row = rows[copy.unit] = self._open(offer, copy.unit)
        unit = self._units
        unit[_CPUS, row] -= sign * copy.resources.cpus_milli
        unit[_MEMORY, row] -= sign * copy.resources.memory_bytes
        unit[_COPIES, row] += sign
        if copy.gpus:
            self._change_gpus(offer, row, copy, sign)
        if unit[_COPIES, row] == 0:
            del rows[copy.unit]
            self._close(offer, row)
        self.journal.add((offer, copy.unit), Change(had, self.left_on(offer, copy.unit), bool(copy.gpus)))

    def _change_gpus(self, offer: int, row: int, copy: Copy, sign: int) -> None:
        divisions = offer_divisions(self._offers[offer])
        whole = self._offers[offer].resources.gpu_memory_bytes
        share, first = copy.gpu_share_milli, int(self._units[_FIRST, row])
        for gpu in copy.gpus:
            if gpu >= len(divisions):
                continue
            at, division = first + gpu, divisions[gpu]
            free = self._is_free(at, division, whole)
            milli, size, mask = MILLI, whole, EVERY_SLICE if division else 0
            if copy.mig_profile:
                milli, size, mask = 0, 0, instance_mask(division, copy.mig_profile, copy.mig_start)
            elif share:
                milli, size, mask = share, copy.resources.gpu_memory_bytes, 0
            self._gpus[_LEFT, at] -= sign * milli
            self._gpus[_BYTES, at] -= sign * size
            self._units[_MILLI, row] -= sign * (milli or copy.gpu_milli)
            if mask:
                self._gpus[_TAKEN, at] += sign * _spread(mask)
                self._gpus[_MASK, at] = _gather(int(self._gpus[_TAKEN, at]))
            self._units[_GPUS, row] += self._is_free(at, division, whole) - free

    def _is_free(self, at: int, division: Division | None, whole: int) -> bool:
        left, size, mask = self._gpus[_LEFT, at], self._gpus[_BYTES, at], self._gpus[_MASK, at]
        return bool(left == MILLI and size == whole and mask == 0) and not (division and division.standing)

    # Rows come and go.

    def _open(self, offer: int, number: int) -> int:
        whole = self._offers[offer]
        divisions, resources = offer_divisions(whole), whole.resources
        row = self._spare_units.pop() if self._spare_units else self._new_unit()
        first = self._new_gpus(len(divisions))
        free = self.empty(offer).gpus
        self._units[:, row] = (
            offer, number, free, resources.cpus_milli, resources.memory_bytes, MILLI * len(divisions), first, 0
        )  # fmt: skip
        part = self._gpus[:, first : first + len(divisions)]
        part[_UNIT], part[_LEFT], part[_BYTES], part[_MASK], part[_TAKEN] = (
            row, MILLI, resources.gpu_memory_bytes, 0, 0
        )  # fmt: skip
        part[_DIVISION] = [self.division_code(division) for division in divisions]
        self.fresh[offer] -= 1
        return row

    def _close(self, offer: int, row: int) -> None:
        gpus, first = self._offers[offer].resources.gpus, int(self._units[_FIRST, row])
        self._gpus[_UNIT, first : first + gpus] = SPARE
        if gpus:
            self._spare_gpus.setdefault(gpus, []).append(first)
        self._units[_OFFER, row] = SPARE
        self._spare_units.append(row)
        self.fresh[offer] += 1

    def division_code(self, division: Division | None) -> int:
        """The number of a division among `divisions`; -1 for none."""
        if division is None:
            return SPARE
        code = self._division_codes.get(division)
        if code is None:
            code = self._division_codes[division] = len(self.divisions)
            self.divisions.append(division)
        return code

    def _new_unit(self) -> int:
        if self._units_used == self._units.shape[1]:
            self._units = _wider(self._units, 1)
        self._units_used += 1
        return self._units_used - 1

    def _new_gpus(self, count: int) -> int:
        spare = self._spare_gpus.get(count)
        if spare:
            return spare.pop()
        if self._gpus_used + count > self._gpus.shape[1]:
            self._gpus = _wider(self._gpus, count)
        self._gpus_used += count
        return self._gpus_used - count


def _wider(columns: Numbers, least: int) -> Numbers:
    rows, used = columns.shape
    wider = np.full((rows, max(2 * used, used + least)), SPARE, dtype=np.int64)
    wider[:, :used] = columns
    return wider


def _spread(mask: int) -> int:
    """A mask as nine counters of seven bits."""
    return sum(1 << 7 * bit for bit in _bits(mask))


def _gather(counters: int) -> int:
    """The mask of the counters that are not 0."""
    return sum(1 << bit for bit in range(9) if counters >> 7 * bit & 127)


def _bits(mask: int) -> Iterator[int]:
    return (bit for bit in range(9) if mask >> bit & 1)
