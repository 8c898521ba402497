"""Prospects: where a waiting workload stands in line, and when it is likely to start. Read, never stored.

Where few wait they are told what comes of playing the fleet forward (`broker.core.played`); for the others sums are
played. That forecast is `placement.quota.forecast`'s: for each place that it hopes for, what ends there and who stands
before it; and, where a limit of its team is in the way, the same for the team. Running work is counted from when it
first ran (or was placed), for as long as its team's jobs took, or as it declared. What may be borrowed is played the
same way: it comes back as work ends, but for the work of those who lend none of it. Where firm work or the shape of
what is left is in the way, sums know nothing; where it is a budget, the next month is waited for.
"""

from collections.abc import Iterable, Sequence

from broker.core.decide.making_room import models
from broker.core.decide.waiting import expires, line_of
from broker.core.played import LINE as PLAYED
from broker.core.played import starts
from broker.core.records import WorkloadRecord
from broker.core.state import State
from placement.quota.accounts import Account, month_end
from placement.quota.amounts import CPUS, GPUS, asked
from placement.quota.bounds import Excess, over_limit, over_share
from placement.quota.forecast import LINE, SITES, Ending, Lasting, Place, Wanting, forecast, lasting, resting_on
from placement.quota.order import InLine
from tidegate.model.event import Basis, Forecast, Waiting


def waiting(state: State, one: WorkloadRecord, at: int) -> Waiting | None:
    """Where it stands in line; None where it does not wait."""
    if one.id not in state.waiting:
        return None
    line = line_of(state)
    position = next(index for index, other in enumerate(line) if other.workload_id == one.id)
    mine = [other for other in line[:position] if state.workloads[other.workload_id].workload.team == one.workload.team]
    return Waiting(
        since=one.queued_at,
        until=expires(one),
        position=position + 1,
        of=len(line),
        team_position=len(mine) + 1,
        forecast=_forecast(state, one, line, position, at),
        instead=one.instead,
        because=one.detail,
        displaced=one.displaced,
    )


def _forecast(state: State, one: WorkloadRecord, line: Sequence[InLine], position: int, at: int) -> Forecast:
    found = _played(state, one, line, at) if len(line) <= PLAYED else None
    return found or _by_sums(state, one, line[:position], at)


def _played(state: State, one: WorkloadRecord, in_line: Sequence[InLine], at: int) -> Forecast | None:
    """By deciding as work ends; None where that is too much to play."""
    line = [state.workloads[other.workload_id] for other in in_line]
    running = {
        record.id: Ending(0, _began(state, record), _lasting(state, record))
        for record in state.workloads.without(state.ended)
        if record.sites and record.workload.training is not None
    }
    lasts = {record.id: _lasting(state, record) for record in line} | {name: e.lasting for name, e in running.items()}
    early = starts(state, line, one.id, running, lasts, at, late=False)
    sure = all(each.likely == each.latest for each in lasts.values())
    late = early if sure or early is None else starts(state, line, one.id, running, lasts, at, late=True)
    if early is None or late is None:
        return None
    if not (early[0] and late[0]):
        return Forecast() if _excess(state, one) else _next_month(state, one, at)
    return resting_on((*early[1], *late[1]), early[0], late[0])


def _next_month(state: State, one: WorkloadRecord, at: int) -> Forecast:
    """Where a budget may be what it waits for; no other bound then is."""
    tree, teams = state.law.tree, state.law.tree.teams
    paid = any(teams[node].budget_micros_per_month for node in tree.path(one.workload.team) if node in teams)
    return Forecast(month_end(at), month_end(at), Basis.DECLARED) if paid else Forecast()


def _by_sums(state: State, one: WorkloadRecord, before: Sequence[InLine], at: int) -> Forecast:
    ahead = [state.workloads[other.workload_id] for other in before[:LINE]]
    name = GPUS if one.workload.demand.gpu_milli else CPUS
    places = [_at_site(state, one, ahead, site, name) for site in one.hopes[:SITES]]
    soonest = forecast(places, at)
    if excess := _excess(state, one):
        return _later(soonest, forecast([_at_bound(state, one, ahead, excess)], at))
    if any(place.free >= sum(ask.amount for ask in place.line) for place in places):
        return _next_month(state, one, at)
    return soonest


