"""Verdicts: every rule asked about every site, in four of the engine's numbered steps.

Shared by the engine, which explains and chooses from them, and by `relax`, which asks again with one thing changed.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from placement.bits import to_mask
from placement.explain import record
from placement.fleet.columns import Mask, Numbers
from placement.fleet.fleet import Fleet
from placement.lately import Lately
from placement.law.compiled import Compiled
from placement.law.law import Law
from placement.law.legal import Legal
from placement.packing.packing import Packing
from placement.packing.usable import Usable
from placement.rules.available import Available
from placement.rules.copies import Copies, CopiesFree
from placement.rules.cpus import Cpus, CpusFree
from placement.rules.engine import EngineRule
from placement.rules.gpu_memory import GpuMemory, GpuMemoryFree
from placement.rules.gpu_model import GpuModel
from placement.rules.gpu_sharing import GpuSharingRule
from placement.rules.gpus import Gpus, GpusFree
from placement.rules.latency import Arrivals, LatencyRule, Measured
from placement.rules.max_cost import MaxCost
from placement.rules.memory import Memory, MemoryFree
from placement.rules.products import Products
from placement.rules.rule import Column, Plain
from placement.rules.spread import SpreadRule
from placement.rules.team import TeamRule
from placement.rules.team_budget import TeamBudget
from placement.rules.team_limit import TeamLimit
from placement.rules.team_quota import TeamQuota
from placement.rules.volume import Volume, VolumeFree
from placement.scoring.cost import Costs
from tidegate.model.workload import Workload

ENGINE, VOLUME = EngineRule(), Volume()
SHAPE: tuple[Plain, ...] = (Gpus(), GpuModel(), GpuMemory(), GpuSharingRule(), Cpus(), Memory())
LINK = VolumeFree()
FREE: tuple[Plain, ...] = (GpusFree(), GpuMemoryFree(), CpusFree(), MemoryFree())
"""Rules that know nothing but what they are asked, made once."""

MOST_ANSWERS = 20_000_000
"""Sites times the answers kept of the engine's own rules: about four times as many bytes."""

Watch = Callable[[str, dict[str, int]], None]
"""Called at the end of each step with its name and counts, so that the rim can time the steps. It must not raise."""


def silent(step: str, counts: dict[str, int]) -> None:
    """Watches nothing."""


class Verdicts(NamedTuple):
    """What the rules said, in their order, with the sums they said it from."""

    legal: Legal
    own: tuple[Column, ...]
    """Of the engine's own rules, all of which are enforced."""
    packing: Packing
    costs: Costs
    usable: Usable
    """The offers that all but the law leaves to the packing."""
    measured: Measured
    """What was known of how long an answer takes."""
    bits: int
    """The sites that every enforced rule allows."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """Every rule's answers, those of the law first."""
        return (*self.legal.columns, *self.own)

    @property
    def allowed(self) -> Mask:
        """Shape (sites,): the same as a mask."""
        return to_mask(self.bits, self.legal.sites)

    @property
    def misses(self) -> int:
        """How many answers were "no"."""
        return sum([column.refused for column in self.columns])

    @property
    def refusals(self) -> Numbers:
        """Shape (sites,): how many enforced rules refuse each site."""
        refused = self.legal.refusals()
        for column in self.own:
            if column.refuses:
                refused += ~column.allowed
        return refused

    def by_one_alone(self, among: int) -> list[tuple[Column, int]]:
        """For each enforced rule that refuses a site which no other refuses: those sites of some, as bits."""
        if not among:
            return []
        own = [column for column in self.own if column.refuses]
        once, twice = self.legal.once, self.legal.twice
        for column in own:
            twice |= once & column.refuses
            once |= column.refuses
        alone = once & ~twice & among
        if not alone:
            return []
        each = (*self.legal.refusing_any(alone), *own)
        return [(column, bits) for column in each if (bits := column.refuses & alone)]


class Question(NamedTuple):
    """What is asked, but for the workload itself and the fleet."""

    law: Law
    model_digest: str = ""
    exclude: frozenset[str] = frozenset()
    now: int = 0
    """The moment of the decision, ms since the epoch: how old measurements are, and which month it is."""
    source_region: str | None = None
    """Where the data's origin stands, for a fleet that does not have the site that would say so."""


def legal_of(workload: Workload, fleet: Fleet, law: Law) -> Legal:
    """What the law says at every site."""
    columns = fleet.columns
    return columns.kept(("law", id(law.rules)), lambda: Compiled(law.rules, columns)).legal(workload, fleet)


