"""Decisions: the recorded outcome for one workload, placed or refused, with every verdict and every number.

The matrix of verdicts is packed (`tidegate.model.packed`): a decision over a thousand sites under two hundred rules is
some kilobytes, and no object is made for a "no" until somebody asks for it (`Decision.misses`).

It is longer than other files because a decision is one record, and what it holds is read beside what it is made of.
"""

from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from tidegate.model.packed import count_zeros, unpack_bits, unpack_numbers, zeros
from tidegate.model.reading import Reading


class Outcome(StrEnum):
    """What was decided."""

    PLACED = "placed"
    REFUSED = "refused"
    WAITING = "waiting"
    """Refused for now: it would fit if something that is taken came free, and it waits for that."""


class Kind(StrEnum):
    """What a rule is about, and so what could ever change its "no". Rules stand in this order."""

    LAW = "law"
    """A policy in force."""
    REACH = "reach"
    """Where the place is and whether it can be reached: state, engine, latency, volume."""
    SHAPE = "shape"
    """What an empty place could give: models, amounts, how far apart copies could stand."""
    PRICE = "price"
    CAPACITY = "capacity"
    """What is taken there now; it may be given back."""
    QUOTA = "quota"
    """What the team may hold."""


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
    MICROS = "micros"
    """Of money, in a calendar month."""


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
    samples: int = 0
    """How many samples `found_number` rests on; 0 where it was declared."""
    likely_number: int = 0
    """`found_number` as it was estimated, before anything was added for want of samples or for age."""
    part_number: int = 0
    """Of `found_number`, what is not the distance's: of an answer's time, the service's own."""


@dataclass(frozen=True, slots=True)
class Lack:
    """What several misses of one rule have in common; they differ by place, by number and by offer."""

    key: str
    operator: str
    wanted: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    wanted_number: int = 0
    unit: Unit = Unit.WORDS


