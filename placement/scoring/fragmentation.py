"""Fragmentation: GPUs left over beside the workload on the units it stands on.

A workload that needs no GPU strands all those of a GPU node it stands on; one that fills its nodes strands none.
"""

import numpy as np

from placement.columns import Numbers
from tidegate.model.quantity import Resources


def stranded(gpus: Numbers, units: Numbers, copies: Numbers | int, wanted: Resources) -> Numbers:
    """For copies of `wanted` on so many units of so many GPUs each: how many GPUs they leave. Never below 0."""
    left: Numbers = np.maximum(gpus * units - copies * wanted.gpus, 0)
    return left
