"""Seating: which unit of an offer each copy stands on, and which of its GPUs it gets.

The engine has found that the copies have room; here it is decided where exactly, and the decision records it, so that
nothing is left to choose when it is carried out or replayed. A `Policy` chooses among the units that have room for one
more copy; the rest is fixed:

- a service's replicas are seated one by one, wherever the policy likes, or each on a unit of its own (`spread: node`);
- a packed gang takes whole units: the first on which all that are left have room, else those with the most room;
- a spread gang takes a unit for each worker.

The units of an offer that are empty are alike, so only the one with the lowest number is ever offered to the policy.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from placement.fleet.columns import Columns, Numbers
from placement.fleet.facts import Copy
from placement.fleet.journal import Left
from placement.gpu import count
from placement.gpu.unit import MILLI, GpuSeat
from placement.gpu.wanted import Wanted
from placement.packing.room import often, times
from tidegate.model.decision import Seat, Slot
from tidegate.model.workload import Gang, Spread, Workload

FEW = 32
"""Units in use of one offer, and copies, up to which they are gone through one by one."""


class Apart(Enum):
    """How the copies on one offer stand to each other."""

    ANYHOW = "anyhow"
    PACKED = "packed"
    """On as few units as will do."""
    EACH_ALONE = "each_alone"
    """No two on one unit."""

    @classmethod
    def of(cls, workload: Workload) -> "Apart":
        """As the workload asks."""
        if workload.spread is Spread.NODE:
            return cls.EACH_ALONE
        packed = workload.training is not None and workload.training.gang is Gang.PACKED
        return cls.PACKED if packed else cls.ANYHOW


@dataclass(frozen=True, slots=True)
class Among:
    """The units to choose from: those with room for one more copy. Shapes (units,), in the order of their numbers."""

    numbers: Numbers
    """The unit's number within its offer."""
    times: Numbers
    """Copies that it has room for, 1 or more."""
    opens: Numbers
    """1 where the copy would take a part of a GPU that is wholly free now; 0 elsewhere, and for whole GPUs."""
    gpu_milli: Numbers
    """Compute left, in thousandths, over its GPUs."""
    cpus: Numbers
    """Thousandths of a CPU left."""
    memory: Numbers
    """Bytes left."""

    def __len__(self) -> int:
        return len(self.numbers)

    def where(self, chosen: NDArray[np.bool_]) -> "Among":
        """Only some of them."""
        return Among(
            self.numbers[chosen],
            self.times[chosen],
            self.opens[chosen],
            self.gpu_milli[chosen],
            self.cpus[chosen],
            self.memory[chosen],
        )


class Policy(Protocol):
    """Chooses a unit. It must answer the same for the same units, whatever it was asked before."""

    def pick(self, among: Among, columns: Columns, offer: int, wanted: Wanted) -> int:
        """The place in `among` of the unit that the next copy goes to; `among` has one or more.

        All are units of the offer in that row, where what is not in `among` can be looked up.
        """

    def is_tightest(self, columns: Columns, offer: int, wanted: Wanted) -> bool:
        """Whether it picks among the units of this offer as `TightestFit` does."""


class TightestFit:
    """The unit that has the least left, so that what is large stays whole: GPUs before CPUs before memory.

    A GPU that is shared already goes before one that would have to be opened, on whatever unit; ties go to the lowest
    number. Order and ties are part of the policy: a tie broken at random costs more GPUs than the rule gains.
    """

    def pick(self, among: Among, columns: Columns, offer: int, wanted: Wanted) -> int:
        left = np.arange(len(among))
        for key in (among.opens, among.gpu_milli, among.cpus, among.memory):
            left = left[key[left] == key[left].min()]
        return int(left[0])

    def is_tightest(self, columns: Columns, offer: int, wanted: Wanted) -> bool:
        return True


