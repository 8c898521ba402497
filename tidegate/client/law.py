"""The calls about law: a proposed one on trial, and what the one in force costs. See `calls` for what a call is."""

from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.client.calls import Call, Declaration
from tidegate.model.errors import Refused
from tidegate.model.impact import Impact, RuleCost
from tidegate.model.policy import Policy
from tidegate.v1 import impact_pb2
from tidegate.wire import codec


@dataclass(frozen=True)
class TrialWord:
    """What a trial says: how far it is or, last, the impact."""

    done: int = 0
    of: int = 0
    impact: Impact | None = None


@dataclass(frozen=True)
class RuleCosts:
    """What each rule costs each team, the dearest first; over how many placed workloads, and at which offset."""

    costs: tuple[RuleCost, ...]
    placed: int
    offset: int


def try_policies(
    declarations: Sequence[Declaration], without: Sequence[str], since_ms: int, from_offset: int, to_offset: int
) -> Call[TrialWord]:
    """A stream; every declaration must be a policy."""
    others = [noun.name for noun in declarations if not isinstance(noun, Policy)]
    if others:
        raise Refused("holds what is no policy", found=", ".join(others), wanted="Policy alone")
    request = impact_pb2.TryPoliciesRequest(
        policies=[codec.to_message(policy) for policy in declarations],
        without=without,
        since_ms=since_ms,
        from_offset=from_offset,
        to_offset=to_offset,
    )
    return Call("Law", "TryPolicies", request, _word)


def rule_costs() -> Call[RuleCosts]:
    """One answer."""
    return Call("Law", "ListRuleCosts", impact_pb2.ListRuleCostsRequest(), _costs)


def _word(message: impact_pb2.TryPoliciesResponse) -> TrialWord:
    if message.HasField("impact"):
        return TrialWord(impact=codec.from_message(Impact, message.impact))
    return TrialWord(message.done, message.of)


def _costs(message: impact_pb2.ListRuleCostsResponse) -> RuleCosts:
    costs = tuple(codec.from_message(RuleCost, cost) for cost in message.costs)
    return RuleCosts(costs, message.placed, message.offset)