@dataclass(frozen=True, slots=True)
class RuleColumn:
    """One rule's verdicts on all candidates, packed, with what it wanted and found at those that it refused.

    `codes`, `numbers`, `offer_codes` and those after them hold one number for each refused candidate, in the
    candidates' order. See `tidegate.model.packed` for the bytes.
    """

    rule: str
    because: str = ""
    enforced: bool = True
    kind: Kind = Kind.LAW
    bits: bytes = b""
    """1 where the candidate is allowed; empty where all are."""
    lacks: tuple[Lack, ...] = ()
    codes: bytes = b""
    """Which of `lacks`."""
    numbers: bytes = b""
    """`found_number`."""
    offers: tuple[str, ...] = ()
    """Names of the nearest offers, each once; empty where the rule speaks of no offers."""
    offer_codes: bytes = b""
    """Which of `offers`."""
    measured_at: bytes = b""
    """When `found_number` was measured, ms since the epoch; 0 where it was declared."""
    samples: bytes = b""
    """How many samples `found_number` rests on; 0 where it was declared."""
    likely: bytes = b""
    """`likely_number`."""
    parts: bytes = b""
    """`part_number`."""
    penalty_micros_per_hour: int = 0
    """Of a rule that prefers: what a refused candidate counts as costing more."""
    may_pass: bytes = b""
    """Of a kind that waiting may cure: 0 where it never will at this candidate; empty where it may at all."""

    def allowed(self, candidates: int) -> tuple[bool, ...]:
        """The verdict on each of so many candidates."""
        return unpack_bits(self.bits, candidates)

    def refused(self, candidates: int) -> int:
        """How many of so many candidates the rule refuses."""
        return count_zeros(self.bits, candidates)

    def misses(self, candidates: tuple[str, ...]) -> tuple[Miss, ...]:
        """A miss for every "no", in the candidates' order."""
        rows = zeros(self.bits, len(candidates))
        parts = (
            self.codes,
            self.numbers,
            self.offer_codes,
            self.measured_at,
            self.samples,
            self.likely,
            self.parts,
        )
        columns = zip(rows, *(unpack_numbers(part, len(rows)) for part in parts), strict=True)
        return tuple(
            Miss(
                rule=self.rule,
                site=candidates[row],
                key=(lack := self.lacks[code]).key,
                operator=lack.operator,
                wanted=lack.wanted,
                found=lack.found,
                wanted_number=lack.wanted_number,
                found_number=number,
                unit=lack.unit,
                offer=self.offers[offer] if self.offers else "",
                measured_at=measured_at,
                samples=samples,
                likely_number=likely,
                part_number=part,
            )
            for row, code, number, offer, measured_at, samples, likely, part in columns
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """What a candidate costs, in micros per hour, by cause."""

    compute: int = 0
    egress: int = 0
    uplift: int = 0
    idle: int = 0
    spot_loss: int = 0
    """Work expected to be done twice because capacity is taken away."""
    availability: int = 0
    """What is paid for while it is not there."""

    @property
    def total(self) -> int:
        """Micros per hour, all causes."""
        return self.compute + self.egress + self.uplift + self.idle + self.spot_loss + self.availability

    def __add__(self, other: "Cost") -> "Cost":
        """Both, cause by cause."""
        return Cost(
            self.compute + other.compute,
            self.egress + other.egress,
            self.uplift + other.uplift,
            self.idle + other.idle,
            self.spot_loss + other.spot_loss,
            self.availability + other.availability,
        )


@dataclass(frozen=True, slots=True, order=True)
class Score:
    """How good a candidate is. Lower wins; fields compare top to bottom; the last one makes the order total."""

    displaced: int = 0
    """Work that is done again by those who make room, in GPU-seconds; the same for each candidate of a decision."""
    dispreferred: int = 0
    """1 where the workload's `prefer` names other places."""
    cost_micros_per_hour: int = 0
    """What it costs and, beside that, the penalties of rules that prefer other places."""
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
    penalty_micros_per_hour: int = 0
    """What rules that prefer other places add to its score. Nobody pays it, so it is no part of `cost`."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Every candidate that all enforced rules allow, with price and score, packed as the matrix is.

    `costs`, `scores` and `more_slots` hold one number for each ranked candidate, in the candidates' order and not in
    that of the scores; `offer_codes` and `copies` hold one for each slot, candidate by candidate.
    """

    bits: bytes
    """1 where the candidate is ranked."""
    costs: tuple[bytes, ...] = ()
    """A column for each field of `Cost`, in their order."""
    scores: tuple[bytes, ...] = ()
    """A column for each field of `Score`, in their order, but for the cost: that is `costs` and the penalty."""
    offers: tuple[str, ...] = ()
    """Names of the offers that the slots are on, each once."""
    offer_codes: bytes = b""
    """Which of `offers`."""
    copies: bytes = b""
    more_slots: bytes = b""
    """How many slots a candidate has beyond the first."""
    penalties: bytes = b""
    """What rules that prefer other places add to each; the cost that counts in a score is the sum with it."""

    def count(self, candidates: int) -> int:
        """How many of so many candidates are ranked."""
        return candidates - count_zeros(self.bits, candidates)

    def ranked(self, candidates: tuple[str, ...]) -> tuple[Ranked, ...]:
        """The nouns, best first. ValueError where a column has not one number for each candidate."""
        sites = [name for name, truth in zip(candidates, unpack_bits(self.bits, len(candidates)), strict=True) if truth]
        costs = [Cost(*row) for row in zip(*(unpack_numbers(one, len(sites)) for one in self.costs), strict=True)]
        penalties = unpack_numbers(self.penalties, len(sites))
        marks = zip(*(unpack_numbers(one, len(sites)) for one in self.scores), strict=True)
        money = [cost.total + penalty for cost, penalty in zip(costs, penalties, strict=True)]
        scores = [Score(*(*mark[:_COST], one, *mark[_COST:])) for mark, one in zip(marks, money, strict=True)]
        each = zip(sites, self._slots(sites), costs, scores, penalties, strict=True)
        return tuple(sorted((Ranked(*one) for one in each), key=lambda one: one.score))

    def _slots(self, sites: list[str]) -> list[tuple[Slot, ...]]:
        counts = [1 + more for more in unpack_numbers(self.more_slots, len(sites))]
        offers = unpack_numbers(self.offer_codes, sum(counts))
        copies = unpack_numbers(self.copies, sum(counts))
        each = iter([(self.offers[offer], count) for offer, count in zip(offers, copies, strict=True)])
        return [
            tuple(Slot(site, *slot) for slot in islice(each, count)) for site, count in zip(sites, counts, strict=True)
        ]


_COST = Score.__match_args__.index("cost_micros_per_hour")


@dataclass(frozen=True, slots=True)
class RulePrice:
    """What one rule costs this workload: the chosen cost less the best cost without the rule, micros per hour."""

    rule: str
    cheaper_site: str
    micros_per_hour: int


@dataclass(frozen=True, slots=True)
class Brief:
    """A decision without its matrix: what the broker's state keeps of it. The log keeps the whole."""

    outcome: Outcome
    slots: tuple[Slot, ...] = ()
    cost: Cost = Cost()
    candidates: int = 0
    allowed: int = 0
    """How many candidates all enforced rules allowed."""
    runner_up: str = ""
    margin_micros_per_hour: int = 0
    policies: tuple[str, ...] = ()
    price_book: str = ""
    decided_at: int = 0
    revision: int = 0
    rule_prices: tuple[RulePrice, ...] = ()

    @property
    def sites(self) -> tuple[str, ...]:
        """The chosen sites, in order, each once."""
        return tuple(dict.fromkeys(slot.site for slot in self.slots))


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
class Victim:
    """A workload that makes room for the one decided: with it there, there would be none."""

    workload_id: str
    name: str
    team: str
    because: str
    """`borrowed` (it held what its team only borrowed) or `priority` (less important work of the same team)."""
    gpus_milli: int = 0
    """What it held, in thousandths of a GPU."""
    lost_gpu_seconds: int = 0
    """Work done since its last checkpoint, or its start, that it does again; CPU-seconds where it has no GPU."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """An amount that is not known to the micro: never below `low`, expected at `point`, not above `high`."""

    low: int = 0
    point: int = 0
    high: int = 0

    def __add__(self, other: "Estimate") -> "Estimate":
        return Estimate(self.low + other.low, self.point + other.point, self.high + other.high)


@dataclass(frozen=True, slots=True)
class MonthlyRange:
    """What a month of a workload costs where it was placed, in micros, by cause. `placement.money.range` defines it."""

    compute: Estimate = Estimate()
    egress: Estimate = Estimate()
    uplift: Estimate = Estimate()
    idle: Estimate = Estimate()
    spot_loss: Estimate = Estimate()
    availability: Estimate = Estimate()
    runs_milli: int = 0
    """Thousandths of runs in a month; 0 where it runs all the time."""
    per_run: Estimate = Estimate()
    """One run, all causes; nothing where it runs all the time."""
    hours_milli: int = 0
    """Thousandths of hours that it is expected to run in a month; 0 in decisions of before this was recorded."""

    @property
    def total(self) -> Estimate:
        """All causes."""
        return self.compute + self.egress + self.uplift + self.idle + self.spot_loss + self.availability


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome for one workload. The full candidate-by-rule matrix is `candidates` by `columns`."""

    outcome: Outcome
    candidates: tuple[str, ...]
    columns: tuple[RuleColumn, ...]
    ranking: Ranking | None = None
    """Every candidate that all enforced rules allow; None where none is."""
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
    victims: tuple[Victim, ...] = ()
    """Who makes room, least loss first: every one of them is needed."""
    monthly: MonthlyRange = MonthlyRange()
    runner_up: str = ""
    """The best of those that were not chosen; empty where there is none."""
    margin_micros_per_hour: int = 0
    """By how much the runner-up lost to the last one chosen, in money; below 0 where money did not decide."""
    among: bytes = b""
    """The candidates that the caller asked about, as bits; empty where all. The others were left out."""
    readings: tuple[Reading, ...] = ()
    """What a promised answer time rests on, for each chosen site and origin; empty where none was promised."""

    @property
    def ranked(self) -> tuple[Ranked, ...]:
        """Every candidate that all enforced rules allow, best first: the winner, the runner-up, the rest. Made anew."""
        return self.ranking.ranked(self.candidates) if self.ranking else ()

    @property
    def allowed(self) -> int:
        """How many candidates all enforced rules allow."""
        return self.ranking.count(len(self.candidates)) if self.ranking else 0

    @property
    def brief(self) -> Brief:
        """What is left without the matrix."""
        return Brief(
            outcome=self.outcome,
            slots=self.slots,
            cost=self.cost,
            candidates=len(self.candidates),
            allowed=self.allowed,
            runner_up=self.runner_up,
            margin_micros_per_hour=self.margin_micros_per_hour,
            policies=self.policies,
            price_book=self.price_book,
            decided_at=self.decided_at,
            revision=self.revision,
            rule_prices=self.rule_prices,
        )

    @property
    def misses(self) -> tuple[Miss, ...]:
        """A miss for every "no", by rule and then by candidate; those of rules that only warn included. Made anew."""
        return tuple(miss for column in self.columns for miss in column.misses(self.candidates))

    @property
    def sites(self) -> tuple[str, ...]:
        """The chosen sites, in order, each once."""
        return tuple(dict.fromkeys(slot.site for slot in self.slots))

    def seats_at(self, site: str) -> tuple[Seat, ...]:
        """The seats of the copies at one site, slot by slot; empty where the decision has none."""
        if not self.seats:
            return ()
        stands = [slot.site for slot in self.slots for _ in range(slot.count)]
        return tuple(seat for where, seat in zip(stands, self.seats, strict=True) if where == site)
