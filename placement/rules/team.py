"""What the rules on teams have in common: one bound, asked for what all copies take, on each model of GPU that matters.

The answer is the same at every place, but where a quota speaks of GPU models: then a place is allowed where the bound
holds for all copies on one model that it offers, and the packing is kept to such offers (`usable`). Where no model
will do now, the place is refused here, and its room and its price are judged on those that could be had if other work
went, which is also what an empty place is judged on; where none ever could, as if there were no quotas. A gang that
would only fit its quota divided over two models is refused; that is the price of a rule that is the same for every
packing. A place with no such GPU is asked without a model, of work that falls back on CPUs: it could stand there.

A bound that the work would break even if its team held nothing is no matter of waiting. That is told place by place
(`Column.for_good`), since a model that could be had elsewhere is none to wait for here; and by the rule's kind where
it leaves too few of the places that no lasting rule refuses (`settle`). What is within a bound now is never said to
break it for good: others may hold what they would keep idle in an empty fleet.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from placement.bits import to_bits
from placement.fleet.columns import Mask, Numbers
from placement.fleet.fleet import Fleet
from placement.quota.amounts import asked, unit
from placement.quota.bounds import Excess
from placement.quota.tree import Tree
from placement.rules.rule import Column, Findings, Plain
from tidegate.model.decision import Kind, Lack
from tidegate.model.workload import Spread, Workload


class TeamRule(Plain):
    """One bound on what teams hold."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.kind = Kind.QUOTA
        self._found: dict[str, Excess | None] = {}

    @abstractmethod
    def speaks(self, workload: Workload) -> bool:
        """Whether there is anything to ask."""

    @abstractmethod
    def bound(self, workload: Workload, fleet: Fleet, wanted: Mapping[str, int]) -> Excess | None:
        """What would be broken by this much more."""

    @abstractmethod
    def ever(self, workload: Workload, fleet: Fleet, wanted: Mapping[str, int]) -> bool:
        """Whether the bound could hold if other work went."""

    def said(self, workload: Workload, fleet: Fleet) -> tuple[Excess | None, ...]:
        """The bound, of each model of GPU where that makes a difference: all that an answer follows from."""
        models = (*fleet.columns.gpu_model.values, "") if self._by_model(workload) else ("",)
        return tuple([self.bound(workload, fleet, asked(workload, model)) for model in models])

    def usable(self, workload: Workload, fleet: Fleet) -> tuple[Mask | None, Mask | None]:
        """Shape (offers,), twice: where copies may stand, and where they might if other work went; None: on all."""
        self._found = {}
        if not self.speaks(workload) or not self._by_model(workload):
            return None, None
        columns, meant = fleet.columns, self._meant(workload, fleet)
        site_any, of_site = columns.site_any, columns.offer_site
        column, holds, could = columns.gpu_model, self._holds, self._could_hold
        now = column.where([holds(workload, fleet, model) for model in column.values])
        ever = now | column.where([could(workload, fleet, model) for model in column.values])
        lasting = ever | ~site_any(ever & meant)[of_site]
        return now | lasting & ~site_any(now & meant)[of_site], lasting

    def column(self, workload: Workload, fleet: Fleet) -> Column:
        """Silent where there is nothing to ask."""
        return super().column(workload, fleet) if self.speaks(workload) else self.silent(fleet)

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,)."""
        self.kind, self._found = Kind.QUOTA, {}
        if not self.speaks(workload):
            return np.ones(len(fleet.columns), dtype=np.bool_)
        return self._places(partial(self._holds, workload, fleet), workload, fleet)

    def settle(self, workload: Workload, fleet: Fleet, column: Column, open_to: Mask) -> Mask:
        """Of what kind the refusals are, and where they are for good. Shape (sites,): those of `open_to` with hope.

        `open_to`, shape (sites,): the places that every lasting rule allows.
        """
        ever = column.allowed | self._places(partial(self._could_hold, workload, fleet), workload, fleet)
        left: Mask = ever & open_to
        if enough(left if open_to.any() else ever, workload):
            column.for_good = to_bits(~ever)
        else:
            self.kind = Kind.SHAPE
        return left

    def _places(self, holds: Callable[[str], bool], workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): where the bound holds on some model that is meant there."""
        if not self._by_model(workload):
            return np.full(len(fleet.columns), holds(""), dtype=np.bool_)
        column, meant, site_any = fleet.columns.gpu_model, self._meant(workload, fleet), fleet.columns.site_any
        found: Mask = site_any(meant & column.where([holds(model) for model in column.values]))
        if workload.demand.cpu_fallback and not holds(""):
            return found
        return found | ~site_any(meant)

    def findings(self, workload: Workload, fleet: Fleet, refused: Numbers) -> Findings:
        """What may be held and what would be, on the first model of the place that the workload could use."""
        lacks: dict[Lack, int] = {}
        codes, numbers = [], []
        for model in self._models(workload, fleet, refused):
            excess = self._judge(workload, fleet, model)
            assert excess is not None  # `allows` refused this place
            key = f"team.{excess.bound}.{excess.name}"
            lack = Lack(key, "Le", (excess.team,) if excess.team else (), (), excess.most, unit(excess.name))
            codes.append(lacks.setdefault(lack, len(lacks)))
            numbers.append(excess.found)
        return Findings(tuple(lacks), np.array(codes, dtype=np.int64), np.array(numbers, dtype=np.int64))

    def _by_model(self, workload: Workload) -> bool:
        return bool(workload.demand.gpu_milli and self.tree.models)

    def _judge(self, workload: Workload, fleet: Fleet, model: str) -> Excess | None:
        if model not in self._found:
            self._found[model] = self.bound(workload, fleet, asked(workload, model))
        return self._found[model]

    def _holds(self, workload: Workload, fleet: Fleet, model: str) -> bool:
        return self._judge(workload, fleet, model) is None

    def _could_hold(self, workload: Workload, fleet: Fleet, model: str) -> bool:
        return self.ever(workload, fleet, asked(workload, model))

    def _models(self, workload: Workload, fleet: Fleet, rows: Numbers) -> list[str]:
        """The first model that each of these places would be asked for; no model where it has none of them."""
        if not self._by_model(workload):
            return [""] * len(rows)
        columns = fleet.columns
        values = (*columns.gpu_model.values, "")
        meant = np.flatnonzero(self._meant(workload, fleet))[::-1]
        first = np.full(len(columns), len(values) - 1, dtype=np.int64)
        first[columns.offer_site[meant]] = columns.gpu_model.codes[meant]
        return [values[code] for code in first[rows]]

    @staticmethod
    def _meant(workload: Workload, fleet: Fleet) -> Mask:
        """Shape (offers,): those with GPUs of a model that the workload takes."""
        models, column = workload.demand.gpu_models, fleet.columns.gpu_model
        wanted: Mask = column.where([not models or model in models for model in column.values])
        return wanted & (fleet.columns.gpus > 0)


def enough(sites: Mask, workload: Workload) -> bool:
    """Whether there are as many places as copies that are spread over them; else whether there is one."""
    return int(sites.sum()) >= (workload.copies if workload.spread is Spread.SITE else 1)
