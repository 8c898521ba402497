"""The engine's decision against the oracle's answer, field by field."""

from dataclasses import dataclass, field

from broker.core.accounting import hopes_of
from broker.core.decide.waiting import may_wait
from placement.audit.auditor import audit
from placement.engine import decide, would_be_cheaper
from tests.placement.oracle import giving_way, prices, victims, waiting
from tests.placement.oracle.judge import SHAPE, TEAMS, Answer, Judge
from tests.placement.oracle.question import Case, Question
from tests.placement.oracle.seats import bad_seats
from tidegate.model.decision import Decision, Kind, Outcome

AUDITED = 4
"""One case in so many is put to the auditor as well."""
PROBED = 6
"""One case in so many is tried for what is missing among what would help."""
REACH = ("available", "engine", "latency", "volume")


@dataclass
class Compared:
    """One case, answered twice."""

    wrong: list[str]
    """What differs, in words; empty where the two agree."""
    kinds: set[str] = field(default_factory=set)
    """What kind of case it was, for counting."""


def disagreements(case: Case) -> list[str]:
    """What differs; empty where the two agree."""
    return compare(case).wrong


def compare(case: Case) -> Compared:
    """Both answers, held against each other."""
    q = case.question
    fleet, law = q.fleet, q.law
    decision = decide(q.work, fleet, law, now=q.now, revision=1, model_digest=q.digest, exclude=q.exclude)
    answer = Judge(q).answer()
    found = Compared(differences(q, decision, answer))
    found.kinds = _kinds(q, decision, answer)
    if case.number % AUDITED == 0 and not q.exclude:  # the auditor is not told who was left out
        found.wrong += [
            f"the auditor: {finding}" for finding in audit(q.work, decision, fleet, law, model_digest=q.digest)
        ]
    if found.wrong:
        return found
    if answer.winners:
        _rule_prices(q, decision, answer, found)
        if case.number % PROBED == 0 and not q.exclude:
            below = decision.cost
            offered = would_be_cheaper(q.work, fleet, law, below, now=q.now, model_digest=q.digest)
            found.wrong += giving_way.wrong(q, offered, below=below.total)
            found.kinds |= {"could be cheaper"} if offered else set()
    else:
        _waiting(q, decision, found)
        _victims(q, decision, found)
        _giving_way(case, decision, found)
    return found


def differences(q: Question, decision: Decision, answer: Answer) -> list[str]:
    """The same for a decision and an answer."""
    found: list[str] = []
    names = decision.candidates
    if names != tuple(sorted(q.sites)):
        return [f"candidates: {names}"]
    for column in decision.columns:
        for name, said in zip(names, column.allowed(len(names)), strict=True):
            expected = answer.verdicts[name].get(column.rule)
            if expected is None:
                found.append(f"{column.rule} at {name}: the oracle knows no such rule")
            elif said != expected:
                found.append(f"{column.rule} at {name}: engine {said}, oracle {expected}")
        if (kind := kind_of(column.rule)) is not column.kind and column.rule not in TEAMS:
            found.append(f"{column.rule} is {column.kind}, not {kind}")
    known = {rule for verdict in answer.verdicts.values() for rule in verdict}
    if names and (missing := known - {column.rule for column in decision.columns}):
        found.append(f"rules that the engine does not ask: {sorted(missing)}")
    ranked = {one.site: one for one in decision.ranked}
    if tuple(ranked) != answer.order:
        found.append(f"allowed, best first: engine {tuple(ranked)}, oracle {answer.order}")
    for name in set(ranked) & set(answer.scores):
        one, stand = ranked[name], answer.chosen[name]
        if one.cost != stand.cost:
            found.append(f"cost at {name}: engine {one.cost}, oracle {stand.cost}")
        if one.slots != stand.slots:
            found.append(f"slots at {name}: engine {one.slots}, oracle {stand.slots}")
        said = (one.score.dispreferred, one.score.cost_micros_per_hour, one.score.fragmentation, one.score.tie)
        if said != answer.scores[name]:
            found.append(f"score at {name}: engine {said}, oracle {answer.scores[name]}")
        if one.penalty_micros_per_hour != answer.penalties[name]:
            found.append(f"penalty at {name}: engine {one.penalty_micros_per_hour}, oracle {answer.penalties[name]}")
    if (decision.outcome is Outcome.PLACED) != bool(answer.winners) or decision.sites != answer.winners:
        found.append(f"winner: engine {decision.sites}, oracle {answer.winners}")
    if answer.cost != decision.cost or answer.slots != decision.slots:
        found.append(f"cost and slots: engine {decision.cost}, {decision.slots}, oracle {answer.cost}, {answer.slots}")
    return found + _runner_up(decision, answer) + bad_seats(q, decision)


