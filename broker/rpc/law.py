"""The Law service: a proposed law on trial, and what the law in force costs. Reads only."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from broker.core.rule_costs import rule_costs
from broker.runtime.loop import Loop
from broker.trial.process import Progress, Trials, Window
from tidegate.model.policy import Policy
from tidegate.v1 import impact_pb2 as wire
from tidegate.v1.impact_pb2_grpc import LawServicer
from tidegate.wire.codec import from_message, to_message


class Law(LawServicer):
    """Convert, call, convert."""

    def __init__(self, loop: Loop, trials: Trials) -> None:
        self._loop = loop
        self._trials = trials

    async def TryPolicies(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """Progress about once a second, then the impact."""
        policies = tuple(from_message(Policy, message) for message in request.policies)
        window = Window(request.since_ms, request.from_offset, request.to_offset)
        async with aclosing(self._trials.run(policies, tuple(request.without), window)) as told:
            async for said in told:
                if isinstance(said, Progress):
                    yield wire.TryPoliciesResponse(done=said.done, of=said.of)
                else:
                    yield wire.TryPoliciesResponse(impact=to_message(said))

    async def ListRuleCosts(self, request: Any, context: Any) -> Any:
        """The dearest first."""
        costs, placed, offset = await self._loop.read(lambda state, at: (*rule_costs(state), state.offset))
        return wire.ListRuleCostsResponse(costs=[to_message(cost) for cost in costs], placed=placed, offset=offset)