def judge(
    workload: Workload,
    fleet: Fleet,
    question: Question,
    watch: Watch = silent,
    legal: Legal | None = None,
    packing: Packing | None = None,
    measured: Measured | None = None,
) -> Verdicts:
    """Ask every rule about every site.

    What is known already need not be found out: what the law says (`legal`), where copies stand (`packing`), and how
    long an answer takes (`measured`).
    """
    law, columns = question.law, fleet.columns
    everywhere = _everywhere(len(columns))

    legal = legal or legal_of(workload, fleet, law)

    if watch is not silent:
        watch("law", legal.counts)

    stores = fleet.homes
    products = (Products(law.rules, stores).column(workload, fleet),) if stores else ()
    measured = measured or Measured.at(workload, fleet, question.model_digest, question.now)
    latency = LatencyRule(Arrivals.of(measured, columns) if measured.latency else None)
    reach = _ask((Available(question.exclude), ENGINE, latency, VOLUME), workload, fleet)

    if watch is not silent:
        watch("reach", _counts(reach))

    limit, share = TeamLimit(law.tree), TeamQuota(law.tree)
    shape = _ask(SHAPE, workload, fleet)
    usable = _usable(latency, reach[2], (limit, share), workload, fleet)
    if packing is None:
        lawful = usable.within(legal.offers, legal.offers)
        other_models = ~shape[1].allowed if shape[1].refuses else None
        packing = Packing(workload, columns, law.prices(columns), lawful, other_models)
    too_late, too_small = reach[2].refuses, _refused(shape)
    one_copy = legal.for_offers & ~(too_late | too_small)
    copies = Copies(packing, one_copy).column(workload, fleet)

    source = question.source_region
    if source is None:
        source = columns.region_of_location(workload.data.origin)
    cost = Costs(workload, columns, law.tariff, packing, source)
    price = (MaxCost(packing, cost.total, law.price_book is not None).column(workload, fleet),)

    lasting = everywhere & ~(legal.once | too_small | copies.refuses | _refused((*products, *reach, *price)))
    spread = SpreadRule(packing, lasting).column(workload, fleet)
    shape = (*shape, copies, spread)
    too_small |= copies.refuses | spread.refuses

    link, free = LINK.column(workload, fleet), [rule.column(workload, fleet) for rule in FREE]
    too_full = _refused(free)
    has_room = legal.for_offers & ~(too_late | too_small | too_full)
    allowed = lasting & ~(too_small | too_full | link.refuses)
    free = [link, *free, CopiesFree(packing, has_room, allowed).column(workload, fleet)]
    budget = TeamBudget(law.tree, packing, cost.total, question.now)
    asked_of: tuple[TeamLimit | TeamQuota | TeamBudget, ...] = (limit, share, budget)
    quotas = [quota.column(workload, fleet) for quota in asked_of]
    if _refused(quotas):
        open_to = to_mask(lasting & ~too_small, len(columns))
        for quota, column in zip(asked_of, quotas, strict=True):
            if column.refuses:
                open_to = quota.settle(workload, fleet, column, open_to)
    if watch is not silent:
        watch("fit", _counts((*shape, *free, *quotas)))
        watch("price", _counts(price))
    own = (*products, *reach, *shape, *price, *free, *quotas)
    return Verdicts(legal, own, packing, cost, usable, measured, everywhere & ~(legal.once | _refused(own)))


REACH, PRICE = ("available", "engine", "latency", "volume"), ("max-cost",)


def watch_again(verdicts: Verdicts, watch: Watch) -> None:
    """Tell the steps of a judgement that was made before."""
    if watch is silent:
        return
    own = [column for column in verdicts.own if column.rule.name != "products"]
    watch("law", verdicts.legal.counts)
    watch("reach", _counts([column for column in own if column.rule.name in REACH]))
    watch("fit", _counts([column for column in own if column.rule.name not in (*REACH, *PRICE)]))
    watch("price", _counts([column for column in own if column.rule.name in PRICE]))


def _usable(
    latency: LatencyRule, late: Column, teams: tuple[TeamRule, ...], workload: Workload, fleet: Fleet
) -> Usable:
    """Those that answer soon enough, or all of a site where none does, and that quotas leave open."""
    soon = latency.in_time(workload, fleet)
    if soon is not None and late.refuses:
        soon |= fleet.columns.at_offers(~late.allowed)
    usable = Usable(soon, soon)
    for rule in teams:
        usable = usable.within(*rule.usable(workload, fleet))
    return usable


def _ask(rules: tuple[Plain, ...], workload: Workload, fleet: Fleet) -> tuple[Column, ...]:
    """Each rule's answers: those that it gave when it was last asked the same, where nothing that it reads changed."""
    columns = fleet.columns
    stamps = columns.stamps
    answers: Lately[Column] = columns.kept("answers", lambda: Lately(MOST_ANSWERS // (len(columns) + 1)))
    found: list[Column] = []
    for rule in rules:
        asked = rule.asks(workload)
        if asked is None:
            found.append(rule.column(workload, fleet))
            continue
        key = (rule.name, asked, tuple([stamps[part] for part in rule.reads]) if rule.reads else ())
        column = answers.get(key)
        if column is None:
            column = rule.column(workload, fleet)
            record(column, workload, fleet)
            answers.put(key, column)
        found.append(column)
    return tuple(found)


def _refused(columns: Iterable[Column]) -> int:
    """The sites that any of these enforced rules refuses, as bits."""
    refused = 0
    for column in columns:
        if column.refuses:
            refused |= column.refuses
    return refused


def _everywhere(sites: int) -> int:
    return (1 << sites) - 1


def _counts(columns: Iterable[Column]) -> dict[str, int]:
    """How many sites each rule refused."""
    return {column.rule.name: column.refuses.bit_count() for column in columns}