class FirstFit:
    """The unit with the lowest number: how copies were seated before decisions recorded it."""

    def pick(self, among: Among, columns: Columns, offer: int, wanted: Wanted) -> int:
        return 0

    def is_tightest(self, columns: Columns, offer: int, wanted: Wanted) -> bool:
        return False


def seats_for(
    columns: Columns, offer: int, slot: Slot, wanted: Wanted, apart: Apart, policy: Policy
) -> list[Seat] | None:
    """Where the copies of one slot would sit; afterwards nothing has changed. None where they do not find room.

    Where there are few units and copies, and GPUs are wanted whole or not at all, it is worked out on plain numbers,
    which takes a tenth of the time; the answer is that of `seat_slot`.
    """
    few = len(columns.units.rows_of(offer)) <= FEW and slot.count <= FEW
    whole = not (wanted.share_milli or wanted.mig_profile or wanted.nothing)
    if few and whole and policy.is_tightest(columns, offer, wanted):
        return _seat_few(columns, offer, slot.count, wanted, apart)
    seated = seat_slot(columns, offer, slot, wanted, apart, policy)
    for copy in reversed(seated or []):
        if not copy.nothing:
            columns.vacate(copy)
    return None if seated is None else [seat_of(copy) for copy in seated]


def _seat_few(columns: Columns, offer: int, copies: int, wanted: Wanted, apart: Apart) -> list[Seat] | None:
    """By the tightest fit."""
    units, whole = columns.units, columns.offers[offer]
    rows = units.rows_of(offer)
    left = {number: units.left_on(offer, number) for number in sorted(rows)}
    compute = {number: units.compute_on(row) for number, row in rows.items()}
    free: dict[int, list[int]] = {}
    closed: set[int] = set()
    seated: list[Seat] = []
    while len(seated) < copies:
        if len(left) < whole.count:
            number = 0
            while number in left:
                number += 1
            left[number], compute[number] = units.empty(offer), MILLI * whole.resources.gpus
        room = {number: often(wanted, there) for number, there in left.items() if number not in closed}
        most = max(room.values(), default=0)
        if most == 0:
            return None
        times = min(copies - len(seated), most) if apart is Apart.PACKED else 1
        open_to = [number for number, there in room.items() if there >= times]
        if len(open_to) > 1:
            open_to = [min((compute[one], left[one].cpus_milli, left[one].memory_bytes, one) for one in open_to)[-1]]
        number = open_to[0]
        for _ in range(times):
            gpus: tuple[int, ...] = ()
            if wanted.gpus:
                on = free.get(number) or free.setdefault(number, units.free_gpus(offer, number))
                gpus, free[number] = tuple(on[: wanted.gpus]), on[wanted.gpus :]
                assert len(gpus) == wanted.gpus  # the unit was counted to have room
            seated.append(Seat(number, gpus))
            there = left[number]
            left[number] = Left(
                there.gpus - wanted.gpus, there.cpus_milli - wanted.cpus_milli, there.memory_bytes - wanted.memory_bytes
            )
            compute[number] -= MILLI * wanted.gpus
        if apart is Apart.EACH_ALONE:
            closed.add(number)
    return seated


def seat_slot(
    columns: Columns, offer: int, slot: Slot, wanted: Wanted, apart: Apart, policy: Policy
) -> list[Copy] | None:
    """Seat the copies of one slot, on the offer in that row; afterwards they stand there.

    None where they do not all find room: then nothing has changed.
    """
    seated: list[Copy] = []
    choice = _Choice(columns, offer, wanted)
    while len(seated) < slot.count:
        among = choice.among()
        if len(among) == 0:
            for copy in reversed(seated):
                if not copy.nothing:
                    columns.vacate(copy)
            return None
        left = slot.count - len(seated)
        times = 1
        if apart is Apart.PACKED:
            times = min(left, int(among.times.max()))
            among = among.where(among.times >= times)
        number = int(among.numbers[policy.pick(among, columns, offer, wanted)])
        for _ in range(times):
            on_gpus = columns.units.gpus_of(offer, number).seat(wanted) if wanted.on_gpu else GpuSeat()
            assert on_gpus is not None  # the unit was counted to have room
            seated.append(copy_at(slot, wanted, Seat(number, on_gpus.gpus, on_gpus.mig_start)))
            if not wanted.nothing:
                columns.occupy(seated[-1])
        choice.changed(number, closed=apart is Apart.EACH_ALONE)
    return seated


