"""Stories: the events that touched one id, in order, and what each is called."""

import re
from typing import Any

from tidegate.model import event as happened
from tidegate.model.event import Event, Recorded


def kind_of(event_type: Any) -> str:
    """An event's kind as the log and the wire write it: `WorkloadSubmitted` is `workload_submitted`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", event_type.__name__).lower()


def touches(recorded: Recorded) -> frozenset[str]:
    """Every id and name that an event is about: workloads by id and by name, sites, policies, models."""
    match recorded.event:
        case happened.BrokerStarted():
            return frozenset({"broker"})
        case happened.WorkloadSubmitted(workload=workload):
            return frozenset({f"w{recorded.offset}", workload.name})
        case happened.WorkloadDecided(workload_id=workload_id, decision=decision):
            return frozenset({workload_id, *decision.sites})
        case happened.WorkloadQueued(workload_id=workload_id):
            return frozenset({workload_id})
        case happened.WorkloadDisplaced(workload_id=workload_id, by=by):
            return frozenset({workload_id, by})
        case happened.WorkloadProgressed(site=site, status=status):
            return frozenset({status.workload_id, site})
        case happened.WorkloadCancelled(workload_id=workload_id):
            return frozenset({workload_id})
        case happened.AssignmentOutlawed(workload_id=workload_id, site=site):
            return frozenset({workload_id, site})
        case happened.SiteApplied(site=site):
            return frozenset({site.name})
        case happened.SiteJoined(site=name) | happened.SiteLost(site=name) | happened.SiteCordoned(site=name):
            return frozenset({name})
        case happened.LinkMeasured(site=name, origin=origin):
            return frozenset({name, origin})
        case happened.PolicyApplied(policy=policy):
            return frozenset({policy.name, policy.ref})
        case happened.TeamApplied(team=team):
            return frozenset({team.name})
        case happened.PriceBookApplied(book=book):
            return frozenset({book.name})
        case happened.ModelRegistered(model=model):
            lineage = model.lineage.workload_id if model.lineage else ""
            return frozenset({model.name, model.ref, lineage} - {""})
        case happened.PlanAdopted(plan=plan):
            return frozenset({"plan", *(move.workload_id for move in plan.moves)})
        case happened.BidPricesSet():
            return frozenset({"bid-prices"})
        case happened.KeyAnswered(about=names):
            return frozenset(names.split("\n"))
        case happened.ServiceTimeMeasured(model_digest=digest):
            return frozenset({digest})


def about(event: Event) -> str:
    """The id of the workload that the event changes, empty where it changes none."""
    match event:
        case (
            happened.WorkloadDecided(workload_id=workload_id)
            | happened.WorkloadCancelled(workload_id=workload_id)
            | happened.WorkloadDisplaced(workload_id=workload_id)
        ):
            return workload_id
        case happened.WorkloadProgressed(status=status):
            return status.workload_id
        case _:
            return ""


def line(recorded: Recorded) -> str:
    """One event in one line, for logs and for the message of a `Broken`."""
    event: Event = recorded.event
    return f"{recorded.offset} {kind_of(type(event))} at {event.at} ({', '.join(sorted(touches(recorded)))})"
