"""How long the auditor takes to judge one decision: on a fleet that it knows, after a change of it, and at first sight.

The fleets, the law and the workloads are those of `decisions`, and what the engine takes for the same decisions, made
for the first time, stands beside. A judgement that finds anything wrong ends the bench.
"""

import random
from collections.abc import Callable
from dataclasses import replace

from placement.audit import ground
from placement.audit.auditor import audit
from placement.fleet.fleet import Fleet
from placement.law.law import Law
from tests.bench.decisions import explain, row, timed, told, too_much
from tests.bench.fleets import RULES, SITES, a_fleet, a_law, a_workload
from tests.bench.measure import Row, quantile
from tidegate.model.decision import Decision
from tidegate.model.workload import Workload

FEW = {1_000: (60, 5), 10_000: (60, 5), 100_000: (20, 3)}
"""By offers: decisions judged on a known fleet, and those judged after a change or at first sight."""
WARM = 5

Judged = tuple[Workload, Decision]


def rows() -> list[Row]:
    """Four rows for each size of the fleet."""
    law, found = a_law(random.Random(1)), []
    for offers, (few, rare) in FEW.items():
        dice = random.Random(2)
        fleet = a_fleet(dice, offers // SITES)
        asked = [a_workload(dice, number) for number in range(few + WARM)]
        for workload in asked[:WARM]:
            judge((workload, explain(workload, fleet, law)), fleet, law)
        known: list[Judged] = []

        def remember(workload: Workload, fleet: Fleet = fleet, known: list[Judged] = known) -> None:
            known.append((workload, explain(workload, fleet, law)))

        engine = timed([lambda w=w: remember(w) for w in asked[WARM:]])[0]
        what = f"a decision judged, {SITES:,} sites x {offers:,} offers x {RULES} rules"
        taken = timed([lambda one=one: judge(one, fleet, law) for one in known])
        ratio = quantile(taken[0], 0.5) / quantile(engine, 0.5)
        found.append(row(what, taken, f"; the engine {told(engine)}, {ratio:,.0f}x"))
        found.append(row("... after one site's offers changed", anew(asked[:rare], fleet, law, grow)))
        found.append(row("... of a fleet never seen before", anew(asked[:rare], fleet, law, forget)))
        refused = [(one, explain(one, fleet, law)) for one in too_much(asked[WARM:25])]
        judged = timed([lambda one=one: judge(one, fleet, law) for one in refused])
        found.append(row("... a refusal and what was proposed", judged))
    return found


def judge(one: Judged, fleet: Fleet, law: Law) -> None:
    """Agrees, or raises AssertionError."""
    wrong = audit(*one, fleet, law)
    assert not wrong, wrong


def anew(
    asked: list[Workload], fleet: Fleet, law: Law, change: Callable[[Fleet, int], None]
) -> tuple[list[float], list[float]]:
    """The judgement of a decision that is the first after a change."""
    cpu: list[float] = []
    wall: list[float] = []
    for number, workload in enumerate(asked):
        change(fleet, number)
        decision = explain(workload, fleet, law)
        for all_, one in zip(
            (cpu, wall), timed([lambda d=decision, w=workload: judge((w, d), fleet, law)]), strict=True
        ):
            all_ += one
    return cpu, wall


def grow(fleet: Fleet, number: int) -> None:
    """One site observes one unit more of its first offer than before."""
    facts = fleet.sites[f"site-{number * 7:05d}"]
    first, *others = facts.offers
    observed = (replace(first, count=first.count + 1), *others)
    fleet.put_site(facts.site, reachable=facts.reachable, cordoned=facts.cordoned, observed=observed)


def forget(fleet: Fleet, number: int) -> None:
    """The auditor knows nothing of the fleet any more."""
    ground.forget(fleet)