def copy_at(slot: Slot, wanted: Wanted, seat: Seat) -> Copy:
    """The copy of a slot that sits there."""
    return Copy(
        slot.site,
        slot.offer,
        seat.unit,
        wanted.resources,
        seat.gpus,
        wanted.share_milli,
        wanted.mig_profile,
        seat.mig_start,
    )


def seat_of(copy: Copy) -> Seat:
    """Where a copy sits."""
    return Seat(copy.unit, copy.gpus, copy.mig_start)


class _Choice:
    """The units of one offer that copies of one demand are chosen among, kept as they fill."""

    def __init__(self, columns: Columns, offer: int, wanted: Wanted) -> None:
        self._columns, self._offer, self._wanted = columns, offer, wanted
        shape = int(columns.shape[offer])
        on_empty = count.on_empty(columns.shapes, wanted)[shape : shape + 1] if wanted.on_gpu else None
        empty = (columns.cpus[offer : offer + 1], columns.memory[offer : offer + 1])
        self._each = int(times(wanted, on_empty, *empty)[0])
        numbers, rows = columns.units.standing(offer)
        order = np.argsort(numbers)
        self._numbers = numbers[order]
        self._parts = self._measure(rows[order])

    def among(self) -> Among:
        """Those with room, and the first empty one."""
        numbers, parts = self._numbers, self._parts
        empty = self._first_empty()
        if self._each and empty is not None:
            place = int(np.searchsorted(numbers, empty))
            columns, offer = self._columns, self._offer
            of_empty = (
                self._each,
                int(bool(self._wanted.share_milli or self._wanted.mig_profile)),
                1000 * int(columns.gpus[offer]),
                int(columns.cpus[offer]),
                int(columns.memory[offer]),
            )
            numbers = np.insert(numbers, place, empty)
            parts = np.insert(parts, place, of_empty, axis=1)
        return Among(numbers, *parts).where(parts[0] > 0)

    def changed(self, number: int, *, closed: bool) -> None:
        """A copy came to the unit; `closed`: no other may."""
        row = self._columns.units.rows_of(self._offer).get(number)
        place = int(np.searchsorted(self._numbers, number))
        if place == len(self._numbers) or self._numbers[place] != number:
            if row is None and not closed:
                return  # a copy of nothing
            self._numbers = np.insert(self._numbers, place, number)
            self._parts = np.insert(self._parts, place, 0, axis=1)
        if row is not None:
            self._parts[:, place] = self._measure(np.array([row], dtype=np.int64))[:, 0]
        if closed:
            self._parts[0, place] = 0

    def _first_empty(self) -> int | None:
        """The lowest number of a unit on which nothing stands and to which nothing came."""
        if len(self._numbers) >= self._columns.count[self._offer]:
            return None
        gaps = np.flatnonzero(self._numbers != np.arange(len(self._numbers)))
        return int(gaps[0]) if len(gaps) else len(self._numbers)

    def _measure(self, rows: Numbers) -> Numbers:
        """Shape (5, units): times, opens, compute, CPUs and memory left."""
        units, wanted = self._columns.units, self._wanted
        _, cpus, memory, gpu_milli = units.left(rows)
        on_gpus, opens = None, np.zeros(len(rows), dtype=np.int64)
        if wanted.on_gpu:
            on_gpus, opens = count.on_rows(self._columns, wanted, self._offer, rows)
        return np.stack((times(wanted, on_gpus, cpus, memory), opens, gpu_milli, cpus, memory))
