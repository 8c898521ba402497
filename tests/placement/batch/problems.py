"""Small batches at random, and the best that can be done with them by trying everything."""

from itertools import product

import numpy as np
from hypothesis import strategies as st

from placement.batch.problem import Problem


def problem(
    kinds: list[tuple[tuple[int, ...], int, dict[int, int]]], room: list[tuple[int, ...]], leave: int
) -> Problem:
    """From (demand, how many, cost by place) of each kind and the room of each place."""
    amounts = len(room[0]) if room else 2
    return Problem(
        demand=np.array([demand for demand, _, _ in kinds], dtype=np.int64).reshape(-1, amounts),
        many=np.array([many for _, many, _ in kinds], dtype=np.int64),
        leave=np.full(len(kinds), leave, dtype=np.int64),
        start=np.cumsum([0, *(len(costs) for _, _, costs in kinds)], dtype=np.int64),
        place=np.array([place for _, _, costs in kinds for place in sorted(costs)], dtype=np.int64),
        cost=np.array([costs[place] for _, _, costs in kinds for place in sorted(costs)], dtype=np.int64),
        room=np.array(room, dtype=np.int64).reshape(-1, amounts),
    )


@st.composite
def problems(draw: st.DrawFn, *, uniform: bool = False) -> Problem:
    """Up to 5 workloads of up to 3 kinds on up to 3 places of two amounts; often tight, often tied."""
    places = draw(st.integers(1, 3))
    amount = st.integers(0, 4)
    same = (draw(st.integers(1, 3)), draw(amount))
    kinds = []
    for _ in range(draw(st.integers(1, 3))):
        costs = draw(st.dictionaries(st.integers(0, places - 1), st.sampled_from((0, 1, 7, 7, 50)), max_size=places))
        demand = same if uniform else (draw(amount), draw(amount))
        kinds.append((demand, draw(st.integers(1, 2)), costs))
    room = [(draw(st.integers(0, 8)), draw(st.integers(0, 8))) for _ in range(places)]
    return problem(kinds, room, leave=draw(st.sampled_from((51, 500))))


def best(asked: Problem) -> int:
    """The cost of the cheapest assignment, by trying all of them."""
    kind = np.repeat(np.arange(asked.kinds), asked.many)
    choices = [
        [(asked.places, int(asked.leave[k]))]
        + [(int(asked.place[a]), int(asked.cost[a])) for a in range(asked.start[k], asked.start[k + 1])]
        for k in kind
    ]
    least = 2**62
    for chosen in product(*choices):
        used = np.zeros((asked.places + 1, asked.room.shape[1]), dtype=np.int64)
        np.add.at(used, [place for place, _ in chosen], asked.demand[kind])
        if (used[:-1] <= asked.room).all():
            least = min(least, sum(cost for _, cost in chosen))
    return least
