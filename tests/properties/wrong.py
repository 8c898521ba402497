"""Decisions that are wrong, each in one way: every field of a true one, changed."""

from collections.abc import Iterator
from dataclasses import fields, replace

from tidegate.model.decision import (
    Change,
    Decision,
    Estimate,
    Kind,
    MonthlyRange,
    Outcome,
    Relaxation,
    RulePrice,
    Seat,
    Slot,
    Unit,
)
from tidegate.model.packed import pack_bits, pack_numbers, unpack_numbers


def mutants(decision: Decision) -> list[tuple[str, Decision]]:
    """Decisions that are wrong, each in one way."""
    wrong: list[tuple[str, Decision]] = []
    for index, column in enumerate(decision.columns):
        columns = list(decision.columns)
        for site in range(len(decision.candidates)):
            flipped = [
                not truth if row == site else truth
                for row, truth in enumerate(column.allowed(len(decision.candidates)))
            ]
            columns[index] = replace(column, bits=pack_bits(flipped))
            wrong.append((f"{column.rule} flipped", replace(decision, columns=tuple(columns))))
        if column.bits:
            columns[index] = replace(column, lacks=())
            wrong.append(("misses without what they lack", replace(decision, columns=tuple(columns))))
            satisfied = tuple(replace(lack, wanted_number=-1, operator="Ge") for lack in column.lacks)
            columns[index] = replace(column, lacks=satisfied)
            if any(lack.unit is not Unit.WORDS and not lack.found for lack in column.lacks):
                wrong.append(("a miss that is none", replace(decision, columns=tuple(columns))))
    ranked, candidates = decision.ranked, len(decision.candidates)
    if len(ranked) > 1 and decision.slots:
        wrong.append(("runner-up chosen", replace(decision, slots=ranked[1].slots)))
        wrong.append(("another margin", replace(decision, margin_micros_per_hour=decision.margin_micros_per_hour + 1)))
    if decision.ranking:
        ranking, count = decision.ranking, len(ranked)
        for index, column in enumerate((*ranking.costs, *ranking.scores)):
            more = pack_numbers([number + 1 for number in unpack_numbers(column, count)])
            columns = [*ranking.costs, *ranking.scores]
            columns[index] = more
            costs, scores = tuple(columns[: len(ranking.costs)]), tuple(columns[len(ranking.costs) :])
            wrong.append(("dearer", replace(decision, ranking=replace(ranking, costs=costs, scores=scores))))
        slots = count + sum(unpack_numbers(ranking.more_slots, count))
        copies = pack_numbers([number + 1 for number in unpack_numbers(ranking.copies, slots)])
        wrong.append(("too many copies", replace(decision, ranking=replace(ranking, copies=copies))))
        bits = pack_bits([False] * candidates)
        wrong.append(("one missed", replace(decision, ranking=replace(ranking, bits=bits))))
        wrong.append(("all missed", replace(decision, ranking=None)))
    wrong += beside(decision)
    wrong.append(("another price book", replace(decision, price_book="another@1")))
    if decision.outcome is Outcome.PLACED:
        upside_down = replace(decision.monthly, compute=Estimate(low=1, point=0, high=0))
        wrong.append(("a month upside down", replace(decision, monthly=upside_down)))
        first, others = decision.seats[0], decision.seats[1:]
        for name, seat in (
            ("a unit that is not there", replace(first, unit=1_000_000)),
            ("a GPU that is not there", replace(first, gpus=(*first.gpus[1:], 99))),
            ("one GPU twice", replace(first, gpus=first.gpus * 2 or (0, 0))),
        ):
            wrong.append((name, replace(decision, seats=(seat, *others))))
        wrong.append(("a seat left out", replace(decision, seats=others)))
        wrong.append(("refused anyway", replace(decision, outcome=Outcome.REFUSED, slots=())))
    else:
        wrong.append(("placed nowhere", replace(decision, outcome=Outcome.PLACED)))
    return wrong


