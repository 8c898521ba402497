"""Available: the site can be reached, takes new work, and was not left out by the caller (a drain, a retry)."""

from collections.abc import Hashable

import numpy as np

from placement.fleet.columns import Mask, Numbers, Part
from placement.fleet.fleet import Fleet
from placement.rules.rule import Findings, Plain
from tidegate.model.decision import Kind, Lack
from tidegate.model.workload import Workload

REASONS = ("unreachable", "cordoned", "excluded")
_LACKS = tuple(
    Lack("site.state", "In", ("reachable",), tuple(reason for bit, reason in enumerate(REASONS) if code >> bit & 1))
    for code in range(1, 8)
)


class Available(Plain):
    """A place that cannot be told about new work gets none; work that stands there is another matter."""

    name = "available"
    kind = Kind.REACH
    reads = frozenset({Part.STATE})

    def __init__(self, exclude: frozenset[str]) -> None:
        self._exclude = exclude

    def asks(self, workload: Workload) -> Hashable:
        """Who was left out."""
        return self._exclude

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): True where the site is reachable, not cordoned and not excluded."""
        columns = fleet.columns
        allowed = columns.reachable & ~columns.cordoned
        allowed[self._rows(fleet)] = False
        return allowed

    def findings(self, workload: Workload, fleet: Fleet, refused: Numbers) -> Findings:
        """Every reason that holds, in one of seven combinations."""
        columns = fleet.columns
        left_out = np.zeros(len(columns), dtype=np.bool_)
        left_out[self._rows(fleet)] = True
        holds = (~columns.reachable[refused], columns.cordoned[refused], left_out[refused])
        code = holds[0] + 2 * holds[1].astype(np.int64) + 4 * holds[2].astype(np.int64)
        return Findings(_LACKS, codes=code - 1)

    def _rows(self, fleet: Fleet) -> Numbers:
        row_of = fleet.columns.row_of
        return np.array(sorted(row_of[name] for name in self._exclude if name in row_of), dtype=np.int64)
