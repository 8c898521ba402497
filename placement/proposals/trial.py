"""Trials: a workload and a site as they would be, and what the rules say of them.

What may be changed is what a workload asks for, what its data is, and what has been agreed upon for a site or for the
broker's home. `Place` judges a trial at its site alone; of the rest of the fleet it knows what quotas count, and the
homes. Of the law, only rules on what was changed are asked anew.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from placement.fleet.fleet import Fleet
from placement.law.legal import Legal
from placement.rules.law import LawRule
from placement.rules.rule import Column, Rule
from placement.verdicts import Question, Verdicts, judge, legal_of
from tidegate.model.decision import Change
from tidegate.model.site import Offer, Site
from tidegate.model.workload import Workload

PATHS: dict[str, tuple[str, ...]] = {
    "data.deidentified": ("data", "deidentified"),
    "data.attestation": ("data", "attestation"),
    "data.bytesPerDay": ("data", "bytes_per_day"),
    "latency.p99": ("latency", "p99_us"),
    "demand.gpus": ("demand", "resources", "gpus"),
    "demand.gpuShare": ("demand", "gpu_share_milli"),
    "demand.gpuMemory": ("demand", "resources", "gpu_memory_bytes"),
    "demand.cpus": ("demand", "resources", "cpus_milli"),
    "demand.memory": ("demand", "resources", "memory_bytes"),
    "training.workers": ("training", "workers"),
    "training.gang": ("training", "gang"),
    "replicas.min": ("inference", "replicas", "minimum"),
    "replicas.spread": ("inference", "replicas", "spread"),
    "maxCost": ("max_cost_micros_per_hour",),
}
"""Where each field of a workload stands."""
AGREEMENTS = "site.agreements"
QUOTAS = ("team-limit", "team-quota")
COPIES = ("training.workers", "replicas.min")


def at_home(site: str) -> str:
    """The field that says what has been agreed upon for a home which is not the site itself."""
    return f"home.{site}.agreements"


@dataclass(frozen=True, slots=True)
class Trial:
    """A workload, a site and the broker's homes as they would be, and what was changed to get there."""

    workload: Workload
    site: Site
    changes: tuple[Change, ...] = ()
    homes: tuple[Site, ...] = ()
    """Those that would be declared otherwise, the site itself apart."""
    fewer: bool = False
    """Whether there are to be fewer copies, rather than that they stand closer."""

    def changed(self, field: str) -> bool:
        """Whether that field is."""
        return any(one.field == field for one in self.changes)

    def with_change(self, change: Change, *, workload: Workload | None = None, site: Site | None = None) -> "Trial":
        """One more change, of the workload or of a site; a field that was changed before keeps its first `before`."""
        earlier = next((one for one in self.changes if one.field == change.field), None)
        kept = tuple(one for one in self.changes if one is not earlier)
        change = replace(change, before=earlier.before) if earlier else change
        here, homes = self.site, self.homes
        if site is not None and site.name == here.name:
            here = site
        elif site is not None:
            homes = (*(one for one in homes if one.name != site.name), site)
        return replace(self, workload=workload or self.workload, site=here, changes=(*kept, change), homes=homes)

    def without(self, change: Change, first: "Trial") -> "Trial":
        """One change taken back, to what was first."""
        kept = tuple(one for one in self.changes if one.field != change.field)
        if change.field == AGREEMENTS:
            return replace(self, site=first.site, changes=kept)
        if change.field not in PATHS:
            homes = tuple(one for one in self.homes if at_home(one.name) != change.field)
            return replace(self, changes=kept, homes=homes)
        path = PATHS[change.field]
        workload = put(self.workload, path, value(first.workload, path))
        return replace(self, workload=workload, changes=kept, fewer=change.field in COPIES)


def value(noun: Any, path: tuple[str, ...]) -> Any:
    """What stands at a path of fields."""
    for name in path:
        noun = getattr(noun, name)
    return noun


def put(noun: Any, path: tuple[str, ...], value: Any) -> Any:
    """The noun with something else there."""
    if len(path) > 1:
        value = put(getattr(noun, path[0]), path[1:], value)
    return replace(noun, **{path[0]: value})


