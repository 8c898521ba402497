"""The shape of a rule: it answers for all sites at once, and can give numbers for any site that it refused."""

from typing import Protocol

from placement.columns import Mask
from placement.fleet import Fleet
from tidegate.model.decision import Miss
from tidegate.model.workload import Workload

SiteRow = int
"""Where a site stands in the fleet's columns."""


class Rule(Protocol):
    """A hard constraint. Rules never see each other's answers, and none is skipped because another said no."""

    @property
    def name(self) -> str:
        """As decisions cite it."""

    @property
    def because(self) -> str:
        """The source of the rule, where it has one."""

    @property
    def enforced(self) -> bool:
        """False where a "no" is only told."""

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): True where the rule has nothing against the site."""

    def miss(self, workload: Workload, fleet: Fleet, site: SiteRow) -> Miss:
        """Wanted and found, for one site that `allows` refused."""


class Plain:
    """What the engine's own rules have in common: a name, no source but the workload itself, and they bind."""

    name = ""
    because = ""
    enforced = True
