"""Who makes room, the long way: every set of those that may be displaced, the best first, until one helps.

Who may be displaced follows from what guarantees cover, given out here team by team as `placement.quota.coverage`
says; whether a set helps, from asking the question again with exactly these gone. Where more than three must go the
engine does not look for the best, and any set is taken of which nobody could stay.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from broker.core.decide.making_room import make_room
from broker.core.records import JOINED, SiteRecord, WorkloadRecord
from broker.core.state import State
from tests.placement.oracle import room, waiting
from tests.placement.oracle.judge import Judge
from tests.placement.oracle.question import Question, whose
from tests.placement.oracle.teams import EVERYBODY, NAMELESS, Amounts, Teams, asked, held_by, sums
from tidegate.model.assignment import Phase, Status
from tidegate.model.decision import Decision
from tidegate.model.workload import Demand, Priority, Training, Workload, WorkloadKind

RANKS = list(Priority)
AT_ONCE = 3
OFFSET = 1_000
"""Of the state: later than whatever stands."""


@dataclass
class Work:
    """A workload that holds room, or the one that asks for it."""

    name: str
    team: str
    amounts: Amounts
    yields: bool
    rank: int
    """0 is the most important."""
    since: int
    sites: tuple[str, ...] = ()
    lost: int = 0


class Claims:
    """Whom each team's guarantee covers."""

    def __init__(self, teams: Teams, work: list[Work]) -> None:
        self.teams, self.work = teams, work
        self.covered: dict[str, set[str]] = {}
        for team in teams.below(EVERYBODY):
            self._give_out(team)

    def _give_out(self, team: str) -> None:
        below = self.teams.below(team)
        for one in below:
            self._give_out(one)
        already = {name for one in below for name in self.covered[one]}
        line = [one for one in self.work if team in self.teams.way_up(one.team)]
        line.sort(key=lambda one: (one.name not in already, one.yields, one.rank, one.since, one.name))
        covered, given = self.covered.setdefault(team, set()), Amounts()
        for one in line:
            fits = self.teams.covers(team, given, one.amounts)
            if fits:
                covered.add(one.name)
            if fits or not one.yields:
                given = sums((given, one.amounts))

    def covers(self, team: str, one: Work) -> bool:
        return one.name in self.covered.get(team, ())

    def may(self, me: Work, other: Work) -> str:
        """Why one may take the other's room; empty where it may not."""
        mine, theirs = self.teams.way_up(me.team), self.teams.way_up(other.team)
        both = [team for team in mine if team in theirs]
        better_right = any(self.covers(team, other) and not self.covers(team, me) for team in both)
        if not other.yields or better_right:
            return ""
        if me.team == other.team:
            return "priority" if other.rank > me.rank and not self.covers(me.team, other) else ""
        my_side = ([team for team in mine if team not in both] or [me.team])[-1]
        their_side = [team for team in theirs if team not in both][-1:]
        borrows = not any(self.covers(team, other) for team in their_side)
        return "borrowed" if self.covers(my_side, me) and borrows else ""


def standing(q: Question) -> list[Work]:
    """Who holds room, all sites together."""
    found: dict[str, Work] = {}
    for holding in q.counting:
        name, right = whose(holding), holding.right
        sites = tuple(dict.fromkeys(copy.site for copy in holding.copies))
        here = held_by(holding, q.sites)
        if name in found:
            found[name].amounts = sums((found[name].amounts, here))
            found[name].sites += sites
        else:
            rank = RANKS.index(right.importance)
            found[name] = Work(name, holding.team or NAMELESS, here, right.yields, rank, right.since, sites)
    for name, one in found.items():
        one.lost = lost(q, name, one.amounts)
    return list(found.values())


