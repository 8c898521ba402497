"""Team quota: beyond its guarantee a team has only what it may borrow, and what others lend (`placement.quota.bounds`).

Work that does not yield never takes what is guaranteed to others out of reach.
"""

from collections.abc import Mapping

from placement.fleet.fleet import Fleet
from placement.quota.bounds import Excess, over_share
from placement.quota.ledger import Ledger
from placement.rules.team import TeamRule
from tidegate.model.workload import Workload


class TeamQuota(TeamRule):
    """What may be borrowed."""

    name = "team-quota"

    def speaks(self, workload: Workload) -> bool:
        """Whether anything is guaranteed, kept or bounded."""
        return self.tree.guarantees or self.tree.bounds_borrowing

    def bound(self, workload: Workload, fleet: Fleet, wanted: Mapping[str, int]) -> Excess | None:
        """The first that would be broken."""
        return self._over(workload, fleet, fleet.ledger, wanted)

    def ever(self, workload: Workload, fleet: Fleet, wanted: Mapping[str, int]) -> bool:
        """Whether an empty fleet would have it to give."""
        return self._over(workload, fleet, Ledger(), wanted) is None

    def _over(self, workload: Workload, fleet: Fleet, ledger: Ledger, wanted: Mapping[str, int]) -> Excess | None:
        capacity = fleet.capacity
        return over_share(self.tree, ledger, workload.team, wanted, yields=workload.yields, capacity=capacity)
