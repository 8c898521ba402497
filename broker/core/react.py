"""What an event asks for: (state, event) to effects. Pure; the runtime gathers a run's effects and drops doubles."""

from broker.core.effects import Effect, NotifyWatchers, RaiseAlarm, RefreshProbes, TellSite
from broker.core.state import State
from tidegate.model import event as happened
from tidegate.model.event import Event


def react(state: State, event: Event, before: frozenset[str]) -> list[Effect]:
    """The effects of an event that the state has taken in. `before`: where its workload stood until then."""
    match event:
        case happened.WorkloadSubmitted():
            return []
        case (
            happened.WorkloadDecided(workload_id=workload_id)
            | happened.WorkloadCancelled(workload_id=workload_id)
            | happened.WorkloadDisplaced(workload_id=workload_id)
        ):
            return [NotifyWatchers(workload_id), *_tell(state, workload_id, before)]
        case happened.WorkloadQueued(workload_id=workload_id):
            return [NotifyWatchers(workload_id)]
        case happened.WorkloadProgressed(status=status):
            return [NotifyWatchers(status.workload_id), *_tell(state, status.workload_id, before)]
        case happened.AssignmentOutlawed(workload_id=workload_id, site=site, rules=rules):
            story = f"stands at {site} against {', '.join(rules)}"
            return [NotifyWatchers(workload_id), RaiseAlarm(workload_id, story)]
        case happened.SiteJoined(site=site):
            return [TellSite(site), RefreshProbes(), *_watched(state, site)]
        case happened.SiteLost(site=site):
            return list(_watched(state, site))
        case happened.SiteApplied():
            return [RefreshProbes()]
        case _:
            return []


def standing(state: State, workload_id: str) -> frozenset[str]:
    """The sites where a workload stands now."""
    record = state.workloads.get(workload_id)
    return frozenset((*record.sites, *record.leaving)) if record else frozenset()


def _tell(state: State, workload_id: str, before: frozenset[str]) -> list[Effect]:
    return [TellSite(site) for site in sorted(before | standing(state, workload_id))]


def _watched(state: State, site: str) -> list[Effect]:
    return [NotifyWatchers(workload_id) for workload_id in state.sites[site].desired]
