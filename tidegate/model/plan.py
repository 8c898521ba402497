"""Plans: several changes proposed at once, each with its gain and its disruption. A value that leaves no choices.

A plan was made of the fleet as it stood at `revision` (its parent). It can be adopted for as long as nothing that
placement depends on has changed since, and is then carried out in the order in which its moves stand; otherwise it is
refused, and a new one is made. What it says of money is the steady part: prices and law, nothing that fluctuates.

A plan for workloads that nobody has submitted yet (`tidegate plan FILE... --together`) has moves from nowhere: `before`
and `workload_id` are empty.
"""

from dataclasses import dataclass
from enum import StrEnum

from tidegate.model.decision import Slot


class Goal(StrEnum):
    """Why something may be moved, the strongest reason first."""

    LEGAL = "legal"
    """An enforced rule now forbids where it stands."""
    CHEAPER = "cheaper"
    """The same work costs less elsewhere."""
    CONSOLIDATE = "consolidate"
    """A unit that little stands on becomes empty, at no greater cost."""
    DRAIN = "drain"
    """The operator wants the site empty. Of a plan that `tidegate drain` makes; no plan over the fleet asks for it."""


FLEET_GOALS = (Goal.LEGAL, Goal.CHEAPER, Goal.CONSOLIDATE)
"""What a plan over the whole fleet may be made for."""


class Manner(StrEnum):
    """How a workload changes its place."""

    MAKE_BEFORE_BREAK = "make_before_break"
    """It stands at both places until it runs at the new one."""
    STOP_FIRST = "stop_first"
    """It is stopped, and then started at the new place; its own room counts as free."""


class Stays(StrEnum):
    """Why something that a goal speaks of is left where it is."""

    NOWHERE = "nowhere"
    """No lawful place has room for it, whatever else moves."""
    NO_ROOM = "no_room"
    """There is a better place, which others fill, or which has no room for both copies of a service at once."""
    TOO_DEAR = "too_dear"
    """Moving costs more than is gained within the horizon."""
    LATER = "later"
    """The plan was long enough, or its time was up; another one can go on."""
    ENDS = "ends"
    """It is a job, which ends by itself: moving it would lose what it has done."""


@dataclass(frozen=True, slots=True)
class Disruption:
    """What a move costs once, whatever it gains afterwards."""

    manner: Manner = Manner.MAKE_BEFORE_BREAK
    copies_restarted: int = 0
    bytes_moved: int = 0
    """Model, code and the data that has to be there before the work can start."""
    cost_micros: int = 0
    """Moving the bytes, paying for both places meanwhile, and the work that is lost."""


@dataclass(frozen=True, slots=True)
class PlannedMove:
    """One workload from where it stands to where it shall stand."""

    workload_id: str
    name: str
    before: tuple[Slot, ...]
    after: tuple[Slot, ...]
    goal: Goal
    gain_micros_per_hour: int
    """What it costs now less what it costs there; below 0 where the law asks for a dearer place."""
    disruption: Disruption = Disruption()
    outlawed_by: tuple[str, ...] = ()
    """The enforced rules against where it stands, where the goal is `legal`."""
    wave: int = 0
    """Above 0: it needs room that services moved in the waves before still hold, and waits until they have left."""


@dataclass(frozen=True, slots=True)
class Staying:
    """One workload that a goal speaks of and that the plan leaves where it is."""

    workload_id: str
    name: str
    goal: Goal
    why: Stays


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything proposed, in the order in which it is to be done, and how good it can be at all."""

    revision: int
    """The log offset whose fold it was made of; its parent."""
    moves: tuple[PlannedMove, ...] = ()
    staying: tuple[Staying, ...] = ()
    considered: int = 0
    """Workloads that could have moved."""
    cost_before_micros_per_hour: int = 0
    """Of everything considered, as it stands."""
    cost_after_micros_per_hour: int = 0
    bound_micros_per_hour: int = 0
    """What no assignment of everything considered can cost less than, as the relaxation proves."""
    units_before: int = 0
    """Units on which anything stands."""
    units_after: int = 0
    horizon_hours: int = 0
    """Within which a move must gain more than it costs."""
    solver: str = ""
    """What found the prices: `highs` or `ascent`."""
    made_at: int = 0
    """Moment, ms since the epoch, as given."""

    @property
    def gain_micros_per_hour(self) -> int:
        """Of all moves together."""
        return sum(move.gain_micros_per_hour for move in self.moves)

    @property
    def over_bound_ppm(self) -> int:
        """How far above the bound everything considered stands afterwards, in millionths; 0 where there is none."""
        if self.bound_micros_per_hour <= 0:
            return 0
        above = self.cost_after_micros_per_hour - self.bound_micros_per_hour
        return max(0, above * 1_000_000 // self.bound_micros_per_hour)