def beside(decision: Decision) -> list[tuple[str, Decision]]:
    """The fields beside the matrix and the ranking."""
    names = decision.candidates
    if not names:
        return []
    wrong = [
        ("somebody left out", replace(decision, among=pack_bits([False, *[True] * (len(names) - 1)]))),
        ("another law", replace(decision, policies=(*decision.policies, "another@1"))),
        ("a candidate forgotten", replace(decision, candidates=names[1:])),
        ("a candidate invented", replace(decision, candidates=(*names, "zz"))),
        ("a seat more", replace(decision, seats=(*decision.seats, Seat(0)))),
        ("a slot more", replace(decision, slots=(*decision.slots, Slot(names[0], "zz", 1)))),
    ]
    for one in fields(decision.cost):
        cost = replace(decision.cost, **{one.name: getattr(decision.cost, one.name) + 1})
        wrong.append((f"cost: more {one.name}", replace(decision, cost=cost)))
    wrong += [("month", replace(decision, monthly=month)) for month in months(decision.monthly)]
    wrong += [("rule prices", replace(decision, rule_prices=prices)) for prices in rule_prices(decision)]
    wrong += [("proposals", replace(decision, relaxations=ways)) for ways in proposals(decision)]
    for index, column in enumerate(decision.columns):
        for name, changed in (
            ("other reasons", replace(column, because=f"{column.because} or not")),
            ("enforced or not", replace(column, enforced=not column.enforced)),
            ("a penalty", replace(column, penalty_micros_per_hour=column.penalty_micros_per_hour + 1)),
            ("of another kind", replace(column, kind=Kind.REACH if column.kind is not Kind.REACH else Kind.PRICE)),
            ("where it passes", replace(column, may_pass=b"" if column.may_pass else bytes(-(-len(names) // 8)))),
        ):
            if name == "other reasons" and "/" not in column.rule:
                continue  # what the engine's own rules give as reason is nothing that was declared
            columns = (*decision.columns[:index], changed, *decision.columns[index + 1 :])
            wrong.append((f"{column.rule}: {name}", replace(decision, columns=columns)))
        without = (*decision.columns[:index], *decision.columns[index + 1 :])
        wrong.append((f"{column.rule}: left out", replace(decision, columns=without)))
    for index, reading in enumerate(decision.readings):
        for one in fields(reading):
            value = getattr(reading, one.name)
            other = replace(reading, **{one.name: f"{value}z" if isinstance(value, str) else value + 1})
            readings = (*decision.readings[:index], other, *decision.readings[index + 1 :])
            wrong.append((f"reading: {one.name}", replace(decision, readings=readings)))
        wrong.append(("a reading left out", replace(decision, readings=decision.readings[1:])))
    if decision.slots:
        wrong.append(("another runner-up", replace(decision, runner_up="zz")))
        wrong.append(("another winner's site", replace(decision, slots=(Slot("zz", "o", 1),))))
    return wrong


def months(month: MonthlyRange) -> Iterator[MonthlyRange]:
    """Each number of the range, one more."""
    for one in fields(month):
        value = getattr(month, one.name)
        if isinstance(value, Estimate):
            for part in ("low", "point", "high"):
                yield replace(month, **{one.name: replace(value, **{part: getattr(value, part) + 1})})
        else:
            yield replace(month, **{one.name: value + 1})


def rule_prices(decision: Decision) -> Iterator[tuple[RulePrice, ...]]:
    """Dearer, cheaper, at another place, left out, twice, and one that no rule has."""
    prices = decision.rule_prices
    for index, one in enumerate(prices):
        before, after = prices[:index], prices[index + 1 :]
        for more in (-1, 1):
            yield (*before, replace(one, micros_per_hour=one.micros_per_hour + more), *after)
        yield (*before, replace(one, cheaper_site="zz"), *after)
        yield (*before, *after)
        yield (*before, one, one, *after)
    if not any(one.rule == "engine" for one in prices):
        yield (*prices, RulePrice("engine", decision.candidates[0], 1))


def proposals(decision: Decision) -> Iterator[tuple[Relaxation, ...]]:
    """Changes too few, too many, too large, too small, of what may not be changed, elsewhere, at another cost."""
    ways = decision.relaxations
    for index, one in enumerate(ways):
        before, after = ways[:index], ways[index + 1 :]
        for changed in (
            replace(one, cost_micros_per_hour=one.cost_micros_per_hour + 1),
            replace(one, site="zz"),
            replace(one, changes=one.changes[1:]),
            replace(one, changes=(*one.changes, one.changes[0])),
            replace(one, changes=(*one.changes, Change("demand.gpuMemory", "1", "0"))),
            replace(one, changes=(*one.changes, Change("site.operator", "aws", "self"))),
            replace(one, changes=(*one.changes, Change("data.classes", "phi", ""))),
        ):
            yield (*before, changed, *after)
        for place, change in enumerate(one.changes):
            changes = [*one.changes]
            for told in (replace(change, before="7"), replace(change, after=change.before), larger(change)):
                if told is not None and told != change:
                    changes[place] = told
                    yield (*before, replace(one, changes=tuple(changes)), *after)
    if len(ways) > 1 and (len(ways[0].changes), ways[0].cost_micros_per_hour) != (
        len(ways[-1].changes),
        ways[-1].cost_micros_per_hour,
    ):
        yield ways[::-1]
    if not ways or decision.slots:
        change = Change("latency.p99", "1ms", "2ms")
        yield (*ways, Relaxation((change,), decision.candidates[0], 0))


def larger(change: Change) -> Change | None:
    """More of the same than is needed; None of what has no amount."""
    number = "".join(letter for letter in change.after if letter.isdigit())
    match change.field:
        case "latency.p99":
            return replace(change, after=f"{int(number) + 1}{change.after.lstrip('0123456789')}")
        case "maxCost":
            return replace(change, after=str(int(change.after.split(".")[0]) + 1))
        case field if field.endswith(".agreements"):
            return replace(change, after=f"{change.after}, zz")
        case "demand.gpus" | "training.workers" | "replicas.min" if int(number) > 1:
            return replace(change, after=str(int(number) - 1))
    return None
