"""Which records go when the spool is full: a pure plan, exact in bytes, made before anything is touched.

Lowest class first, and within a class oldest first, a segment at a time. Incoming facts obey the same order: a debug
span is not let in at the price of an older error span; it becomes a gap itself, once nothing of its own class is left
to shed. Audit records are never shed; where nothing else is left, the writer is refused and the plan is None, so that
nothing is shed for an append that then fails.

Shedding goes a little further than needed within the class that it has reached (`slack`), so that a full spool rewrites
a segment once in a while and not for each append.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from agents.spool.records import SHEDDABLE, Gap, Kind, Record, ShedClass, frame_bytes


@dataclass(frozen=True, slots=True)
class Plan:
    """`segments[i]` is shed up to that class; incoming facts up to `incoming` are written as gaps."""

    segments: dict[int, ShedClass]
    incoming: ShedClass | None


def plan(saves: Sequence[Sequence[int]], free: int, incoming: Sequence[Record], slack: int) -> Plan | None:
    """How to fit `incoming` into `free` bytes, or None where that cannot be done.

    `saves` has shape (segments, 3): the bytes that shedding each segment up to each class frees, oldest segment first,
    not falling with the class. `free` may be negative, where the bound was lowered.
    """
    steps: dict[int, ShedClass] = {}
    gained = [0] * len(saves)
    total = 0
    admitted: ShedClass | None = None
    needed = size(incoming)
    for level in SHEDDABLE:
        for index, by_level in enumerate(saves):
            if free + total >= needed + slack:
                break
            if by_level[level] > gained[index]:
                steps[index] = level
                total += by_level[level] - gained[index]
                gained[index] = by_level[level]
        if free + total >= needed:
            return Plan(steps, admitted)
        admitted = level
        needed = size(turned_away(incoming, level))
        if free + total >= needed:
            return Plan(steps, admitted)
    return None


def turned_away(incoming: Sequence[Record], up_to: ShedClass | None) -> list[Record]:
    """The incoming records with those of class `up_to` or lower as gaps, neighbouring gaps joined."""
    if up_to is None:
        return list(incoming)
    left: list[Record] = []
    for record in incoming:
        if record.shed_class > up_to:
            left.append(record)
        elif left and left[-1].kind is Kind.GAP:
            left[-1] = left[-1].gap.join(Gap.of(record)).record()
        else:
            left.append(Gap.of(record).record())
    return left


def size(records: Sequence[Record]) -> int:
    """Bytes of the frames."""
    return sum(frame_bytes(record) for record in records)
