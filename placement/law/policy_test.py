"""Policy tests: a policy's own examples, run against sites, with the law alone and nothing of capacity or price."""

from dataclasses import dataclass

from placement.fleet.fleet import Fleet
from placement.rules.law import LawRule, check_rules, compile_policy, warnings
from tidegate.model.money import Team
from tidegate.model.policy import Policy, PolicyTest
from tidegate.model.quantity import Resources
from tidegate.model.site import Site
from tidegate.model.workload import Demand, Inference, Training, Workload, WorkloadKind

__all__ = ["PolicyTestResult", "run", "warnings"]


@dataclass(frozen=True, slots=True)
class PolicyTestResult:
    """How one example came out. It passed where all lists are empty."""

    policy: str
    name: str
    wrongly_refused: tuple[tuple[str, str], ...] = ()
    """(site, rule) for every rule that refuses a site which the example says is allowed."""
    wrongly_allowed: tuple[str, ...] = ()
    """Sites or offers that no rule refuses, though the example says that one does."""
    not_warned: tuple[str, ...] = ()
    """Sites or offers to which no rule that warns or prefers objects, though the example says that one does."""
    unknown_sites: tuple[str, ...] = ()
    """Sites or offers that the example names and the fleet does not have."""

    @property
    def passed(self) -> bool:
        """Whether everything came out as the example says."""
        return not (self.wrongly_refused or self.wrongly_allowed or self.not_warned or self.unknown_sites)


def run(policy: Policy, sites: tuple[Site, ...], teams: tuple[Team, ...] = ()) -> tuple[PolicyTestResult, ...]:
    """Every example of a policy, in order. Raises Refused as `placement.law.law.check_policy` does."""
    check_rules(policy)
    rules = compile_policy(policy, {team.name: team for team in teams})
    fleet = Fleet()
    for site in sites:
        fleet.put_site(site, reachable=True, cordoned=False)
    return tuple(_run(policy, rules, test, fleet) for test in policy.tests)


def _run(policy: Policy, rules: tuple[LawRule, ...], test: PolicyTest, fleet: Fleet) -> PolicyTestResult:
    workload, columns = _workload(test), fleet.columns
    refused_by: dict[str, list[str]] = {name: [] for name in columns.names}
    offers = [
        f"{columns.names[row]}/{offer.name}" for row, offer in zip(columns.offer_site, columns.offers, strict=True)
    ]
    refused_by |= {name: [] for name in offers}
    objected: set[str] = set()
    for rule in rules:
        at_sites = rule.allows(workload, fleet)
        at_offers = rule.offers(workload, fleet) & at_sites[columns.offer_site]
        for names, mask in ((columns.names, at_sites), (offers, at_offers)):
            for name, allowed in zip(names, mask.tolist(), strict=True):
                if not allowed and rule.enforced:
                    refused_by[name].append(rule.name)
                elif not allowed:
                    objected.add(name)
    return PolicyTestResult(
        policy=policy.ref,
        name=test.name,
        wrongly_refused=tuple(
            (site, rule) for site in (*test.allows, *test.warns) for rule in refused_by.get(site, ())
        ),
        wrongly_allowed=tuple(site for site in test.forbids if site in refused_by and not refused_by[site]),
        not_warned=tuple(site for site in test.warns if site in refused_by and site not in objected),
        unknown_sites=tuple(site for site in (*test.allows, *test.forbids, *test.warns) if site not in refused_by),
    )


def _workload(test: PolicyTest) -> Workload:
    kind = WorkloadKind(test.kind)
    training = kind is WorkloadKind.TRAINING_JOB
    return Workload(
        name=test.name,
        kind=kind,
        demand=Demand(Resources()),
        team=test.team,
        data=test.data,
        training=Training(entrypoint="true") if training else None,
        inference=None if training else Inference(model_uri="models:/example@latest", audit=test.audit),
        labels=dict(label.split("=", 1) for label in test.labels if "=" in label),
    )
