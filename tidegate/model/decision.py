"""Decisions: the recorded outcome for one workload, placed or refused, with every verdict and every number."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What was decided."""

    PLACED = "placed"
    REFUSED = "refused"


class Unit(StrEnum):
    """How the numbers of a miss are to be read."""

    WORDS = "words"
    """`wanted` and `found` are words; the numbers are not used."""
    COUNT = "count"
    BYTES = "bytes"
    BYTES_PER_DAY = "bytes_per_day"
    CPUS_MILLI = "cpus_milli"
    MICROSECONDS = "microseconds"
    MICROS_PER_HOUR = "micros_per_hour"
    GPU_MILLI = "gpu_milli"
    """Thousandths of one GPU's compute."""


@dataclass(frozen=True, slots=True)
class Miss:
    """A rule's "no" for one site: what was wanted and what was found, never prose."""

    rule: str
    """`policy/rule` for law, a plain name for what the engine itself checks (`latency`, `gpu-memory`, ...)."""
    site: str
    key: str
    operator: str
    wanted: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    wanted_number: int = 0
    found_number: int = 0
    unit: Unit = Unit.WORDS
    offer: str = ""
    """The nearest offer, where the rule speaks of offers."""
    measured_at: int = 0
    """When `found` was measured, ms since the epoch; 0 where it was declared."""


@dataclass(frozen=True, slots=True)
class RuleColumn:
    """One rule's verdicts on all candidates, packed: byte i of `allowed` is 1 where candidate i is allowed."""

    rule: str
    because: str
    allowed: bytes
    enforced: bool = True


@dataclass(frozen=True, slots=True)
class Cost:
    """What a candidate costs, in micros per hour, by cause."""

    compute: int = 0
    egress: int = 0
    uplift: int = 0
    idle: int = 0

    @property
    def total(self) -> int:
        """Micros per hour, all causes."""
        return self.compute + self.egress + self.uplift + self.idle


@dataclass(frozen=True, slots=True, order=True)
class Score:
    """How good a candidate is. Lower wins; fields compare top to bottom; the last one makes the order total."""

    displaced: int = 0
    dispreferred: int = 0
    """1 where the workload's `prefer` names other places."""
    cost_micros_per_hour: int = 0
    fragmentation: int = 0
    tie: int = 0


@dataclass(frozen=True, slots=True)
class Slot:
    """So many copies on one offer of one site."""

    site: str
    offer: str
    count: int


@dataclass(frozen=True, slots=True)
class Seat:
    """Where one copy stands: a unit of its offer and, where it has GPUs or a part of one, which."""

    unit: int
    gpus: tuple[int, ...] = ()
    """GPU numbers on the unit, from 0, ascending. Empty: the copy runs without."""
    mig_start: int = 0
    """The memory slice at which a MIG instance begins; 0 too where there is none."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate that every rule allowed, with its price and score."""

    site: str
    slots: tuple[Slot, ...]
    cost: Cost
    score: Score


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to give way in: a field of the workload, from one value to another."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Relaxation:
    """The smallest change that would make the workload fit at a site, and what it would cost there."""

    changes: tuple[Change, ...]
    site: str
    cost_micros_per_hour: int


@dataclass(frozen=True, slots=True)
class RulePrice:
    """What one rule costs this workload: the chosen cost less the best cost without the rule, micros per hour."""

    rule: str
    cheaper_site: str
    micros_per_hour: int


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome for one workload. The full candidate-by-rule matrix is `candidates` by `columns`."""

    outcome: Outcome
    candidates: tuple[str, ...]
    columns: tuple[RuleColumn, ...]
    misses: tuple[Miss, ...]
    ranked: tuple[Ranked, ...]
    """Every candidate that all rules allow, best first; the first is the winner, the second the runner-up."""
    slots: tuple[Slot, ...] = ()
    cost: Cost = Cost()
    relaxations: tuple[Relaxation, ...] = ()
    rule_prices: tuple[RulePrice, ...] = ()
    policies: tuple[str, ...] = ()
    """`name@version` of every policy in force."""
    price_book: str = ""
    decided_at: int = 0
    """Moment, ms since the epoch, as given to the engine."""
    revision: int = 0
    """The log offset whose fold it was decided against."""
    seats: tuple[Seat, ...] = ()
    """One for each copy, slot by slot. Empty in decisions made before seats were recorded: first fit."""

    @property
    def sites(self) -> tuple[str, ...]:
        """The chosen sites, in order, each once."""
        return tuple(dict.fromkeys(slot.site for slot in self.slots))

    @property
    def margin_micros_per_hour(self) -> int:
        """By how much the runner-up lost, in money; 0 where there is none."""
        if len(self.ranked) < 2:
            return 0
        return self.ranked[1].cost.total - self.ranked[0].cost.total
