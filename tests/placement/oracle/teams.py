"""Teams, the long way: what they hold, may hold, are guaranteed, lend and have spent. See `placement.quota` for why.

Amounts go by name: `gpus` and `gpus/MODEL` in thousandths, `cpus` in thousandths, `memory` in bytes; 0 is left out.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from placement.fleet.facts import Holding, SiteFacts
from placement.quota.accounts import Account
from tidegate.model.mig import gpu_milli
from tidegate.model.money import Quota, Team
from tidegate.model.quantity import Resources
from tidegate.model.site import Offer
from tidegate.model.workload import Workload

Amounts = dict[str, int]
EVERYBODY = ""
"""The whole fleet, above every team that stands alone."""
NAMELESS = "(none)"
HOUR_MS = 3_600_000


def by_name(gpu_milli: int, cpus: int, memory: int, models: dict[str, int]) -> Amounts:
    found = {"gpus": gpu_milli, "cpus": cpus, "memory": memory}
    found |= {f"gpus/{model}": milli for model, milli in models.items()}
    return {name: amount for name, amount in found.items() if amount}


def of_quota(quota: Quota) -> Amounts:
    r = quota.resources
    return by_name(r.gpus * 1000, r.cpus_milli, r.memory_bytes, quota.gpu_models)


def asked(work: Workload, model: str) -> Amounts:
    """By all copies, on GPUs of a model ("" where that is no matter)."""
    demand, n = work.demand, work.copies
    milli = (demand.resources.gpus * 1000 + demand.gpu_share_milli + gpu_milli(demand.mig_profile)) * n
    r = demand.resources
    return by_name(milli, r.cpus_milli * n, r.memory_bytes * n, {model: milli} if model else {})


def held_by(holding: Holding, sites: dict[str, SiteFacts]) -> Amounts:
    found: Amounts = {}
    for copy in holding.copies:
        facts = sites.get(copy.site)
        offer = next((one for one in facts.offers if one.name == copy.offer), None) if facts else None
        milli, r = copy.resources.gpus * 1000 + copy.gpu_share_milli + gpu_milli(copy.mig_profile), copy.resources
        models = {offer.gpu_model: milli} if offer and offer.gpu_model else {}
        for name, amount in by_name(milli, r.cpus_milli, r.memory_bytes, models).items():
            found[name] = found.get(name, 0) + amount
    return found


def sums(parts: Iterable[Amounts]) -> Amounts:
    found: Amounts = {}
    for part in parts:
        for name, amount in part.items():
            found[name] = found.get(name, 0) + amount
    return found


class Teams:
    """The teams in force, and what everybody holds."""

    def __init__(self, teams: tuple[Team, ...], holdings: tuple[Holding, ...], sites: dict[str, SiteFacts]) -> None:
        self.teams = {team.name: team for team in teams}
        self.sites = sites
        self.held = [(one.team or NAMELESS, held_by(one, sites), one.right.yields) for one in holdings]
        quotas = [q for t in teams for q in (t.guarantee, t.ceiling, t.borrowing_limit or Quota())]
        self.speaks_of_models = any(milli for quota in quotas for milli in quota.gpu_models.values())
        self.has_budgets = any(team.budget_micros_per_month for team in teams)
        self.guarantees = any(of_quota(team.guarantee) for team in teams)
        self._used: dict[tuple[str, bool], Amounts] = {}

    def way_up(self, team: str) -> list[str]:
        """The team, the one that it is part of, and so on."""
        way = [team or NAMELESS]
        while way[-1] in self.teams and (above := self.teams[way[-1]].parent) in self.teams and above not in way:
            way.append(above)
        return way

    def below(self, team: str) -> list[str]:
        """Those right below a team, or below nobody."""
        if team == EVERYBODY:
            return [one for one in self.teams if len(self.way_up(one)) == 1]
        return [one for one in self.teams if self.way_up(one)[1:2] == [team]]

    def used(self, team: str, *, firm: bool = False) -> Amounts:
        """By the team and those below it; with `firm`, by work that does not yield."""
        if (team, firm) not in self._used:
            self._used[team, firm] = sums(
                amounts
                for name, amounts, yields in self.held
                if (team == EVERYBODY or team in self.way_up(name)) and not (firm and yields)
            )
        return self._used[team, firm]

    def guarantee(self, team: str) -> Amounts:
        return of_quota(self.teams[team].guarantee) if team in self.teams else {}

    def covers(self, team: str, beside: Amounts, wanted: Amounts) -> bool:
        """Whether its guarantee has room beside that; one that does not speak of what matters covers nothing."""
        guarantee = self.guarantee(team)
        if not wanted:
            return True
        about_gpus = [name for name in wanted if name.startswith("gpus")]
        if not any(name in guarantee for name in about_gpus or wanted):
            return False
        named = [name for name in wanted if name in guarantee]
        return all(beside.get(name, 0) + wanted[name] <= guarantee[name] for name in named)

    def within_limits(self, team: str, wanted: Amounts) -> bool:
        """What is not asked for is not made worse: a limit that came after what is held bars no other work."""
        for one in self.way_up(team):
            limit = of_quota(self.teams[one].ceiling) if one in self.teams else {}
            used = self.used(one)
            if any(name in wanted and used.get(name, 0) + wanted[name] > most for name, most in limit.items()):
                return False
        return True

    def within_share(self, team: str, wanted: Amounts, *, yields: bool) -> bool:
        """Borrowing, lending, and what firm work must leave reachable."""
        way = self.way_up(team)
        if not all(self._may_borrow(self.teams[one], wanted) for one in way if one in self.teams):
            return False
        if not self._lent(way, wanted):
            return False
        return yields or not self.guarantees or all(self._reachable(way[0], name, n) for name, n in wanted.items())

    def _may_borrow(self, team: Team, wanted: Amounts) -> bool:
        used, guarantee = self.used(team.name), self.guarantee(team.name)
        if not team.borrowing:
            return self.covers(team.name, used, wanted)
        if team.borrowing_limit is None:
            return True
        return all(
            used.get(name, 0) + wanted[name] <= guarantee.get(name, 0) + most
            for name, most in of_quota(team.borrowing_limit).items()
            if name in wanted
        )

    def _lent(self, way: list[str], wanted: Amounts) -> bool:
        """Whether what others keep to themselves is left alone: below the lowest team that covers it, or anywhere."""
        scope = next((one for one in way if self.covers(one, self.used(one), wanted)), EVERYBODY)
        if scope == way[0]:
            return True
        has = self.capacity if scope == EVERYBODY else self.guarantee(scope)
        for name, amount in wanted.items():
            kept = sum(self._idle(one, name, way) for one in self.below(scope))
            if not kept or (scope != EVERYBODY and name not in has):
                continue
            if amount > max(has.get(name, 0) - self.used(scope).get(name, 0) - kept, 0):
                return False
        return True

    def _idle(self, team: str, name: str, way: list[str]) -> int:
        """What a team, or those below it, do not lend and do not use."""
        below = sum(self._idle(one, name, way) for one in self.below(team))
        return below if team in way else max(below, self._keeps(team, name) - self.used(team).get(name, 0))

    def _keeps(self, team: str, name: str) -> int:
        noun, guarantee = self.teams[team], self.guarantee(team).get(name, 0)
        if noun.lends_nothing:
            return guarantee
        lends = of_quota(noun.lending_limit).get(name) if noun.lending_limit else None
        return 0 if lends is None else max(guarantee - lends, 0)

    def _reachable(self, team: str, name: str, more: int) -> bool:
        """Whether every guarantee stays in the fleet's reach, or is no further from it than before."""
        if not any(name in self.guarantee(one) for one in self.teams):
            return True
        before, after = self._reach(EVERYBODY, name, team, 0), self._reach(EVERYBODY, name, team, more)
        return after <= max(before, self.capacity.get(name, 0))

    def _reach(self, node: str, name: str, team: str, more: int) -> int:
        """The guarantee or, where that is more, its own firm work and the reach of those below it."""
        below = self.below(node)
        own = self.used(node, firm=True).get(name, 0)
        own -= sum(self.used(one, firm=True).get(name, 0) for one in below)
        own += more if node == team or (node == EVERYBODY and team not in self.teams) else 0
        return max(self.guarantee(node).get(name, 0), own + sum(self._reach(one, name, team, more) for one in below))

    @property
    def capacity(self) -> Amounts:
        """Everything that is declared or was observed."""
        return sums(_of(offer) for facts in self.sites.values() for offer in facts.offers)

    # Money.

    def within_budgets(self, work: Workload, hourly: int, accounts: dict[str, Account], now: int) -> bool:
        """What the month will have cost at its end, for each team on the way up; `hourly`: this work's own price."""
        end = month_after(now)
        timeout = work.training.timeout_ms if work.training else 0
        adds = _up(Fraction(hourly * (min(end - now, timeout) if timeout else end - now), HOUR_MS))
        for one in self.way_up(work.team):
            most = self.teams[one].budget_micros_per_month if one in self.teams else 0
            theirs = [account for name, account in accounts.items() if one in self.way_up(name)]
            if most and adds + _owed(theirs, now) > most:
                return False
        return True


