"""What a proposed law would do before it is applied, and what the law in force costs: values that nobody adopts.

An `Impact` holds the law as it would be against what stands now and against decisions that the log recorded. It lists
only what the proposal touches: where both laws give the same answer, nothing is said.
"""

from dataclasses import dataclass
from enum import StrEnum


class Touch(StrEnum):
    """What a proposed law would do to one workload, or would have done to one recorded decision."""

    ILLEGAL = "illegal"
    """It stands where the law would forbid it."""
    MOVES = "moves"
    """It may stay; decided again, it would go elsewhere than under the law in force."""
    OPENED = "opened"
    """It waits, or was refused, and could be placed."""
    CLOSED = "closed"
    """It was placed, and could be placed nowhere."""


@dataclass(frozen=True, slots=True)
class Touched:
    """One workload that a proposed law touches. Money is micros per hour."""

    touch: Touch
    workload_id: str
    name: str
    team: str
    offset: int = 0
    """Of the recorded decision; 0 for what stands or waits now."""
    before: tuple[str, ...] = ()
    """The sites under the law in force, or those where it stands; empty for none."""
    after: tuple[str, ...] = ()
    """The sites under the proposed law; empty where there would be none."""
    rules: tuple[str, ...] = ()
    """Of the law that closes: the rules that say no to `before`. Of one that opens: those that said no to `after`."""
    before_micros_per_hour: int = 0
    after_micros_per_hour: int = 0

    @property
    def more_micros_per_hour(self) -> int:
        """What it would cost more (or less, below 0); 0 where it has no place before or after to compare."""
        return self.after_micros_per_hour - self.before_micros_per_hour if self.before and self.after else 0


@dataclass(frozen=True, slots=True)
class Impact:
    """A proposed law against what stands at `revision`, and against the decisions of a window of the log."""

    policies: tuple[str, ...]
    """`name@version` of all that would be in force."""
    revision: int
    standing: int = 0
    """How many workloads stand or wait now."""
    decisions: int = 0
    """How many recorded decisions lie in the window."""
    from_offset: int = 0
    to_offset: int = 0
    touched: tuple[Touched, ...] = ()
    """What stands now first, then by offset."""

    @property
    def illegal(self) -> tuple[Touched, ...]:
        """What stands now where it would be forbidden."""
        return tuple(one for one in self.touched if one.touch is Touch.ILLEGAL)

    @property
    def more_micros_per_hour(self) -> int:
        """What everything that stands now would cost more, once it stood where it then should."""
        return sum(one.more_micros_per_hour for one in self.touched if one.offset == 0)


@dataclass(frozen=True, slots=True)
class RuleCost:
    """What one rule costs one team over everything that it has placed: the sum of the recorded prices of the rule."""

    rule: str
    """`policy/rule` for law, a plain name for what a workload itself asks (`latency`, ...)."""
    team: str
    workloads: int
    """To how many it costs something."""
    micros_per_hour: int
