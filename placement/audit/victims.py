"""The auditor on victims: was each of them anybody's to displace? In plain loops, and shared with nobody.

It counts coverage by itself: at every team its guarantee goes first to what the teams below cover, then to firm work,
then by importance and by who has held room longer. That each victim is needed, the broker shows by deciding without it.

    yields       production work that does not say so is never displaced
    borrowed     of another team: a guarantee covers the asker, and none on the victim's side covers the victim
    priority     of the same team: less important, and not covered
"""

from dataclasses import dataclass, field

from placement.audit.ground import Sums, ground_of
from placement.audit.teams import Teams, covered
from placement.fleet.fleet import Fleet
from placement.law.law import Law
from tidegate.model.decision import Victim
from tidegate.model.workload import Priority, Workload

ORDER = list(Priority)


@dataclass(slots=True)
class _Work:
    name: str
    team: str
    yields: bool
    rank: int
    since: int
    sums: Sums
    covered_by: set[str] = field(default_factory=set)


def audit(workload: Workload, victims: tuple[Victim, ...], fleet: Fleet, law: Law) -> tuple[str, ...]:
    """What is wrong with these victims, on the fleet where they still stand. Empty where nothing is."""
    teams = Teams(workload, fleet, ground_of(fleet), law, 0)
    work: dict[str, _Work] = {}
    for holding in (one for one in fleet.holdings.values() if one.workload_id not in fleet.aside):
        name, right = holding.workload_id.split("@")[0], holding.right
        one = work.setdefault(
            name, _Work(name, holding.team or "(none)", right.yields, ORDER.index(right.importance), right.since, {})
        )
        for what, amount in teams.sums_of(holding).items():
            one.sums[what] = one.sums.get(what, 0) + amount
    offers = (offer for facts in fleet.sites.values() for offer in facts.offers)
    on_gpus = {offer.gpu_model for offer in offers if offer.resources.gpus}
    models = {model for model in on_gpus if teams.meant(model)} | ({""} if workload.demand.cpu_fallback else set())
    said = {victim.workload_id for victim in victims}
    if strange := said - set(work):
        return tuple(f"{name} holds nothing" for name in sorted(strange))
    complaints: list[str] = []
    for model in sorted(models if workload.demand.gpu_milli and models else {""}):
        me = _Work("", workload.team or "(none)", workload.yields, ORDER.index(workload.importance), 2**62, {})
        me.sums = teams.asked(model)
        everyone = [*work.values(), me]
        for one in everyone:
            one.covered_by = set()
        for team in teams.children(""):
            _give_out(team.name, everyone, teams)
        complaints = [f"{v.name}: {why}" for v in victims if (why := _wrong(me, work[v.workload_id], teams))]
        if not complaints:
            return ()
    return tuple(complaints)


def _give_out(team: str, everyone: list[_Work], teams: Teams) -> None:
    below = [child.name for child in teams.children(team)]
    for child in below:
        _give_out(child, everyone, teams)
    line = [one for one in everyone if team in teams.way_of(one.team)]
    line.sort(key=lambda w: (not w.covered_by & set(below), w.yields, w.rank, w.since, w.name))
    guarantee, given = teams.guarantee_of(team), dict[str, int]()
    for one in line:
        fits = covered(guarantee, given, {what: n for what, n in one.sums.items() if n})
        if fits:
            one.covered_by.add(team)
        if fits or not one.yields:
            for what, amount in one.sums.items():
                given[what] = given.get(what, 0) + amount


def _wrong(me: _Work, victim: _Work, teams: Teams) -> str:
    if not victim.yields:
        return "does not yield"
    mine, theirs = teams.way_of(me.team), teams.way_of(victim.team)
    shared = [team for team in mine if team in theirs]
    if any(team in victim.covered_by and team not in me.covered_by for team in shared):
        return "has the better right"
    if me.team == victim.team:
        less = victim.rank > me.rank and me.team not in victim.covered_by
        return "" if less else "is as important, or its team's own share"
    my_side = [team for team in mine if team not in shared] or [me.team]
    their_side = [team for team in theirs if team not in shared]
    if my_side[-1] not in me.covered_by:
        return "its room is claimed beyond a guarantee"
    return "has what its team is guaranteed" if their_side and their_side[-1] in victim.covered_by else ""
