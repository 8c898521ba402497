"""Verdicts: every rule asked about every site, in four of the engine's numbered steps.

Shared by the engine, which explains and chooses from them, and by `relax`, which asks again with one thing changed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from placement.columns import Mask, Numbers
from placement.fleet import Fleet
from placement.law import Law
from placement.packing import Packing
from placement.rules.available import Available
from placement.rules.copies import Copies
from placement.rules.cpus import Cpus
from placement.rules.engine import EngineRule
from placement.rules.gpu_memory import GpuMemory
from placement.rules.gpu_model import GpuModel
from placement.rules.gpus import Gpus
from placement.rules.latency import AnswerTimes, LatencyRule
from placement.rules.law import lawful_offers
from placement.rules.max_cost import MaxCost
from placement.rules.memory import Memory
from placement.rules.rule import Rule
from placement.rules.spread import SpreadRule
from placement.rules.team_limit import TeamLimit
from placement.rules.volume import Volume
from placement.scoring.cost import Costs, costs
from tidegate.model.workload import Workload

Watch = Callable[[str, dict[str, int]], None]
"""Called at the end of each step with its name and counts, so that the rim can time the steps. It must not raise."""


def silent(step: str, counts: dict[str, int]) -> None:
    """Watches nothing."""


@dataclass(frozen=True, slots=True)
class Column:
    """One rule and its answers, shape (sites,)."""

    rule: Rule
    allowed: Mask


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What the rules said, in their order, with the sums they said it from."""

    columns: tuple[Column, ...]
    packing: Packing
    costs: Costs

    @property
    def allowed(self) -> Mask:
        """Shape (sites,): True where every enforced rule allows the site."""
        return _all_allow(self.columns, len(self.packing.fits))

    @property
    def counts(self) -> dict[str, int]:
        """How many sites each rule refused."""
        return _counts(self.columns)

    @property
    def refusals(self) -> Numbers:
        """Shape (sites,): how many enforced rules refuse each site."""
        refused = np.zeros(len(self.packing.fits), dtype=np.int64)
        for column in self.columns:
            if column.rule.enforced:
                refused += ~column.allowed
        return refused


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, but for the workload itself and the fleet."""

    law: Law
    model_digest: str = ""
    exclude: frozenset[str] = frozenset()
    now: int = 0
    """The moment of the decision, ms since the epoch: how old measurements are."""
    source_region: str | None = None
    """Where the data's origin stands, for a fleet that does not have the site that would say so."""


def judge(workload: Workload, fleet: Fleet, question: Question, watch: Watch = silent) -> Verdicts:
    """Ask every rule about every site."""
    law, digest, columns = question.law, question.model_digest, fleet.columns

    legal = _ask(law.rules, workload, fleet)
    watch("law", _counts(legal))

    times = AnswerTimes(workload, fleet, digest, question.now)
    reach = _ask((Available(question.exclude), EngineRule(), LatencyRule(times), Volume()), workload, fleet)
    watch("reach", _counts(reach))

    prices = law.prices(columns)
    packing = Packing(workload, columns, prices, times.in_time & lawful_offers(law.rules, workload, fleet))
    one_copy = _ask((Gpus(), GpuModel(), GpuMemory(), Cpus(), Memory()), workload, fleet)
    on_offers = tuple(rule for rule in law.rules if rule.enforced and rule.of_offers)
    beside = (*on_offers, *(column.rule for column in (reach[2], *one_copy)))
    room = _ask((Copies(packing, beside), TeamLimit(law.team(workload.team))), workload, fleet)

    source = question.source_region
    if source is None:
        source = columns.region_of_location(workload.data.origin)
    cost = costs(workload, columns, law.tariff, packing.charge, source)
    price = _ask((MaxCost(packing, cost.total, law.price_book is not None),), workload, fleet)

    others = (*legal, *reach, *one_copy, *price, *room)
    spread = _ask((SpreadRule(packing, _all_allow(others, len(columns))),), workload, fleet)
    watch("fit", _counts((*one_copy, *spread, *room)))
    watch("price", _counts(price))
    return Verdicts((*legal, *reach, *one_copy, *spread, *price, *room), packing, cost)


def _ask(rules: tuple[Rule, ...], workload: Workload, fleet: Fleet) -> tuple[Column, ...]:
    return tuple(Column(rule, rule.allows(workload, fleet)) for rule in rules)


def _all_allow(columns: tuple[Column, ...], sites: int) -> Mask:
    allowed = np.ones(sites, dtype=np.bool_)
    for column in columns:
        if column.rule.enforced:
            allowed &= column.allowed
    return allowed


def _counts(columns: tuple[Column, ...]) -> dict[str, int]:
    """How many sites each rule refused."""
    return {column.rule.name: int((~column.allowed).sum()) for column in columns}
