"""Work that is spread over more sites than will do: as many copies as there are sites, or all of them at one.

How many sites allow it follows from how many copies there are to be: each is held to its share of a ceiling, and all of
them together to quotas. The fewer copies, the more sites, so the most copies that fit are found by halving.
"""

from dataclasses import replace

import numpy as np

from placement.fleet.columns import Numbers
from placement.fleet.fleet import Fleet
from placement.proposals.amounts import boundary, one_by_one
from placement.proposals.one_field import is_fickle
from placement.verdicts import Question, Verdicts, judge
from tidegate.model.decision import Change, Relaxation
from tidegate.model.workload import Inference, Replicas, Spread, Workload


def over_sites(workload: Workload, fleet: Fleet, question: Question) -> list[Relaxation]:
    """What would help; the cheapest sites of those that allow it."""
    inference = workload.inference
    if inference is None:
        return []
    return [*_fewer(workload, inference, fleet, question), *_at_one(workload, inference, fleet, question)]


def _fewer(workload: Workload, inference: Inference, fleet: Fleet, question: Question) -> list[Relaxation]:
    """The most copies that as many sites allow."""
    asked, kept = workload.copies, dict[int, Verdicts]()

    def said(copies: int) -> Verdicts:
        if copies not in kept:
            kept[copies] = judge(_with(workload, inference, minimum=copies), fleet, question)
        return kept[copies]

    def fits(copies: int) -> bool:
        return len(_allowed(said(copies))) >= copies

    most = 0
    if asked > 1 and fits(1):
        most = boundary(fits, asked, 1, (len(_but_for_number(said(asked - 1))),))
    elif asked > 1 and is_fickle(workload, question.law):
        most = one_by_one(fits, asked)
    if not most:
        return []
    totals = said(most).costs.total
    rows = _allowed(said(most))
    chosen = rows[np.lexsort((rows, totals[rows]))[:most]]
    names = ", ".join(sorted(fleet.columns.names[site] for site in chosen.tolist()))
    return [Relaxation((Change("replicas.min", str(asked), str(most)),), names, int(totals[chosen].sum()))]


def _at_one(workload: Workload, inference: Inference, fleet: Fleet, question: Question) -> list[Relaxation]:
    verdicts = judge(_with(workload, inference, spread=Spread.NONE), fleet, question)
    rows, totals = _allowed(verdicts), verdicts.costs.total
    if not len(rows):
        return []
    cheapest = int(rows[np.argmin(totals[rows])])
    change = Change("replicas.spread", Spread.SITE.value, Spread.NONE.value)
    return [Relaxation((change,), fleet.columns.names[cheapest], int(totals[cheapest]))]


def _with(
    workload: Workload, inference: Inference, *, minimum: int | None = None, spread: Spread = Spread.SITE
) -> Workload:
    had = inference.replicas
    replicas: Replicas = replace(had, minimum=had.minimum if minimum is None else minimum, spread=spread)
    return replace(workload, inference=replace(inference, replicas=replicas))


def _allowed(verdicts: Verdicts) -> Numbers:
    """The rows of the sites that every enforced rule allows."""
    return np.flatnonzero(verdicts.allowed)


def _but_for_number(verdicts: Verdicts) -> Numbers:
    """The sites that are refused for no other reason than that they are too few."""
    refused = ~verdicts.legal.allowed
    for column in verdicts.own:
        if column.rule.name not in ("spread", "copies-free"):
            refused = refused | ~column.allowed
    return np.flatnonzero(~refused)