def _excess(state: State, one: WorkloadRecord) -> Excess | None:
    """The first bound on teams in its way, whichever model of GPU it would have."""
    tree, ledger, capacity = state.law.tree, state.fleet.ledger, state.fleet.columns.capacity
    team, found = one.workload.team, list[Excess]()
    for model in dict.fromkeys(name for site in one.hopes[:SITES] for name in models(state, one.workload, site)):
        wanted = asked(one.workload, model)
        excess = over_limit(tree, ledger, team, wanted)
        excess = excess or over_share(tree, ledger, team, wanted, yields=one.workload.yields, capacity=capacity)
        if excess is None:
            return None
        found.append(excess)
    return found[0] if found else None


def _at_bound(state: State, one: WorkloadRecord, ahead: list[WorkloadRecord], excess: Excess) -> Place:
    """The room that a bound on teams leaves, as a place of its own: what ends in these teams makes room there."""
    tree, name = state.law.tree, excess.name
    mine = tree.path(one.workload.team)

    def within(record: WorkloadRecord) -> bool:
        return not excess.team or excess.team in tree.path(record.workload.team)

    def gives_back(record: WorkloadRecord) -> bool:
        keeps = any(name in tree.keeps.get(node, {}) for node in tree.path(record.workload.team) if node not in mine)
        return excess.bound != "lent" or not keeps

    members = [r for r in state.workloads.without(state.ended) if r.sites and within(r) and gives_back(r)]
    free = excess.most - (0 if excess.bound == "lent" else state.fleet.ledger.used(tree, excess.team).get(name, 0))
    endings = () if excess.bound == "firm" else _endings(state, members, name)
    line = [other for other in ahead if within(other)]
    return Place(free, endings, _line(state, [*line, one], name))


def _at_site(state: State, one: WorkloadRecord, ahead: list[WorkloadRecord], site: str, name: str) -> Place:
    models = one.workload.demand.gpu_models
    offers = [o for o in state.fleet.sites[site].offers if not models or o.gpu_model in models]
    whole = sum(o.count * (o.resources.gpus * 1000 if name == GPUS else o.resources.cpus_milli) for o in offers)
    there = [state.workloads[workload_id] for workload_id in state.sites[site].desired]
    endings = _endings(state, there, name, site, frozenset(o.name for o in offers))
    line = [other for other in ahead if site in other.hopes]
    return Place(whole - sum(e.amount for e in endings), endings, _line(state, [*line, one], name))


def _endings(
    state: State, work: Iterable[WorkloadRecord], name: str, site: str = "", offers: frozenset[str] = frozenset()
) -> tuple[Ending, ...]:
    found: list[Ending] = []
    for record in work:
        amount = 0
        for place in (site,) if site else record.sites:
            holding = state.fleet.holdings.get(f"{record.id}@{place}")
            model = name.partition("/")[2]
            of_model = {o.name for o in state.fleet.sites[place].offers if not model or o.gpu_model == model}
            for copy in holding.copies if holding else ():
                if copy.offer in (offers or of_model):
                    amount += copy.gpu_milli if name.startswith(GPUS) else copy.resources.cpus_milli
        if amount:
            found.append(Ending(amount, _began(state, record), _lasting(state, record)))
    return tuple(found)


def _began(state: State, record: WorkloadRecord) -> int:
    charge = state.accounts.get(record.workload.team, Account()).charges.get(record.id)
    return record.running_since or (charge.since if charge else 0)


def _line(state: State, work: Iterable[WorkloadRecord], name: str) -> tuple[Wanting, ...]:
    return tuple(Wanting(asked(one.workload).get(name.partition("/")[0], 0), _lasting(state, one)) for one in work)


def _lasting(state: State, one: WorkloadRecord) -> Lasting:
    if one.workload.training is None:
        return Lasting(None, None)
    return lasting(state.durations.get(one.workload.team, ()), one.workload.training.timeout_ms)


def _later(one: Forecast, other: Forecast) -> Forecast:
    if not one.latest or not other.latest:
        return Forecast()
    basis = one.basis if one.basis is other.basis else Basis.MIXED
    earliest, latest = max(one.earliest, other.earliest), max(one.latest, other.latest)
    return Forecast(earliest, latest, basis, max(one.samples, other.samples))
