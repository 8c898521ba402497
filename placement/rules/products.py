"""Products: what work leaves behind comes home, and the law binds it there as it binds the work.

Models, checkpoints that are kept, logs that are asked for and telemetry go to the broker's stores, wherever the work
runs. Where a site is declared as the broker's home, whatever law forbids the workload's data there forbids the work
everywhere: it could not run without sending its products where they may not be. A model goes on from home to the sites
that serve it, and these are bound by what it was made from (`Workload.carries`).

A fleet in which no site is declared home has no such column: nobody has said where the stores stand.
"""

import numpy as np

from placement.fleet.columns import Mask, Numbers
from placement.fleet.fleet import Fleet
from placement.rules.law import LawRule
from placement.rules.rule import Findings, Plain
from tidegate.model.decision import Kind, Lack
from tidegate.model.site import Site
from tidegate.model.workload import Workload


class Products(Plain):
    """The law at home, for all candidates alike. Rules on offers do not bind what lies in a store."""

    name = "products"
    kind = Kind.LAW

    def __init__(self, rules: tuple[LawRule, ...], homes: tuple[Site, ...]) -> None:
        self._rules = tuple(rule for rule in rules if rule.enforced and not rule.of_offers)
        self._homes = homes

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): all True or all False."""
        return np.full(len(fleet.columns), not self._against(workload), dtype=np.bool_)

    def findings(self, workload: Workload, fleet: Fleet, refused: Numbers) -> Findings:
        """The rules that say no at home, and the homes at which they do."""
        against = self._against(workload)
        rules = tuple(dict.fromkeys(rule for rule, _ in against))
        return Findings((Lack("products", "In", rules, tuple(dict.fromkeys(home for _, home in against))),))

    def _against(self, workload: Workload) -> list[tuple[str, str]]:
        return [
            (rule.name, home.name)
            for rule in self._rules
            for home in self._homes
            if not rule.allows_one(workload, home)
        ]