class Place:
    """One site of a fleet, to be asked about trials."""

    def __init__(self, workload: Workload, fleet: Fleet, question: Question, row: int) -> None:
        """`row`: the site's."""
        self._fleet, self.question, self._row = fleet, question, row
        self.first = Trial(workload, fleet.columns.sites[row])
        """Nothing changed."""
        self.alone = fleet.only(self.first.site)
        """The site by itself, as it is declared."""
        self.by_quota = False
        """Whether a quota has refused any trial: of fewer copies another may speak, and say something else."""
        self._asked: dict[frozenset[Change], Verdicts] = {}
        """What was said to trials, by their changes, from which the rest of a trial follows."""
        self._declared: tuple[tuple[Site, ...], Fleet] = ((), self.alone)

    def ask(self, trial: Trial) -> Verdicts:
        """What every rule says to a trial; asked once."""
        changes = frozenset(trial.changes)
        said = self._asked.get(changes)
        if said is None:
            fleet = self._as_declared(trial)
            said = self._asked[changes] = judge(trial.workload, fleet, self.question, legal=self._legal(trial))
            self.by_quota |= any(column.refuses for column in said.own if column.rule.name in QUOTAS)
        return said

    def fits(self, trial: Trial) -> bool:
        """Whether no enforced rule refuses it."""
        return not refusing(self.ask(trial))

    @property
    def rules(self) -> tuple[LawRule, ...]:
        """The enforced rules of the law."""
        return tuple(rule for rule in self.question.law.rules if rule.enforced)

    def allows(self, rule: LawRule, trial: Trial) -> bool:
        """Whether a rule of the law has nothing against the trial, on some offer where it speaks of them."""
        offers = self.alone.sites[trial.site.name].offers if rule.of_offers else ()
        return any(rule.allows_one(trial.workload, trial.site, offer) for offer in offers or (None,))

    def homes(self, trial: Trial) -> tuple[Site, ...]:
        """The broker's homes as they would be declared."""
        return self._as_declared(trial).homes

    def _as_declared(self, trial: Trial) -> Fleet:
        """The site and the homes as a trial has them; what is agreed upon matters to the law alone."""
        if not self.alone.homes or (trial.site == self.first.site and not trial.homes):
            return self.alone
        declared = (trial.site, *trial.homes)
        if self._declared[0] != declared:
            self._declared = (declared, self._fleet.only(*declared))
        return self._declared[1]

    def _legal(self, trial: Trial) -> Legal:
        """What the law says. Of the site, a trial changes agreements alone, so only rules on these ask anew."""
        columns = self._fleet.columns
        whole = legal_of(trial.workload, self._fleet, self.question.law)
        legal = whole.at(self._row, columns.offers_of(self._row))
        if trial.site == self.first.site:
            return legal
        still = [column for column in legal.refusing if not is_about_agreements(column.rule)]
        of_offers = [rule for rule in self.rules if rule.of_offers]
        still += [
            Column(rule, 1, 1) for rule in self.rules if is_about_agreements(rule) and not self.allows(rule, trial)
        ]
        legal = legal._replace(refusing=still, once=int(bool(still)), twice=int(len(still) > 1))
        if not any(is_about_agreements(rule) for rule in of_offers):
            return legal

        def lawful(offer: Offer) -> bool:
            return all(rule.allows_one(trial.workload, trial.site, offer) for rule in of_offers)

        mask = np.array([lawful(offer) for offer in self.alone.sites[trial.site.name].offers], dtype=np.bool_)
        some = all(self.allows(rule, trial) for rule in of_offers)
        return legal._replace(offers=mask, for_offers=int(some))


def refusing(verdicts: Verdicts) -> list[Column]:
    """The enforced rules that say no."""
    return [column for column in verdicts.columns if column.rule.enforced and column.refuses]


def is_about_agreements(rule: Rule) -> bool:
    """Whether a rule of the law speaks of what has been agreed upon for a site."""
    return isinstance(rule, LawRule) and any(one.attribute.key == AGREEMENTS for one in rule.conditions)