def kind_of(rule: str) -> Kind:
    """What a rule is about; of quotas it depends on what is asked."""
    if "/" in rule or rule == "products":
        return Kind.LAW
    if rule in REACH:
        return Kind.REACH
    if rule in (*SHAPE, "spread"):
        return Kind.SHAPE
    if rule == "max-cost":
        return Kind.PRICE
    return Kind.QUOTA if rule in TEAMS else Kind.CAPACITY


def _runner_up(decision: Decision, answer: Answer) -> list[str]:
    """The best that was not chosen, and by how much money it lost to the last that was."""
    chosen, others = answer.winners, answer.order[len(answer.winners) :]
    expected = ("", 0)
    if chosen and others:
        margin = answer.chosen[others[0]].cost.total - answer.chosen[chosen[-1]].cost.total
        expected = (others[0], margin)
    said = (decision.runner_up, decision.margin_micros_per_hour)
    return [] if said == expected else [f"runner-up and margin: engine {said}, oracle {expected}"]


def _rule_prices(q: Question, decision: Decision, answer: Answer, found: Compared) -> None:
    expected = prices.prices(q, answer)
    said = {one.rule: (one.cheaper_site, one.micros_per_hour) for one in decision.rule_prices}
    if said != expected or len(said) != len(decision.rule_prices):
        found.wrong.append(f"what rules cost: engine {said}, oracle {expected}")
    if expected:
        found.kinds.add("with a rule's price")
    if any("/" in rule for rule in expected):
        found.kinds.add("with a law's price")


def _waiting(q: Question, decision: Decision, found: Compared) -> None:
    """Waits or is refused, and for which places there is hope: a place may be kept for what waits for it."""
    expected, said = waiting.waits(q), may_wait(q.work, decision)
    hopes, hoped = waiting.hopes(q), hopes_of(decision, q.work)
    if (expected, hopes) != (said, hoped):
        found.wrong.append(f"waits: engine {said}, oracle {expected}; hopes: engine {hoped}, oracle {hopes}")
    found.kinds.add("waiting" if expected else "refused")


def _giving_way(case: Case, decision: Decision, found: Compared) -> None:
    """What would help: always whether it would, now and then whether anything is missing."""
    found.wrong += giving_way.wrong(case.question, decision.relaxations)
    if case.number % PROBED == 0:
        found.wrong += giving_way.missing(case.question, decision.relaxations)
    found.kinds |= {f"would fit if: {c.field}" for one in decision.relaxations for c in one.changes}
    found.kinds |= {f"would fit by {len(one.changes)}" for one in decision.relaxations}


def _victims(q: Question, decision: Decision, found: Compared) -> None:
    """Who makes room: asked where somebody could, and something is hoped for."""
    yielding = any(holding.right.yields for holding in q.holdings)
    if not yielding or q.work.carries or q.exclude or (q.work.latency and q.service_times):
        return  # the broker's core asks of another model, and leaves out nobody
    if not waiting.hopes(q):
        return
    wrong, count = victims.wrong(q, decision)
    found.wrong += wrong
    found.kinds.add(f"with {count} victims" if count else "with nobody to displace")


def _kinds(q: Question, decision: Decision, answer: Answer) -> set[str]:
    found = {"placed"} if answer.winners else set()
    for name, verdict in answer.verdicts.items():
        found |= {f"no: {rule if '/' not in rule else 'law'}" for rule, ok in verdict.items() if not ok}
        found |= {"left out"} if name in q.exclude else set()
    found |= {"spread over sites"} if len(answer.winners) > 1 else set()
    found |= {"on several offers"} if len(answer.slots) > len(answer.winners) else set()
    found |= {"with a penalty"} if any(answer.penalties.values()) else set()
    found |= {"from several books"} if "," in decision.price_book else set()
    demand = q.work.demand
    if answer.winners and any(seat.gpus for seat in decision.seats):
        form = "share" if demand.gpu_share_milli else "instance" if demand.mig_profile else "whole"
        found.add(f"on GPUs: {form}")
    if answer.winners and demand.on_gpu and not any(seat.gpus for seat in decision.seats):
        found.add("fallen back on CPUs")
    return found
