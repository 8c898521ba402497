"""The batch as arrays: kinds of workloads, places, and what each kind costs at each place that the rules allow it.

A kind is one or more workloads that nobody can tell apart: same demand, same candidates, same money. A place is an
offer of a site. An arc says that a place may hold workloads of a kind, and what one costs there; where there is no
arc, a rule forbade it, so no answer of whatever solver can be unlawful.

Left out at `leave` each, a workload stands nowhere: what that costs is dearer than any arc of its kind, so that only
what fits nowhere is left out.

    demand (kinds, amounts)  what one workload takes of its place, all its copies
    many   (kinds,)          how many workloads there are of the kind
    leave  (kinds,)          micros for each that stands nowhere
    start  (kinds + 1,)      arcs of kind k are start[k] to start[k + 1]
    place  (arcs,)           where
    cost   (arcs,)           micros for each
    room   (places, amounts) what each place gives

All are int64. The amounts are whatever the maker counts, GPUs, CPUs and memory for instance; they
pool within a place, so an assignment that is feasible here may still not fit on single units, and whoever carries it
out asks the engine.

Limits: amounts below 2**53, since prices are sought in floating point; sums of money below 2**63.
"""

from dataclasses import dataclass

import numpy as np

from placement.fleet.columns import Numbers


@dataclass(frozen=True, slots=True)
class Problem:
    """One batch. See the module for shapes."""

    demand: Numbers
    many: Numbers
    leave: Numbers
    start: Numbers
    place: Numbers
    cost: Numbers
    room: Numbers

    @property
    def kinds(self) -> int:
        """How many kinds of workloads."""
        return len(self.many)

    @property
    def places(self) -> int:
        """How many places."""
        return len(self.room)

    @property
    def arc_kind(self) -> Numbers:
        """Shape (arcs,): the kind of each arc."""
        return np.repeat(np.arange(self.kinds), np.diff(self.start))

    def wrong(self) -> tuple[str, ...]:
        """What does not hold of these arrays; empty for a sound problem. For whoever reads them from elsewhere."""
        arcs, found = len(self.place), []
        if self.demand.ndim != 2 or self.room.ndim != 2 or self.demand.shape[1] != self.room.shape[1]:
            return ("demand and room count different amounts",)
        if not len(self.many) == len(self.leave) == len(self.demand) == len(self.start) - 1:
            found.append("the kinds are not as many everywhere")
        elif self.start[0] != 0 or self.start[-1] != arcs or (np.diff(self.start) < 0).any():
            found.append("start does not divide the arcs")
        if len(self.cost) != arcs:
            found.append("the arcs are not as many everywhere")
        if arcs and not 0 <= self.place.min() <= self.place.max() < self.places:
            found.append("an arc leads to no place")
        if any(len(a) and a.min() < 0 for a in (self.demand, self.many, self.leave, self.cost, self.room)):
            found.append("something is below 0")
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where each workload stands: `at` (workloads,) is its place, or `places` where it is left out.

    Workloads of a kind follow each other, kinds in their order; `cost` is the sum over all of them.
    """

    at: Numbers
    cost: int

    def violations(self, problem: Problem) -> tuple[str, ...]:
        """What is infeasible about it; empty where nothing is. It counts anew and trusts nobody."""
        kind = np.repeat(np.arange(problem.kinds), problem.many)
        if len(self.at) != len(kind):
            return ("not every workload is somewhere",)
        found = []
        used = np.zeros((problem.places + 1, problem.room.shape[1]), dtype=np.int64)
        np.add.at(used, self.at, problem.demand[kind])
        over = (used[:-1] > problem.room).any(axis=1)
        if over.any():
            found.append(f"places {np.flatnonzero(over).tolist()} hold more than they have")
        total = 0
        for workload, where in enumerate(self.at.tolist()):
            k = int(kind[workload])
            if where == problem.places:
                total += int(problem.leave[k])
                continue
            arcs = range(int(problem.start[k]), int(problem.start[k + 1]))
            prices = [int(problem.cost[a]) for a in arcs if problem.place[a] == where]
            if not prices:
                found.append(f"workload {workload} stands at {where}, which its rules do not allow")
            else:
                total += min(prices)
        if not found and total != self.cost:
            found.append(f"it costs {total}, not {self.cost}")
        return tuple(found)
