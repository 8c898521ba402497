"""What the rules cost everything that is placed: the prices that the decisions in force recorded, summed by team.

A rule's price is what one workload would save without that one rule (`tidegate.model.decision.RulePrice`), as it was
when the decision was made. Two rules that refuse the same place have no price each, since without either the other
still says no; a sum over rules is therefore not what the whole law costs.
"""

from collections import Counter

from broker.core.state import State
from tidegate.model.impact import RuleCost


def rule_costs(state: State) -> tuple[tuple[RuleCost, ...], int]:
    """By rule and team, the dearest first; and how many workloads are placed."""
    micros: Counter[tuple[str, str]] = Counter()
    workloads: Counter[tuple[str, str]] = Counter()
    placed = 0
    for record in state.workloads.without(state.ended):
        if not record.live or not record.sites or record.decision is None:
            continue
        placed += 1
        for price in record.decision.rule_prices:
            key = (price.rule, record.workload.team)
            micros[key] += price.micros_per_hour
            workloads[key] += 1
    found = [RuleCost(rule, team, workloads[rule, team], cost) for (rule, team), cost in micros.items()]
    return tuple(sorted(found, key=lambda one: (-one.micros_per_hour, one.rule, one.team))), placed
