"""Seats: whether each copy of a decision sits where it could, one after the other."""

from dataclasses import replace

from tests.placement.oracle import room
from tests.placement.oracle.question import Question
from tidegate.model.decision import Decision


def bad_seats(q: Question, decision: Decision) -> list[str]:
    """Seats that are not free, one copy after the other."""
    standing = {unit: list(copies) for unit, copies in q.copies.items()}
    stands = [slot for slot in decision.slots for _ in range(slot.count)]
    if len(decision.seats) != len(stands):
        return [f"seats: {len(decision.seats)} for {len(stands)} copies"]
    for slot, seat in zip(stands, decision.seats, strict=True):
        offer = next(offer for offer in q.sites[slot.site].offers if offer.name == slot.offer)
        there = standing.setdefault((slot.site, slot.offer, seat.unit), [])
        need = next(need for need in room.needs_of(q.work.demand) if need.on_gpu == bool(seat.gpus))
        seating = room.Seating(seat.gpus, seat.mig_start)
        if seat.unit >= offer.count or seating not in room.seats(offer, there, need):
            return [f"{slot.site}/{slot.offer}: {seat} is no free seat"]
        there.append(replace(need.copy(slot.offer, seating), site=slot.site, unit=seat.unit))
    return []
