"""Making room: whom a workload that has none may displace, proved by deciding again with exactly these gone.

For each place that would have it if something came free, the least set of victims is searched
(`placement.quota.reclaim`) among those that may be displaced (`placement.quota.coverage`); the best set of all places
is then judged by the engine and the auditor over the whole fleet, and whoever is not needed there stays. Where nothing
helps, nobody is touched.

Work lost is what would be done again: since the last checkpoint that was reported (`checkpoint_at`, ms since the epoch,
among a status's metrics), at most one interval of `checkpointEvery`, else since it first ran.

Limits: 8 places in a turn; of each, what `reclaim` says.
"""

from dataclasses import replace

from broker.core.accounting import hopes_of
from broker.core.decide.once import vacated
from broker.core.decide.placing import Disagreement, Watch, bound, place, unwatched
from broker.core.records import WorkloadRecord
from broker.core.state import State
from placement import engine
from placement.audit.victims import audit as audited
from placement.quota.amounts import asked
from placement.quota.coverage import RANK, Coverage, Held, held
from placement.quota.ledger import Right
from placement.quota.reclaim import Candidate, choose, preference
from placement.quota.tree import NOBODY
from tidegate.model.decision import Decision, Outcome, Victim
from tidegate.model.packed import pack_numbers
from tidegate.model.registry import ModelVersion
from tidegate.model.workload import Workload

PLACES = 8
DIGITS = 15


def make_room(
    state: State,
    workload: Workload,
    model: ModelVersion | None,
    at: int,
    refused: Decision,
    watch: Watch = unwatched,
) -> Decision | None:
    """The decision with the victims gone, in which they stand; None where nothing that may be displaced would help."""
    places = hopes_of(refused, workload)
    if not places or not any(stake.right.yields for stake in state.fleet.ledger.stakes.values()):
        return None
    work = held(state.fleet.ledger)
    best: tuple[Candidate, ...] = ()
    for site in places[:PLACES]:
        for gpu_model in models(state, workload, site):
            right = Right(workload.importance, workload.yields, state.offset + 1)
            me = Held("", workload.team or NOBODY, asked(workload, gpu_model), right)
            coverage = Coverage(state.law.tree, [*work, me])
            may = [(one, because) for one in work if (because := coverage.may_displace(me, one))]
            chosen = _search(state, workload, model, at, site, may)
            if chosen and (not best or preference(chosen) < preference(best)):
                best = chosen
    watch("make room", {"places": len(places), "victims": len(best)})
    return _proved(state, workload, model, at, best, watch) if best else None


def _search(
    state: State, workload: Workload, model: ModelVersion | None, at: int, site: str, may: list[tuple[Held, str]]
) -> tuple[Candidate, ...]:
    """The best victims for one place: of those that stand there or, where a quota is in the way, of all."""
    lawful = bound(workload, model)
    others = frozenset(state.sites) - {site}
    digest = model.artifact.digest if model else ""

    def helps(gone: frozenset[str]) -> bool:
        with vacated(state, at, *gone):
            decision = engine.decide(
                lawful, state.fleet, state.law, now=at, revision=state.offset, model_digest=digest, exclude=others
            )
        return decision.outcome is Outcome.PLACED

    candidates = [
        (Candidate(one.workload_id, RANK[one.right.importance], lost(state.workloads[one.workload_id], at), because))
        for one, because in may
    ]
    here = [one for one in candidates if site in state.workloads[one.workload_id].sites]
    falls_back = workload.demand.cpu_fallback
    found = choose(here, helps, more_may_harm=falls_back)
    if not found and len(here) < len(candidates):
        found = choose(candidates, helps, more_may_harm=falls_back)
    return found


def _proved(
    state: State,
    workload: Workload,
    model: ModelVersion | None,
    at: int,
    chosen: tuple[Candidate, ...],
    watch: Watch,
) -> Decision | None:
    """Decided over the whole fleet with exactly these gone; those without whom it is placed as well stay."""
    victims = list(chosen)
    decision = _without(state, workload, model, at, victims, watch)
    for one in chosen[::-1]:
        fewer = [other for other in victims if other is not one]
        if fewer and (again := _without(state, workload, model, at, fewer, watch)).outcome is Outcome.PLACED:
            victims, decision = fewer, again
    if decision.outcome is not Outcome.PLACED:
        return None
    told = tuple(_victim(state, one) for one in victims)
    findings = audited(bound(workload, model), told, state.fleet, state.law)
    if findings:
        raise Disagreement(f"the auditor does not pass these victims: {'; '.join(findings)}", field=workload.name)
    return with_victims(decision, told)


def with_victims(decision: Decision, victims: tuple[Victim, ...]) -> Decision:
    """A decision that was made with these gone. Each of its candidates displaces all of them.

    Since no smaller part of them would do anywhere, the work that is lost is the same wherever it goes: it is told in
    every score, and ranks nothing.
    """
    ranking, lost = decision.ranking, sum(one.lost_gpu_seconds for one in victims)
    if ranking is not None and lost:
        displaced = pack_numbers([lost] * ranking.count(len(decision.candidates)))
        ranking = replace(ranking, scores=(displaced, *ranking.scores[1:]))
    return replace(decision, victims=victims, ranking=ranking)


def _without(
    state: State, workload: Workload, model: ModelVersion | None, at: int, gone: list[Candidate], watch: Watch
) -> Decision:
    return place(state, workload, model, at, watch, without=tuple(one.workload_id for one in gone))


def _victim(state: State, one: Candidate) -> Victim:
    record = state.workloads[one.workload_id]
    milli = sum(h.gpu_milli for site in record.sites if (h := state.fleet.holdings.get(f"{record.id}@{site}")))
    return Victim(record.id, record.workload.name, record.workload.team, one.because, milli, one.lost)


def lost(record: WorkloadRecord, at: int) -> int:
    """GPU-seconds of work that would be done again, rounded up; CPU-seconds where it has no GPU."""
    if not record.running_since:
        return 0
    saved = [
        int(text)
        for status in record.statuses.values()
        if (text := status.metrics.get("checkpoint_at", "")).isdecimal() and len(text) <= DIGITS
    ]
    since = max(0, at - max([record.running_since, *(moment for moment in saved if moment <= at)]))
    every = record.workload.training.checkpoint_every_ms if record.workload.training else 0
    demand = record.workload.demand
    milli = (demand.gpu_milli or demand.resources.cpus_milli) * record.workload.copies
    return -(-milli * (min(since, every) if every else since) // 1_000_000)


def models(state: State, workload: Workload, site: str) -> list[str]:
    """The models of GPU that it could have at a place; none by name where it could do without and there is no GPU."""
    wanted = workload.demand
    if not wanted.gpu_milli:
        return [""]
    offers = state.fleet.sites[site].offers
    found = dict.fromkeys(o.gpu_model for o in offers if o.resources.gpus)
    meant = [name for name in found if not wanted.gpu_models or name in wanted.gpu_models]
    return meant or ([""] if wanted.cpu_fallback else [])
