"""The shape of a rule: it answers for all sites at once, and gives numbers for all that it refused, at once too."""

from collections.abc import Hashable
from typing import NamedTuple, Protocol

from placement.bits import to_bits, to_mask
from placement.fleet.columns import Mask, Numbers, Part
from placement.fleet.fleet import Fleet
from tidegate.model.decision import Kind, Lack, RuleColumn
from tidegate.model.workload import Workload

Named = tuple[tuple[str, ...], Numbers]
"""Names, and which of them each row has."""


class Findings(NamedTuple):
    """What a rule wanted and found at the sites that it refused, as columns. Shapes (refused,); None: all 0."""

    lacks: tuple[Lack, ...]
    """What the misses have in common, each combination once."""
    codes: Numbers | None = None
    """Which of `lacks`."""
    numbers: Numbers | None = None
    """What was found, where it is a number."""
    offers: Named | None = None
    """The nearest offer, of some; None where the rule speaks of no offers."""
    measured_at: Numbers | None = None
    """When the number was measured, ms since the epoch; 0 where it was declared."""
    samples: Numbers | None = None
    """How many samples the number rests on; 0 where it was declared."""
    likely: Numbers | None = None
    """The number as it was estimated, where what was found counts its uncertainty too."""
    parts: Numbers | None = None
    """The part of the number that is not the distance's: of an answer's time, the service's own."""


class Rule(Protocol):
    """A hard constraint. Rules never see each other's answers, and none is skipped because another said no."""

    @property
    def name(self) -> str:
        """As decisions cite it."""

    @property
    def because(self) -> str:
        """The source of the rule, where it has one."""

    @property
    def enforced(self) -> bool:
        """False where a "no" is only told."""

    @property
    def kind(self) -> Kind:
        """What the rule is about."""

    @property
    def penalty_micros_per_hour(self) -> int:
        """Of a rule that prefers: what a refused candidate counts as costing more; else 0."""

    @property
    def reads(self) -> frozenset[Part]:
        """What it reads of the fleet beside declarations: an answer is forgotten when any of that has changed."""

    def asks(self, workload: Workload) -> Hashable:
        """All that it looks at of the workload and of what it was made with; None where an answer is not to be kept."""

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): True where the rule has nothing against the site."""

    def findings(self, workload: Workload, fleet: Fleet, refused: Numbers) -> Findings:
        """Wanted and found at the sites that `allows` refused, given by their rows in ascending order, one or more.

        Called with the workload and the fleet that `allows` was last called with, so what it found then may be kept.
        """


class Column:
    """One rule and its answers. Shared between decisions, so nothing but `record` is ever written to."""

    __slots__ = ("_allowed", "for_good", "record", "refuses", "rule", "sites")

    def __init__(self, rule: Rule, refuses: int, sites: int, record: RuleColumn | None = None) -> None:
        self.rule = rule
        self.refuses = refuses
        """The sites that it refuses, the first in the lowest bit: so a thousand answers are joined in nanoseconds."""
        self.for_good = 0
        """Those of them that no waiting opens, though the rule's kind is one that it may cure."""
        self.sites = sites
        """How many there are."""
        self.record = record
        """As decisions keep it, once somebody has asked for that (`placement.explain`)."""
        self._allowed: Mask | None = None

    @classmethod
    def of(cls, rule: Rule, allowed: Mask) -> "Column":
        """The column of a mask, shape (sites,)."""
        column = cls(rule, to_bits(~allowed), len(allowed))
        column._allowed = allowed
        return column

    @property
    def allowed(self) -> Mask:
        """Shape (sites,)."""
        if self._allowed is None:
            self._allowed = ~to_mask(self.refuses, self.sites)
        return self._allowed

    @property
    def refused(self) -> int:
        """How many sites the rule refuses."""
        return self.refuses.bit_count()


class Plain:
    """What the engine's own rules have in common: a name, no source but the workload itself, and they bind."""

    name = ""
    because = ""
    enforced = True
    kind = Kind.SHAPE
    penalty_micros_per_hour = 0
    reads: frozenset[Part] = frozenset()

    def asks(self, workload: Workload) -> Hashable:
        """Not to be kept, unless a rule says of what its answer follows."""
        return None

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): True where the rule has nothing against the site."""
        raise NotImplementedError

    def column(self, workload: Workload, fleet: Fleet) -> Column:
        """The answers. A rule that knows its record already gives it with them."""
        return Column.of(self, self.allows(workload, fleet))

    def findings(self, workload: Workload, fleet: Fleet, refused: Numbers) -> Findings:
        """What it wanted and found where it refused."""
        raise NotImplementedError

    def silent(self, fleet: Fleet) -> Column:
        """The column of a rule that refuses nobody, made once."""
        columns = fleet.columns
        found: Column | None = columns.silent.get(self.name)
        if found is None:
            record = RuleColumn(self.name, self.because, self.enforced, self.kind)
            found = columns.silent[self.name] = Column(self, 0, len(columns), record)
        return found
