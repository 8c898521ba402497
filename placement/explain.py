"""Explain: from verdicts to the record of them. The matrix is what the rules said; only misses are computed here.

Limits: one miss for each rule and site that it refused, so a fleet of N sites under R rules records at most N x R.
"""

from placement.fleet import Fleet
from placement.verdicts import Verdicts
from tidegate.model.decision import Miss, RuleColumn
from tidegate.model.workload import Workload


def matrix(verdicts: Verdicts) -> tuple[RuleColumn, ...]:
    """Every rule's answers, packed, in the rules' order."""
    return tuple(
        RuleColumn(
            rule=column.rule.name,
            because=column.rule.because,
            allowed=column.allowed.tobytes(),
            enforced=column.rule.enforced,
        )
        for column in verdicts.columns
    )


def misses(verdicts: Verdicts, workload: Workload, fleet: Fleet) -> tuple[Miss, ...]:
    """A miss for every "no", by rule and then by site; those of rules that only warn included."""
    return tuple(
        column.rule.miss(workload, fleet, site)
        for column in verdicts.columns
        for site in (~column.allowed).nonzero()[0].tolist()
    )
