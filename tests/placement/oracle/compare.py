"""The engine's decision against the oracle's answer, field by field."""

from placement.engine import decide
from tidegate.model.decision import Decision, Outcome

from . import room
from .chance import Case
from .judge import Answer, Judge


def disagreements(case: Case) -> list[str]:
    """What differs, in words; empty where the two agree."""
    q = case.question
    decision = decide(q.work, case.fleet, case.law, now=q.now, revision=1, model_digest=q.digest)
    return differences(case, decision, Judge(q).answer())


def differences(case: Case, decision: Decision, answer: Answer) -> list[str]:
    """The same for a decision and an answer."""
    found: list[str] = []
    names = decision.candidates
    if names != tuple(sorted(case.question.sites)):
        return [f"candidates: {names}"]
    for column in decision.columns:
        for name, said in zip(names, column.allowed(len(names)), strict=True):
            expected = answer.verdicts[name].get(column.rule)
            if expected is not None and said != expected:
                found.append(f"{column.rule} at {name}: engine {said}, oracle {expected}")
    known = {rule for verdict in answer.verdicts.values() for rule in verdict}
    if names and (missing := known - {column.rule for column in decision.columns}):
        found.append(f"rules that the engine does not ask: {sorted(missing)}")
    ranked = {one.site: one for one in decision.ranked}
    if set(ranked) != set(answer.scores):
        found.append(f"allowed: engine {sorted(ranked)}, oracle {sorted(answer.scores)}")
    for name in set(ranked) & set(answer.scores):
        one, score = ranked[name], answer.scores[name]
        if one.cost != answer.costs[name]:
            found.append(f"cost at {name}: engine {one.cost}, oracle {answer.costs[name]}")
        if one.slots != answer.slots[name]:
            found.append(f"slots at {name}: engine {one.slots}, oracle {answer.slots[name]}")
        said = (one.score.dispreferred, one.score.cost_micros_per_hour, one.score.fragmentation, one.score.tie)
        if said != score:
            found.append(f"score at {name}: engine {said}, oracle {score}")
    if (decision.outcome is Outcome.PLACED) != bool(answer.winners) or decision.sites != answer.winners:
        found.append(f"winner: engine {decision.sites}, oracle {answer.winners}")
    if sum(answer.costs[name].total for name in answer.winners) != decision.cost.total:
        found.append(f"cost: engine {decision.cost}, oracle {[answer.costs[name] for name in answer.winners]}")
    return found + bad_seats(case, decision)


def bad_seats(case: Case, decision: Decision) -> list[str]:
    """Seats that the oracle would not have found free, one copy after the other."""
    q = case.question
    standing = list(q.standing)
    stands = [slot for slot in decision.slots for _ in range(slot.count)]
    if len(decision.seats) != len(stands):
        return [f"seats: {len(decision.seats)} for {len(stands)} copies"]
    for slot, seat in zip(stands, decision.seats, strict=True):
        offer = next(offer for offer in q.sites[slot.site].offers if offer.name == slot.offer)
        there = [c for c in standing if (c.site, c.offer, c.unit) == (slot.site, slot.offer, seat.unit)]
        need = next(need for need in room.needs_of(q.work.demand) if need.on_gpu == bool(seat.gpus))
        if seat.unit >= offer.count or room.Seating(seat.gpus, seat.mig_start) not in room.seats(offer, there, need):
            return [f"{slot.site}/{slot.offer}: {seat} is no free seat"]
        copy = need.copy(slot.offer, room.Seating(seat.gpus, seat.mig_start))
        standing.append(type(copy)(**{**_fields(copy), "site": slot.site, "unit": seat.unit}))
    return []


def _fields(copy: object) -> dict[str, object]:
    return {name: getattr(copy, name) for name in copy.__slots__}  # type: ignore[attr-defined]
