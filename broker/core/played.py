"""Played forward: when a waiting workload would start, found by deciding as work ends.

Sums know no nodes and no law, and of quotas one bound at a time. Here what runs ends when it is likely to, or at the
latest; at each end those in line are asked in their order, by the engine, and whoever finds room takes it until it ends
in its turn. So room that is there in sum and not in one piece, what is only borrowed, and firm work in the way are
waited for as they will be. Everything is put back afterwards.

As in `placement.quota.forecast` nothing comes later, and nobody is displaced: where guarantees are at stake it may come
otherwise. Who stands behind may pass, as it may in truth. Work of which nothing says when it ends does not end; where
the last of what does has ended in vain, it is not known.

Limits: `LINE` that wait, `ENDS` ends and `ASKS` questions of the engine, some half a millisecond each; beyond these
nothing is played.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from heapq import heapify, heappop, heappush

from broker.core.decide.once import going, moved, vacated
from broker.core.decide.placing import place
from broker.core.records import WorkloadRecord
from broker.core.state import State
from placement.quota.accounts import closed
from placement.quota.coverage import RANK
from placement.quota.forecast import Ending, Lasting
from placement.quota.order import InLine, in_order
from placement.quota.tree import NOBODY
from tidegate.model.decision import Outcome

LINE, ENDS, ASKS = 8, 24, 64


def starts(
    state: State,
    line: Sequence[WorkloadRecord],
    name: str,
    running: Mapping[str, Ending],
    lasts: Mapping[str, Lasting],
    at: int,
    *,
    late: bool,
) -> tuple[int, tuple[Lasting, ...]] | None:
    """When the workload of an id starts, which is in this line, and what that rests on; None where that is too much.

    At moment 0 where it does not start, whatever ends.
    `running`: by id, what began when and takes how long; `lasts`: the same of everybody, by id.
    """
    if len(line) > LINE:
        return None
    ends = [(end, each) for each, one in running.items() if (end := one.ends(at, late=late)) is not None]
    heapify(ends)
    waits, used, moment, asks = list(line), list[Lasting](), at, 0
    with ExitStack() as played:
        for _ in range(ENDS):
            if not ends:
                return 0, ()
            moment = max(moment, ends[0][0])
            while ends and ends[0][0] <= moment:
                _, ended = heappop(ends)
                used.append(lasts[ended])
                _end(state, played, ended, moment)
            in_vain: set[str] = set()
            while one := _first(state, [each for each in waits if each.id not in in_vain]):
                in_vain.add(one.id)
                asks += 1
                if asks > ASKS:
                    return None
                goes = going(state, one.workload.name, one)
                decision = place(state, one.workload, one.model, moment, goes=goes, audited=False, advise=False)
                if decision.outcome is not Outcome.PLACED:
                    continue
                if one.id == name:
                    return moment, tuple(used)
                waits.remove(one)
                played.enter_context(moved(state, one, decision))
                takes = lasts[one.id].latest if late else lasts[one.id].likely
                if takes is not None:
                    heappush(ends, (moment + takes, one.id))
    return None


def _first(state: State, waits: Sequence[WorkloadRecord]) -> WorkloadRecord | None:
    """Who is next in line, as things are then."""
    line = (InLine(w.id, w.workload.team or NOBODY, RANK[w.workload.importance], state.waiting[w.id]) for w in waits)
    ordered = in_order(line, state.law.tree, state.fleet.ledger, state.fleet.columns.capacity)
    return state.workloads[ordered[0].workload_id] if ordered else None


def _end(state: State, played: ExitStack, name: str, moment: int) -> None:
    """What ran, or was let in meanwhile, gives back what it has."""
    record = state.workloads[name]
    if record.sites:
        played.enter_context(vacated(state, moment, name))
        return
    state.fleet.release(f"{name}@?")
    team = record.workload.team
    state.accounts[team] = closed(state.accounts[team], name, moment)