def lost(q: Question, name: str, holds: Amounts) -> int:
    """GPU-seconds (CPU-seconds without GPUs) since its last checkpoint, or one interval of them at most."""
    ran = q.ran.get(name)
    if ran is None or not ran.since:
        return 0
    ms = q.now - max(ran.since, ran.saved_at)
    ms = min(ms, ran.every_ms) if ran.every_ms else ms
    return -(-(holds.get("gpus") or holds.get("cpus", 0)) * ms // 1_000_000)


Chosen = tuple[tuple[Work, str], ...]


def preference(chosen: Chosen) -> tuple[int, int, int, list[str]]:
    """Lower is better: the least important worst victim, fewer, less work lost, earlier ids."""
    work = [one for one, _ in chosen]
    return -min(one.rank for one in work), len(work), sum(one.lost for one in work), sorted(one.name for one in work)


def expected(q: Question) -> Chosen:
    """The best set of all places, without those that are not needed anywhere; nothing where none helps."""
    work, teams = standing(q), Teams(q.teams, q.counting, q.sites)
    best: Chosen = ()
    for site in waiting.hopes(q):
        for model in models(q, site):
            right = (q.work.yields, RANKS.index(q.work.importance), OFFSET + 1)
            me = Work("", q.work.team or NAMELESS, asked(q.work, model), *right)
            claims = Claims(teams, [*work, me])
            may = [(one, why) for one in work if (why := claims.may(me, one))]
            here = [one for one in may if site in one[0].sites]
            chosen = _least(q, site, here) or _least(q, site, may)
            if chosen and (not best or preference(chosen) < preference(best)):
                best = chosen
    for one in sorted(best, key=lambda one: (-one[0].rank, one[0].lost, one[0].name), reverse=True):
        fewer = tuple(other for other in best if other is not one)
        if fewer and helps(q, fewer):
            best = fewer
    return best if helps(q, best) else ()


def _least(q: Question, site: str, may: list[tuple[Work, str]]) -> Chosen:
    sets = [chosen for size in range(1, len(may) + 1) for chosen in combinations(may, size)]
    only = q.only(site)
    return next((chosen for chosen in sorted(sets, key=preference) if helps(only, chosen)), ())


def helps(q: Question, gone: Chosen) -> bool:
    return bool(gone) and bool(Judge(q.without(*(one.name for one, _ in gone))).answer().winners)


def models(q: Question, site: str) -> list[str]:
    """The models of GPU that it could have there; no name where there is none and CPUs do as well."""
    need = room.needs_of(q.work.demand)[0]
    if not need.on_gpu:
        return [""]
    offers = q.sites[site].offers
    found = list(dict.fromkeys(o.gpu_model for o in offers if o.resources.gpus and room.fits_model(o, need)))
    return found or ([""] if q.work.demand.cpu_fallback else [])


# The engine's answer, and what is wrong with it.


def made(q: Question, refused: Decision) -> Decision | None:
    """What the broker's core makes of it."""
    state = State(offset=OFFSET)
    state.fleet, state.law, state.accounts = q.fleet, q.law, dict(q.accounts)
    state.fleet.ledger.accounts = state.accounts
    state.sites = {name: SiteRecord(facts.site, JOINED) for name, facts in q.sites.items()}
    state.workloads = {record.id: record for record in _records(q)}
    return make_room(state, q.work, None, q.now, refused)


def _records(q: Question) -> Iterator[WorkloadRecord]:
    for name in dict.fromkeys(whose(holding) for holding in q.holdings):
        every = [holding for holding in q.holdings if whose(holding) == name]
        held = [holding for holding in every if holding.workload_id not in q.aside] or every
        copies, ran = [copy for one in held for copy in one.copies], q.ran.get(name)
        first = copies[0]
        demand = Demand(first.resources, gpu_share_milli=first.gpu_share_milli, mig_profile=first.mig_profile)
        saves = ran.every_ms if ran else 0
        training = Training("train", workers=len(copies), checkpoint_every_ms=saves)
        work = Workload(name, WorkloadKind.TRAINING_JOB, demand, held[0].team, training=training)
        sites = tuple(dict.fromkeys(copy.site for copy in copies))
        leaves = tuple(dict.fromkeys(copy.site for one in every if one not in held for copy in one.copies))
        since = ran.since if ran else 0
        record = WorkloadRecord(
            name, work, 0, "", phase=Phase.RUNNING, sites=sites, leaving=leaves, running_since=since
        )
        if ran and ran.saved_at:
            said = Status(name, 1, Phase.RUNNING, metrics={"checkpoint_at": str(ran.saved_at)}, at=q.now)
            record.statuses[sites[0]] = said
        yield record


def wrong(q: Question, refused: Decision) -> tuple[list[str], int]:
    """What differs, and how many victims there are."""
    best, found = expected(q), made(q, refused)
    said = {one.workload_id: (one.because, one.lost_gpu_seconds) for one in found.victims} if found else {}
    want = {one.name: (why, one.lost) for one, why in best}
    if max(len(best), len(said)) > AT_ONCE:
        return list(_none_needless(q, tuple(said))), len(said)
    if said != want:
        return [f"victims: engine {said}, oracle {want}"], len(want)
    if found is None:
        return [], 0
    after = Judge(q.without(*said)).answer()
    if found.sites != after.winners or found.cost != after.cost:
        return [f"with {sorted(said)} gone: engine {found.sites}, oracle {after.winners}"], len(want)
    displaced = {one.score.displaced for one in found.ranked}
    if displaced != {sum(one.lost for one, _ in best)}:
        return [f"work lost: engine {displaced}, oracle {sum(one.lost for one, _ in best)}"], len(want)
    return [], len(want)


def _none_needless(q: Question, victims: tuple[str, ...]) -> Iterator[str]:
    if not victims or not Judge(q.without(*victims)).answer().winners:
        yield f"victims: {victims} do not help, and others would"
    for one in victims:
        if Judge(q.without(*(other for other in victims if other != one))).answer().winners:
            yield f"victims: {one} could stay of {victims}"
