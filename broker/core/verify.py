"""Everything that stands now, judged by code that shares nothing with what put it there.

- the invariants of the state (`broker.core.invariants`);
- no unit, GPU or uplink gives more than it has, every copy seated again beside the others (the auditor's idea of room);
- no enforced law in force forbids a workload where it stands (the auditor's reading of the law). What a law forbids
  that came later is raised when it comes and stands until a person moves it, so it is told as long as it stands.

Pure; linear in what stands.
"""

from dataclasses import dataclass

from broker.core.decide.placing import bound
from broker.core.invariants import violations
from broker.core.records import WorkloadRecord
from broker.core.state import State
from placement.audit import meaning
from placement.audit.room import wrong_holdings
from tidegate.model.policy import Effect
from tidegate.model.site import Offer


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that should not be so."""

    about: str
    """A workload's id, or a site; empty where it is neither."""
    text: str


def standing(state: State) -> int:
    """How many workloads stand somewhere."""
    return len({workload_id for site in state.sites.values() for workload_id in site.desired})


def verify(state: State) -> tuple[Finding, ...]:
    """What is wrong; empty where nothing is."""
    found = [Finding("", text) for text in violations(state)]
    found += [Finding("", text) for text in wrong_holdings(state.fleet)]
    found += [Finding(name, text) for name, text in _overfull_links(state)]
    for record in state.workloads.without(state.ended):
        found += [Finding(record.id, text) for site in record.sites for text in _unlawful(state, record, site)]
    return tuple(found)


def _overfull_links(state: State) -> list[tuple[str, str]]:
    sent: dict[str, int] = {}
    for holding in state.fleet.holdings.values():
        for one in holding.carried:
            sent[one.site] = sent.get(one.site, 0) + one.bytes_per_day
    limits = {name: record.site.uplink_bytes_per_day for name, record in state.sites.items()}
    return [
        (name, f"{used} bytes a day go over an uplink of {limits[name]}")
        for name, used in sorted(sent.items())
        if limits.get(name) and used > limits[name]
    ]


def _unlawful(state: State, record: WorkloadRecord, site: str) -> list[str]:
    workload, facts = bound(record.workload, record.model), state.sites[site].effective
    team = state.teams.get(workload.team)
    held = state.fleet.holdings.get(f"{record.id}@{site}")
    names = {copy.offer for copy in held.copies} if held else set()
    offers: list[Offer | None] = [offer for offer in facts.offers if offer.name in names]
    return [
        f"stands at {site} against {policy.name}/{rule.name}"
        for policy in state.policies.values()
        for rule in policy.rules
        if rule.effect is Effect.ENFORCE
        and not all(meaning.lawful_at(rule, workload, facts, offer, team) for offer in offers or [None])
    ]
