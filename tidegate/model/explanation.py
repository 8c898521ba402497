"""Explanations: a decision's matrix summed up by rule, as the table that a refused user reads first.

Nouns in, nouns out; how they are written on a screen is the renderer's affair.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tidegate.model.decision import Decision, Miss, Unit


@dataclass(frozen=True, slots=True)
class RuleSummary:
    """One rule that refused somebody: how many candidates, and the one that came nearest."""

    rule: str
    because: str
    refused: int
    """Candidates that the rule refuses, whatever other rules say of them."""
    nearest: Miss
    """The miss that lacked least; of several, that of the candidate with the fewest other refusals."""
    enforced: bool = True
    penalty_micros_per_hour: int = 0
    """Of a rule that prefers: what its "no" counts as costing more."""


def summarise(decision: Decision) -> tuple[RuleSummary, ...]:
    """A row for every rule that refused a candidate, in the order in which the rules were asked."""
    by_rule: dict[str, list[Miss]] = {}
    for miss in decision.misses:
        by_rule.setdefault(miss.rule, []).append(miss)
    enforced = {column.rule for column in decision.columns if column.enforced}
    refusals: dict[str, int] = {}
    for miss in decision.misses:
        refusals[miss.site] = refusals.get(miss.site, 0) + (miss.rule in enforced)
    return tuple(
        RuleSummary(
            rule=column.rule,
            because=column.because,
            refused=len(misses),
            nearest=_nearest(misses, refusals),
            enforced=column.enforced,
            penalty_micros_per_hour=column.penalty_micros_per_hour,
        )
        for column in decision.columns
        if (misses := by_rule.get(column.rule))
    )


def _nearest(misses: Iterable[Miss], refusals: dict[str, int]) -> Miss:
    return min(misses, key=lambda miss: (_lack(miss), refusals[miss.site], miss.site))


def _lack(miss: Miss) -> tuple[bool, int]:
    """How far off a miss is: by its number where it has one, else not to be compared; the unknown comes last."""
    if miss.unit is Unit.WORDS:
        return (False, 0)
    return (bool(miss.found), abs(miss.wanted_number - miss.found_number))