def _of(offer: Offer) -> Amounts:
    r: Resources = offer.resources
    milli = r.gpus * 1000
    models = {offer.gpu_model: milli * offer.count} if offer.gpu_model else {}
    return by_name(milli * offer.count, r.cpus_milli * offer.count, r.memory_bytes * offer.count, models)


def _owed(accounts: list[Account], now: int) -> int:
    """Micros: what is closed, what ran up to now, and what will run until the month ends or the work must."""
    month = f"{_moment(now):%Y-%m}"
    begin, end = _ms(_moment(now).replace(day=1, hour=0, minute=0, second=0, microsecond=0)), month_after(now)
    gone, to_come = Fraction(0), Fraction(0)
    for account in accounts:
        gone += Fraction(account.owed.get(month, 0), HOUR_MS)
        for charge in account.charges.values():
            gone += Fraction(charge.micros_per_hour * max(now - max(charge.since, begin), 0), HOUR_MS)
            until = min(charge.until or end, end)
            to_come += Fraction(charge.micros_per_hour * max(until - max(now, charge.since), 0), HOUR_MS)
    return _up(gone) + _up(to_come)


def month_after(at: int) -> int:
    """When the next month begins."""
    there = _moment(at).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return _ms((there + timedelta(days=32)).replace(day=1))


def _moment(at: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)


def _ms(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _up(amount: Fraction) -> int:
    return -(-amount.numerator // amount.denominator)
