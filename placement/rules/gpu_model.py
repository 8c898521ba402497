"""GPU model: one of those that the workload names. Not asked where it falls back on CPUs, or names none."""

import numpy as np

from placement.columns import Mask
from placement.fleet import Fleet
from placement.rules.rule import Plain, SiteRow
from tidegate.model.decision import Miss
from tidegate.model.workload import Workload


class GpuModel(Plain):
    """Some offer of the site has a GPU of a named model."""

    name = "gpu-model"

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): True where an offer with units has a model that will do."""
        columns, demand = fleet.columns, workload.demand
        if not demand.gpu_models or demand.cpu_fallback:
            return np.ones(len(columns), dtype=np.bool_)
        named = columns.gpu_model.where(model in demand.gpu_models for model in columns.gpu_model.values)
        return columns.site_any(named & (columns.count > 0))

    def miss(self, workload: Workload, fleet: Fleet, site: SiteRow) -> Miss:
        """The models that would do, and those of the site's offers, each once."""
        columns = fleet.columns
        there = dict.fromkeys(columns.offers[row].gpu_model for row in columns.offers_of(site))
        found = tuple(model for model in there if model)
        return Miss(
            self.name, columns.names[site], "demand.gpuModels", "In", wanted=workload.demand.gpu_models, found=found
        )
