"""Fragmentation: GPUs left over beside the workload on the units it stands on, in thousandths.

A workload that needs no GPU strands all those of a GPU node it stands on; one that fills its nodes strands none.
"""

import numpy as np

from placement.fleet.columns import Numbers

MILLI = 1000


def stranded(gpus: Numbers, units: Numbers, copies: Numbers | int, gpu_milli: int) -> Numbers:
    """For copies that take `gpu_milli` each, on so many units of so many GPUs each: what they leave. Never below 0."""
    left: Numbers = np.maximum(gpus * units * MILLI - copies * gpu_milli, 0)
    return left
