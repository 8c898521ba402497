"""Plans on request: a copy is taken inside a turn, written down beside the loop, and worked on in another process.

The loop stands still for the copy alone (`Proposed.copied_us` says how long). The plan that comes back is made of the
revision of that copy; whether it still holds is asked when it is adopted.

Limits: `TOGETHER` workloads planned at once, horizons of 1 hour to a year.
"""

import asyncio
from dataclasses import dataclass

from broker.core.decide.proposing import Wish
from broker.core.decide.rebalance import MOST_MOVES
from broker.core.part import Part, part, written
from broker.core.state import State
from broker.runtime.clock import Clock
from broker.runtime.loop import Loop
from broker.solver.frames import plan_of, request
from broker.solver.process import DEADLINE_S, Solver
from tidegate.model.errors import Refused
from tidegate.model.plan import Plan

TOGETHER = 10_000
MOST_HOURS = 8_760
SHARE = 0.7
"""Of the deadline, after which the worker ends its plan with what it has; the rest is for starting and answering."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """A plan, how long the loop stood still for it, and how long all of it took."""

    plan: Plan
    copied_us: int
    taken_ms: int


class Planner:
    """Asks the loop for a copy and the solver for a plan."""

    def __init__(self, loop: Loop, solver: Solver, clock: Clock) -> None:
        self._loop = loop
        self._solver = solver
        self._clock = clock

    async def propose(self, wish: Wish, deadline_s: float = DEADLINE_S) -> Proposed:
        """The plan. Refused where the wish makes no sense; Unavailable where the solver did not answer."""
        check(wish)
        began = self._clock.elapsed()

        def copy(state: State, at: int) -> tuple[Part, int, int]:
            since = self._clock.elapsed()
            return part(state), at, int((self._clock.elapsed() - since) * 1e6)

        kept, at, copied_us = await self._loop.read(copy)
        state = await asyncio.to_thread(lambda: b"".join(written(kept)))
        answer = await self._solver.ask(request(wish, at, deadline_s * SHARE, state), deadline_s)
        return Proposed(plan_of(answer), copied_us, int((self._clock.elapsed() - began) * 1_000))


def check(wish: Wish) -> None:
    """Refused, naming the field, where nobody can mean it."""
    if not 1 <= wish.horizon_hours <= MOST_HOURS:
        wanted = f"1 to {MOST_HOURS}"
        raise Refused("is out of bounds", field="horizon_hours", found=wish.horizon_hours, wanted=wanted)
    if not 1 <= wish.most_moves <= MOST_MOVES:
        raise Refused("is out of bounds", field="most_moves", found=wish.most_moves, wanted=f"1 to {MOST_MOVES}")
    if len(wish.together) > TOGETHER:
        raise Refused("are too many", field="together", found=len(wish.together), wanted=f"at most {TOGETHER}")
