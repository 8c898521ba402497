"""Preference: 1 where the workload names other tiers and sites than this one."""

import numpy as np

from placement.fleet.columns import Columns, Numbers
from tidegate.model.workload import Workload


def dispreferred(workload: Workload, columns: Columns) -> Numbers:
    """Shape (sites,): 0 where the site or its tier is named, or where nothing is."""
    prefer = workload.prefer
    if not prefer.tiers and not prefer.sites:
        return np.zeros(len(columns), dtype=np.int64)
    liked = columns.tier.where(tier in prefer.tiers for tier in columns.tier.values)
    for name in prefer.sites:
        if name in columns.row_of:
            liked[columns.row_of[name]] = True
    return (~liked).astype(np.int64)
