"""Who waits: what has no room now and would have it if all that stands left, and nobody had spent anything.

The long way: the question is asked again of an empty world, in which a quota lets it in that does so now: those who
hold what they keep to themselves would keep it idle there. Money is judged by what the place costs today: what is too
dear where there is room now does not wait for something cheaper at the same place, and a budget must be able to pay
that in what is left of this month, if all that runs ended now, or in the whole of the next one.
"""

from dataclasses import replace

from tests.placement.oracle.judge import Judge, good
from tests.placement.oracle.packed import Stand
from tests.placement.oracle.question import Question
from tests.placement.oracle.teams import month_after

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
    judge = Judge(q)
    free = replace(q.bare, work=replace(q.work, max_cost_micros_per_hour=0))
    now, bare, open_to = judge.answer(), Judge(free, besides=judge.now).answer(), list[str]()
    for name, verdict in bare.verdicts.items():
        stand = now.stands.get(name)
        affordable = now.verdicts[name]["max-cost"] and (stand is None or _could_pay(judge, stand))
        if affordable and good(verdict, ("team-budget",), judge.optional):
            open_to.append(name)
    return tuple(open_to) if len(open_to) >= judge.sites else ()


def _could_pay(judge: Judge, stand: Stand) -> bool:
    q = judge.q
    return any(judge.paid(stand, *then) for then in ((q.accounts, q.now), (q.ended(), q.now), ({}, month_after(q.now))))


def waits(q: Question) -> bool:
    """Whether it waits for one of these, by its own word or by the habit of its kind."""
    patience = q.work.wait
    never = patience.never if patience else q.work.training is None
    return not never and bool(hopes(q))
