"""Old rows of the log, raised to what this code reads: one step for each change of an event's encoding.

workload_decided 1 -> 2: a decision's misses and ranked candidates were objects of their own, and `allowed` had a byte
for each candidate. Now all of it is packed. What kind a rule is was not written; it follows from its name.
"""

from google.protobuf.message import DecodeError

from tidegate.model.decision import Cost, Kind, Lack, Miss, Ranked, Ranking, RuleColumn, Score
from tidegate.model.packed import pack_bits, pack_numbers
from tidegate.v1 import decision_pb2, event_pb2, older_pb2
from tidegate.wire.codec import from_message, to_message

_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("available", "engine", "latency", "volume"), Kind.REACH),
    **dict.fromkeys(("gpus", "gpu-model", "gpu-memory", "cpus", "memory", "spread"), Kind.SHAPE),
    "max-cost": Kind.PRICE,
    "copies": Kind.CAPACITY,
    "team-limit": Kind.QUOTA,
}


def pack_misses(payload: bytes) -> tuple[str, int, bytes]:
    """`workload_decided` from version 1 to 2. ValueError where the payload is no such event."""
    try:
        event = event_pb2.Event.FromString(payload)
        decision = event.workload_decided.decision
        older = older_pb2.DecisionVersion1.FromString(decision.SerializeToString())
    except DecodeError as error:
        raise ValueError(f"not a workload_decided: {error}") from error
    by_rule: dict[str, list[Miss]] = {}
    for miss in older.misses:
        by_rule.setdefault(miss.rule, []).append(from_message(Miss, miss))
    del decision.columns[:]
    ranked = [from_message(Ranked, one) for one in older.ranked]
    decision.DiscardUnknownFields()
    decision.columns.extend(_column(column, by_rule.get(column.rule, [])) for column in older.columns)
    if ranked:
        decision.ranking.CopyFrom(to_message(_ranking(ranked, tuple(decision.candidates))))
    others = [one for one in ranked if one.site not in {slot.site for slot in decision.slots}]
    if others and decision.slots:
        decision.runner_up = others[0].site
        decision.margin_micros_per_hour = others[0].cost.total - ranked[len(ranked) - len(others) - 1].cost.total
    return "workload_decided", 2, event.SerializeToString(deterministic=True)


def _column(older: older_pb2.RuleColumnVersion1, misses: list[Miss]) -> decision_pb2.RuleColumn:
    """The column with its misses inside. They stood by candidate, as the bits do."""
    lacks: dict[Lack, int] = {}
    offers: dict[str, int] = {}
    for miss in misses:
        lacks.setdefault(_lack(miss), len(lacks))
        offers.setdefault(miss.offer, len(offers))
    column = RuleColumn(
        rule=older.rule,
        because=older.because,
        enforced=older.enforced,
        kind=_KINDS.get(older.rule, Kind.LAW),
        bits=pack_bits([bool(allowed) for allowed in older.allowed]),
        lacks=tuple(lacks),
        codes=pack_numbers([lacks[_lack(miss)] for miss in misses]),
        numbers=pack_numbers([miss.found_number for miss in misses]),
        offers=tuple(offers),
        offer_codes=pack_numbers([offers[miss.offer] for miss in misses]),
        measured_at=pack_numbers([miss.measured_at for miss in misses]),
    )
    message: decision_pb2.RuleColumn = to_message(column)
    return message


def _ranking(ranked: list[Ranked], candidates: tuple[str, ...]) -> Ranking:
    """The best-first list as columns in the candidates' order."""
    by_site = {one.site: one for one in ranked}
    each = [by_site[name] for name in candidates if name in by_site]
    slots = [slot for one in each for slot in one.slots]
    offers = {name: code for code, name in enumerate(dict.fromkeys(slot.offer for slot in slots))}
    scores = [name for name in Score.__match_args__ if name != "cost_micros_per_hour"]
    return Ranking(
        bits=pack_bits([name in by_site for name in candidates]),
        costs=tuple(pack_numbers([getattr(one.cost, name) for one in each]) for name in Cost.__match_args__),
        scores=tuple(pack_numbers([getattr(one.score, name) for one in each]) for name in scores),
        offers=tuple(offers),
        offer_codes=pack_numbers([offers[slot.offer] for slot in slots]),
        copies=pack_numbers([slot.count for slot in slots]),
        more_slots=pack_numbers([len(one.slots) - 1 for one in each]),
    )


def _lack(miss: Miss) -> Lack:
    return Lack(miss.key, miss.operator, miss.wanted, miss.found, miss.wanted_number, miss.unit)
