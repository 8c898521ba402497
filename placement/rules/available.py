"""Available: the site can be reached, takes new work, and was not left out by the caller (a drain, a retry)."""

import numpy as np

from placement.columns import Mask
from placement.fleet import Fleet
from placement.rules.rule import Plain, SiteRow
from tidegate.model.decision import Miss
from tidegate.model.workload import Workload


class Available(Plain):
    """A place that cannot be told about new work gets none; work that stands there is another matter."""

    name = "available"

    def __init__(self, exclude: frozenset[str]) -> None:
        self._exclude = exclude

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): True where the site is reachable, not cordoned and not excluded."""
        columns = fleet.columns
        allowed = columns.reachable & ~columns.cordoned
        left_out = [columns.row_of[name] for name in self._exclude if name in columns.row_of]
        allowed[np.array(left_out, dtype=np.int64)] = False
        return allowed

    def miss(self, workload: Workload, fleet: Fleet, site: SiteRow) -> Miss:
        """Every reason that holds."""
        columns = fleet.columns
        name = columns.names[site]
        reasons = (
            ("unreachable", not columns.reachable[site]),
            ("cordoned", bool(columns.cordoned[site])),
            ("excluded", name in self._exclude),
        )
        found = tuple(reason for reason, holds in reasons if holds)
        return Miss(self.name, name, "site.state", "In", wanted=("reachable",), found=found)
