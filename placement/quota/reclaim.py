"""Reclaim: the least set of victims that makes room, chosen in one fixed order, or none at all.

Of two sets that help, the better one has, in this order: the less important worst victim, fewer victims, less work
lost, the earlier ids. `choose` looks through every set of up to three victims in that order and takes the first that
helps. Where three are not enough it starts from all of them and puts back one after the other, the greatest loss
first, as long as the rest still helps. Either way no smaller part of the answer would do: the sets of up to three by
the order, the others by construction.

`helps` is the judge: the broker's asks the engine, with exactly these victims gone, whether the work is placed. Nobody
is displaced for a set that was not judged so.

Work that falls back on CPUs where no GPU is free may be helped by few and not by many, where it cannot have the GPUs
that these would free for another reason. So sets are then tried though all together do not help.

Limits: 64 candidates, 400 questions to `helps` before it goes over to putting back; 64 where many may help less.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

CANDIDATES = 64
QUESTIONS = 400
AT_ONCE = 3

Helps = Callable[[frozenset[str]], bool]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One that may be displaced."""

    workload_id: str
    rank: int
    """How important; 0 is most."""
    lost: int
    """GPU-seconds of work that it would do again."""
    because: str = ""


Preference = tuple[int, int, int, tuple[str, ...]]


def preference(victims: Iterable[Candidate]) -> Preference:
    """How good a set is: lower is better. Worst importance (negated), number, work lost, ids."""
    chosen = list(victims)
    return (
        -min((one.rank for one in chosen), default=0),
        len(chosen),
        sum(one.lost for one in chosen),
        tuple(sorted(one.workload_id for one in chosen)),
    )


def choose(candidates: Sequence[Candidate], helps: Helps, *, more_may_harm: bool = False) -> tuple[Candidate, ...]:
    """The victims, least loss first; empty where none would help. More victims never help less, or `more_may_harm`."""
    order = sorted(candidates, key=_cheapest)[:CANDIDATES]
    for rank in sorted({one.rank for one in order}, reverse=True):
        pool = [one for one in order if one.rank >= rank]
        all_help = helps(_ids(pool))
        if (all_help or more_may_harm) and (found := _least(pool, rank, helps, all_help)):
            return tuple(sorted(found, key=_cheapest))
    return ()


def _least(pool: list[Candidate], rank: int, helps: Helps, all_help: bool) -> tuple[Candidate, ...]:
    """Of a pool. Sets without a victim of that rank were judged before, in vain."""
    questions = 0
    for size in range(1, min(AT_ONCE, len(pool)) + 1):
        for victims in _sets(pool, size):
            if all(one.rank > rank for one in victims):
                continue
            if questions == (QUESTIONS if all_help else CANDIDATES):
                return _put_back(pool, helps) if all_help else ()
            questions += 1
            if helps(_ids(victims)):
                return victims
    return _put_back(pool, helps) if all_help else ()


def _sets(pool: list[Candidate], size: int) -> Iterator[tuple[Candidate, ...]]:
    """Sets of one size, less work lost first."""
    return iter(sorted(combinations(pool, size), key=preference))


def _put_back(pool: list[Candidate], helps: Helps) -> tuple[Candidate, ...]:
    """What is left of all of them once none can be put back."""
    left = list(pool)
    for one in sorted(pool, key=lambda one: (one.rank, -one.lost, one.workload_id)):
        without = [other for other in left if other is not one]
        if without and helps(_ids(without)):
            left = without
    return tuple(left)


def _cheapest(one: Candidate) -> tuple[int, int, str]:
    return -one.rank, one.lost, one.workload_id


def _ids(victims: Iterable[Candidate]) -> frozenset[str]:
    return frozenset(one.workload_id for one in victims)
