"""What the rules on teams have in common: one bound, asked for what all copies take, on each model of GPU that matters.

The answer is the same at every place, but where a quota speaks of GPU models: then a place is allowed where the bound
holds for all copies on one model that it offers, and the packing is kept to such offers (`offers`); where no model
will do, the place is refused here and its room is judged as if there were no quotas. What an empty place could give is
judged on the offers where the bound could hold if other work went (`ever_offers`). A gang that would only fit its
quota divided over two models is refused; that is the price of a rule that is the same for every packing.

A bound that the work would break even if its team held nothing is of the kind that no waiting cures: at every place
that no lasting rule refuses (`settle`), since a model of GPU that could be had elsewhere, where the work may not go,
is none to wait for.
"""

from abc import abstractmethod
from collections.abc import Mapping

import numpy as np

from placement.fleet.columns import UNKNOWN, Mask, Numbers
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
        models = fleet.columns.gpu_model.values if self._by_model(workload) else ("",)
        return tuple([self.bound(workload, fleet, asked(workload, model)) for model in models])

    def offers(self, workload: Workload, fleet: Fleet) -> Mask | None:
        """Shape (offers,): where copies may stand; None where every offer is alike."""
        self._found = {}
        if not self.speaks(workload) or not self._by_model(workload):
            return None
        return self._or_all_alike(self._open(workload, fleet), workload, fleet)

    def ever_offers(self, workload: Workload, fleet: Fleet) -> Mask | None:
        """Shape (offers,): where copies might stand if other work went; None where every offer is alike."""
        if not self.speaks(workload) or not self._by_model(workload):
            return None
        return self._or_all_alike(self._ever_open(workload, fleet), workload, fleet)

    def _or_all_alike(self, within: Mask, workload: Workload, fleet: Fleet) -> Mask:
        columns = fleet.columns
        some = columns.site_any(within & self._meant(workload, fleet))
        return within | ~some[columns.offer_site]

    def column(self, workload: Workload, fleet: Fleet) -> Column:
        """Silent where there is nothing to ask."""
        return super().column(workload, fleet) if self.speaks(workload) else self.silent(fleet)

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,)."""
        sites = len(fleet.columns)
        self.kind, self._found = Kind.QUOTA, {}
        if not self.speaks(workload):
            return np.ones(sites, dtype=np.bool_)
        models = [""]
        if by_model := self._by_model(workload):
            values = fleet.columns.gpu_model.values
            models = [values[code] for code in np.unique(fleet.columns.gpu_model.codes[self._meant(workload, fleet)])]
        good = [self._judge(workload, fleet, model) is None for model in models]
        if not by_model:
            return np.full(sites, good[0], dtype=np.bool_)
        meant, site_any = self._meant(workload, fleet), fleet.columns.site_any
        return site_any(meant & self._open(workload, fleet)) | ~site_any(meant)

    def settle(self, workload: Workload, fleet: Fleet, open_to: Mask) -> Mask:
        """Of what kind the refusals are. `open_to`, shape (sites,): those that every lasting rule allows.

        Those of them where the bound could hold if other work went, on a model that the place offers.
        """
        if not self._by_model(workload):
            ever = np.full(len(open_to), self.ever(workload, fleet, asked(workload)), dtype=np.bool_)
        else:
            meant, site_any = self._meant(workload, fleet), fleet.columns.site_any
            ever = site_any(meant & self._ever_open(workload, fleet)) | ~site_any(meant)
        left: Mask = ever & open_to
        if not enough(left if open_to.any() else ever, workload):
            self.kind = Kind.SHAPE
        return left

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

    def _open(self, workload: Workload, fleet: Fleet) -> Mask:
        column = fleet.columns.gpu_model
        return column.where([self._judge(workload, fleet, model) is None for model in column.values])

    def _ever_open(self, workload: Workload, fleet: Fleet) -> Mask:
        column = fleet.columns.gpu_model
        return column.where([self.ever(workload, fleet, asked(workload, model)) for model in column.values])

    def _models(self, workload: Workload, fleet: Fleet, rows: Numbers) -> list[str]:
        """The first model that each of these places would be asked for."""
        if not self._by_model(workload):
            return [""] * len(rows)
        columns = fleet.columns
        meant = np.flatnonzero(self._meant(workload, fleet))[::-1]
        first = np.full(len(columns), UNKNOWN, dtype=np.int64)
        first[columns.offer_site[meant]] = columns.gpu_model.codes[meant]
        return [columns.gpu_model.values[code] for code in first[rows]]

    @staticmethod
    def _meant(workload: Workload, fleet: Fleet) -> Mask:
        """Shape (offers,): those with GPUs of a model that the workload takes."""
        models, column = workload.demand.gpu_models, fleet.columns.gpu_model
        wanted: Mask = column.where([not models or model in models for model in column.values])
        return wanted & (fleet.columns.gpus > 0)


def enough(sites: Mask, workload: Workload) -> bool:
    """Whether there are as many places as copies that are spread over them; else whether there is one."""
    return int(sites.sum()) >= (workload.copies if workload.spread is Spread.SITE else 1)
