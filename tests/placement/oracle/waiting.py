"""Who waits: what has no room now and would have it if all that stands left, and nobody had spent anything.

The long way: the question is asked again of an empty world. What is too dear where there is room now, for its own
ceiling or for a month in which nothing was spent, does not wait for something cheaper at the same place; and a quota
that lets it in now is not asked about the emptier world, in which those who hold what they keep to themselves would
keep it idle.
"""

from dataclasses import replace

from tests.placement.oracle.judge import TEAMS, Judge, good
from tests.placement.oracle.question import Question

_KEPT: list[Question] = []
_FOUND: list[tuple[str, ...]] = []
"""For the question that was asked last, which is asked several times."""


def hopes(q: Question) -> tuple[str, ...]:
    """The places where it would be allowed; none where too few are for its copies to stand at several."""
    if not _KEPT or _KEPT[0] is not q:
        _KEPT[:] = [q]
        _FOUND[:] = [_hopes(q)]
    return _FOUND[0]


def _hopes(q: Question) -> tuple[str, ...]:
    judge, bare = Judge(q), Judge(q.bare).answer()
    now, open_to = judge.answer(), list[str]()
    unspent = Judge(replace(q, accounts={})).answer() if judge.teams.has_budgets else now
    for name, verdict in bare.verdicts.items():
        lets_it_in = tuple(rule for rule in TEAMS if now.verdicts[name][rule])
        affordable = now.verdicts[name]["max-cost"] and unspent.verdicts[name]["team-budget"]
        if affordable and good(verdict, lets_it_in, judge.optional):
            open_to.append(name)
    return tuple(open_to) if len(open_to) >= judge.sites else ()


def waits(q: Question) -> bool:
    """Whether it waits for one of these, by its own word or by the habit of its kind."""
    patience = q.work.wait
    never = patience.never if patience else q.work.training is None
    return not never and bool(hopes(q))
