"""Team limit: what the team and every team above it hold, and what is asked, stay within what they may hold at once.

An amount of a limit at 0 is not limited, so that a limit can name GPUs alone. GPU memory is per device and adds up to
nothing, so it is not counted.
"""

from collections.abc import Mapping

from placement.fleet.fleet import Fleet
from placement.quota.bounds import Excess, over_limit
from placement.quota.ledger import Ledger
from placement.rules.team import TeamRule
from tidegate.model.workload import Workload


class TeamLimit(TeamRule):
    """Never exceeded, wherever the work would go."""

    name = "team-limit"

    def speaks(self, workload: Workload) -> bool:
        """Whether any team has a limit."""
        return self.tree.limits

    def bound(self, workload: Workload, fleet: Fleet, wanted: Mapping[str, int]) -> Excess | None:
        """The lowest level that would go over."""
        return over_limit(self.tree, fleet.ledger, workload.team, wanted)

    def ever(self, workload: Workload, fleet: Fleet, wanted: Mapping[str, int]) -> bool:
        """Whether it is within the limits by itself."""
        return over_limit(self.tree, Ledger(), workload.team, wanted) is None
