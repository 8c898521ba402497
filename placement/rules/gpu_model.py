"""GPU model: one of those that the workload names. Not asked where it falls back on CPUs, or names none."""

from collections.abc import Hashable

import numpy as np

from placement.fleet.columns import Mask, Numbers
from placement.fleet.fleet import Fleet
from placement.rules.rule import Findings, Plain
from tidegate.model.decision import Lack
from tidegate.model.workload import Workload


class GpuModel(Plain):
    """Some offer of the site has a GPU of a named model."""

    name = "gpu-model"

    def asks(self, workload: Workload) -> Hashable:
        """The models that would do."""
        return () if workload.demand.cpu_fallback else workload.demand.gpu_models

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): True where an offer with units has a model that will do."""
        columns, demand = fleet.columns, workload.demand
        if not demand.gpu_models or demand.cpu_fallback:
            return np.ones(len(columns), dtype=np.bool_)
        named = columns.gpu_model.where(model in demand.gpu_models for model in columns.gpu_model.values)
        return columns.site_any(named & (columns.count > 0))

    def findings(self, workload: Workload, fleet: Fleet, refused: Numbers) -> Findings:
        """The models that would do, and those of the site's offers, each once."""
        models = fleet.columns.gpu_models
        lacks = tuple(Lack("demand.gpuModels", "In", workload.demand.gpu_models, there) for there in models.values)
        return Findings(lacks, codes=models.codes[refused])
