"""Team limit: what the team holds and what is asked stay within what it may hold at once. The same answer everywhere.

A field of the limit at 0 is not limited, so that a limit can name GPUs alone. GPU memory is per device and adds up to
nothing, so it is not counted.
"""

from dataclasses import replace

import numpy as np

from placement.columns import Mask, Numbers
from placement.fleet import Fleet
from placement.rules.rule import Findings, Plain
from tidegate.model.decision import Kind, Lack, Unit
from tidegate.model.money import Team
from tidegate.model.workload import Workload

UNITS = {"gpus": Unit.COUNT, "cpus_milli": Unit.CPUS_MILLI, "memory_bytes": Unit.BYTES}


class TeamLimit(Plain):
    """Never exceeded, wherever the work would go."""

    name = "team-limit"
    kind = Kind.QUOTA

    def __init__(self, team: Team | None) -> None:
        self._limit = team.limit if team else None

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): all True or all False."""
        return np.full(len(fleet.columns), not self._over(workload, fleet), dtype=np.bool_)

    def findings(self, workload: Workload, fleet: Fleet, refused: Numbers) -> Findings:
        """The first amount that goes over: the limit, and what the team would hold."""
        field = self._over(workload, fleet)[0]
        asked = fleet.used_by_team(workload.team) + workload.demand.resources * workload.copies
        most = getattr(self._limit, field)
        lack = Lack(f"team.limit.{field}", "Le", (workload.team,), (), most, UNITS[field])
        return Findings((lack,), numbers=np.full(len(refused), getattr(asked, field), dtype=np.int64))

    def _over(self, workload: Workload, fleet: Fleet) -> tuple[str, ...]:
        if self._limit is None:
            return ()
        asked = fleet.used_by_team(workload.team) + workload.demand.resources * workload.copies
        over = replace(asked, gpu_memory_bytes=0).shortfall(self._limit)
        return tuple(field for field in over if getattr(self._limit, field))
