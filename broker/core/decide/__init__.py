"""Deciding: from the state and a command to events, one at a time.

A decision is a generator. It yields an event and goes on once the state has taken that event in; so the tenth service
of a drained site is decided against a fleet in which the nine before it stand where they were just put. What it
returns is the reply. It reads the state and never writes it.

    for event in decide(state, command): state.apply(...)       # the loop, in short

A request that cannot be met raises `Refused` before the first event: afterwards it is too late, and the loop takes a
refusal there for a bug.

workloads.py           submit, plan, cancel            fleet_declarations.py  apply
sites.py               attach, report, silence, cordon, tick
draining.py            a plan that empties a site, and its adoption
rebalance.py           adopt a plan, move by move
moving.py              what a move gains and costs once
pricing.py             bid prices for the mix and the GPUs that stand
models.py              what a model reference means, what a finished job leaves behind
placing.py             the engine and the auditor, called together
waiting.py             who waits, and who is asked again when something came free
making_room.py         whom a workload may displace, and the proof that it helps
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from broker.core.commands import (
    AdoptPlan,
    ApplyDeclarations,
    CancelWorkload,
    Command,
    CordonSite,
    DrainSite,
    RecordLinks,
    RecordServiceTimes,
    RegisterModel,
    ReportStatuses,
    SetBidPrices,
    SiteAttached,
    SiteSilent,
    SubmitWorkload,
    Tick,
)
from broker.core.decide import draining, fleet_declarations, models, pricing, rebalance, sites, waiting, workloads
from broker.core.decide.placing import Deciding, Watch, unwatched
from broker.core.replies import Moves
from broker.core.state import State

_BY_COMMAND: Mapping[type, Callable[[State, Any, Watch], Deciding[Any]]] = {
    SubmitWorkload: workloads.submit,
    CancelWorkload: workloads.cancel,
    ApplyDeclarations: fleet_declarations.apply,
    CordonSite: sites.cordon,
    DrainSite: draining.drain,
    AdoptPlan: rebalance.adopt,
    RegisterModel: models.register,
    SiteAttached: sites.attached,
    SiteSilent: sites.silent,
    ReportStatuses: sites.report,
    RecordLinks: sites.record_links,
    RecordServiceTimes: sites.record_service_times,
    SetBidPrices: pricing.set_prices,
    Tick: sites.tick,
}


def decide(state: State, command: Command, watch: Watch = unwatched) -> Deciding[Any]:
    """The events that a command leads to, then its reply (see `replies.py` for their types)."""
    reply = yield from _BY_COMMAND[type(command)](state, command, watch)
    if waiting.pending(state, command.at):
        alarms = yield from waiting.go_on(state, command.at, watch)
        if alarms and isinstance(reply, Moves):
            reply = replace(reply, alarms=(*reply.alarms, *alarms))
    return reply
