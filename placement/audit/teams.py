"""The auditor on teams: limits, what may be borrowed, budgets; in plain loops over holdings, and shared with nobody.

What it says of a place is asked of every model of GPU there that the workload takes: the place is allowed where one of
them will do, and only offers of such models may hold copies. Where none will do now, room is judged on those that would
if nobody held anything; where none would then, without regard to it. Where there is no such model, work that could do
without GPUs is asked without a model.
"""

from calendar import monthrange
from collections.abc import Callable
from copy import copy
from datetime import UTC, datetime
from functools import cached_property

from placement.audit.ground import Ground, Sums, count_gpus, more
from placement.fleet.fleet import Fleet
from placement.law.law import Law
from tidegate.model.money import Quota, Team
from tidegate.model.workload import Workload


class Teams:
    """What every team holds, counted from the holdings, beside what it may hold."""

    def __init__(self, workload: Workload, fleet: Fleet, ground: Ground, law: Law, now: int) -> None:
        self.workload, self.now = workload, now
        self.teams = {team.name: team for team in law.teams}
        self.accounts = fleet.ledger.accounts
        self.capacity, self.held, self.firm, self.sums_of = ground.capacity, ground.held, ground.firm, ground.sums_of
        if fleet.aside:
            self._leave_out(fleet)
        self._within: dict[tuple[str, str], bool] = {}
        self.way = self.way_of(workload.team or "(none)")
        self.budgets = any(self.teams[name].budget_micros_per_month for name in self.way if name in self.teams)

    def _leave_out(self, fleet: Fleet) -> None:
        """Room that work still has where it stands, and leaves, counts for nobody beside where it goes."""
        self.held, self.firm = ({team: dict(sums) for team, sums in books.items()} for books in (self.held, self.firm))
        for name in sorted(fleet.aside):
            holding = fleet.holdings[name]
            for what, amount in self.sums_of(holding).items():
                more(self.held[holding.team], what, -amount)
                if not holding.right.yields:
                    more(self.firm[holding.team], what, -amount)

    def guarantee_of(self, name: str) -> Sums:
        """What a team is guaranteed."""
        return _sums(self.teams[name].guarantee)

    # What a place is asked.

    def meant(self, model: str) -> bool:
        """Whether the workload's GPUs could be of this model."""
        return not self.workload.demand.gpu_models or model in self.workload.demand.gpu_models

    def refuse(self, models: frozenset[str]) -> list[str]:
        """Which of `team-limit` and `team-quota` refuse a place with GPUs of these models."""
        wanted = self._wanted(models)
        return [name for name, holds in self._bounds if wanted and not any(map(holds, wanted))]

    def hopeless(self, models: frozenset[str]) -> list[str]:
        """Those of them that would refuse it if nobody held anything as well."""
        no = self.emptied.refuse(models)
        return [name for name in self.refuse(models) if name in no]

    def _wanted(self, models: frozenset[str]) -> list[str]:
        """The models that a place is asked about; the empty name where the model is no matter."""
        if not self._by_model:
            return [""]
        meant = [model for model in sorted(models) if self.meant(model)]
        return meant or ([""] if self.workload.demand.cpu_fallback else [])

    @cached_property
    def emptied(self) -> "Teams":
        """The same teams if nobody held anything."""
        empty = copy(self)
        empty.__dict__.pop("_bounds", None)
        empty.held, empty.firm, empty._within = {}, {}, {}
        return empty

    def may_hold(self, models: frozenset[str], *, bare: bool = False) -> Callable[[str], bool] | None:
        """Whether copies may stand on offers of a model, at a place with GPUs of these models; None where on all.

        `bare`: or might, if nobody held anything.
        """
        if not self._by_model:
            return None
        empty = dict(self.emptied._bounds)
        judges: list[Callable[[str], bool]] = []
        for name, now in self._bounds:
            ever = _either(now, empty[name])
            for judge in (ever,) if bare else (now, ever):
                if any(judge(model) for model in models if self.meant(model)):
                    judges.append(judge)
                    break
        return (lambda model: all(judge(model) for judge in judges)) if judges else None

    @cached_property
    def _by_model(self) -> bool:
        return self.workload.demand.gpu_milli > 0 and self._models_matter

    @cached_property
    def _bounds(self) -> list[tuple[str, Callable[[str], bool]]]:
        """The bounds that say anything, each with whether it holds for all copies on a model."""
        limits = [("team-limit", self.within_limits)] if self._limits_matter else []
        return [*limits, *([("team-quota", self.within_share)] if self._shares_matter else [])]

    def within_budget(self, micros_per_hour: int) -> bool:
        """Whether the month can pay for it, at a place of this price for one share of the copies."""
        adds = self._adds(micros_per_hour, self._month_left())
        return all(adds + sum(self._owed(name)) <= most for name, most in self._budgets)

    def could_pay(self, micros_per_hour: int) -> bool:
        """Whether it could if all that runs ended now, or at least the next month with nothing else to pay."""
        end = self.now + self._month_left()
        adds, whole = (self._adds(micros_per_hour, left) for left in (end - self.now, _following(end) - end))
        this = all(adds + self._owed(name)[0] <= most for name, most in self._budgets)
        return this or all(whole <= most for _, most in self._budgets)

    @property
    def _budgets(self) -> list[tuple[str, int]]:
        """Of the teams on the way up that have one."""
        teams = [self.teams[name] for name in self.way if name in self.teams]
        return [(team.name, team.budget_micros_per_month) for team in teams if team.budget_micros_per_month]

    def _adds(self, micros_per_hour: int, left: int) -> int:
        """To a month of which so much is left, ms."""
        timeout = self.workload.training.timeout_ms if self.workload.training else 0
        runs = min(left, timeout) if timeout else left
        shares = self.workload.copies if self.workload.spread.value == "site" else 1
        return -(-micros_per_hour * shares * runs // 3_600_000)

    # Limits and shares.

    def within_limits(self, model: str) -> bool:
        """Whether the limits hold for all copies on GPUs of one model. Worked out once for a model."""
        known = self._within.get(("within_limits", model))
        if known is None:
            known = self._within["within_limits", model] = self._within_limits(model)
        return known

    def _within_limits(self, model: str) -> bool:
        asked = self.asked(model)
        for name in self.way:
            if name in self.teams:
                held, most = self._below(name, self.held), _sums(self.teams[name].ceiling)
                if any(held.get(what, 0) + asked[what] > most[what] for what in asked if what in most):
                    return False
        return True

    def within_share(self, model: str) -> bool:
        """Whether what may be borrowed does. Worked out once for a model."""
        known = self._within.get(("within_share", model))
        if known is None:
            known = self._within["within_share", model] = self._within_share(model)
        return known

    def _within_share(self, model: str) -> bool:
        asked = self.asked(model)
        for name in self.way:
            team = self.teams.get(name)
            if team is None:
                continue
            held, own = self._below(name, self.held), _sums(team.guarantee)
            if not team.borrowing and not covered(own, held, asked):
                return False
            if team.borrowing and team.borrowing_limit is not None:
                for what, more in _sums(team.borrowing_limit).items():
                    if what in asked and held.get(what, 0) + asked[what] > own.get(what, 0) + more:
                        return False
        return self._leaves_what_is_kept(asked) and (self.workload.yields or self._leaves_guarantees(asked))

    def _leaves_what_is_kept(self, asked: Sums) -> bool:
        scope = ""
        for name in reversed(self.way):
            if name in self.teams and covered(_sums(self.teams[name].guarantee), self._below(name, self.held), asked):
                scope = name
        if scope == self.way[0]:
            return True
        has = _sums(self.teams[scope].guarantee) if scope else self.capacity
        used = self._below(scope, self.held)
        for what, amount in asked.items():
            idle = self._kept_idle(scope, what)
            bounded = not scope or what in has
            if idle and bounded and amount > has.get(what, 0) - used.get(what, 0) - idle:
                return False
        return True

    def _kept_idle(self, above: str, what: str) -> int:
        idle = 0
        for team in self.children(above):
            within = self._kept_idle(team.name, what)
            if team.name not in self.way:
                own = _sums(team.guarantee).get(what, 0)
                lent = _sums(team.lending_limit).get(what, own) if team.lending_limit else own
                kept = own if team.lends_nothing else max(own - lent, 0)
                within = max(within, kept - self._below(team.name, self.held).get(what, 0)) if kept else within
            idle += max(within, 0)
        return idle

    def _leaves_guarantees(self, asked: Sums) -> bool:
        spoken = {what for team in self.teams.values() for what in _sums(team.guarantee)}
        for what in sorted(set(asked) & spoken):
            before = self._reach("", what, {})
            after = self._reach("", what, {self.way[0]: asked[what]})
            if after > max(before, self.capacity.get(what, 0)):
                return False
        return True

    def _reach(self, above: str, what: str, more: Sums) -> int:
        """What must stay reachable for the teams below, and for teams that nobody declared."""
        total = 0
        for team in self.children(above):
            own = self.firm.get(team.name, {}).get(what, 0) + more.get(team.name, 0)
            own += self._reach(team.name, what, more)
            total += max(own, _sums(team.guarantee).get(what, 0))
        if not above:
            strange = {*self.firm, *more} - set(self.teams)
            total += sum(self.firm.get(name, {}).get(what, 0) + more.get(name, 0) for name in strange)
        return total

    # The teams as a tree.

    def way_of(self, name: str) -> list[str]:
        way = [name]
        while way[-1] in self.teams and (parent := self.teams[way[-1]].parent) in self.teams and parent not in way:
            way.append(parent)
        return way

    def children(self, above: str) -> list[Team]:
        return [team for team in self.teams.values() if team.name not in ("", above) and self._parent(team) == above]

    def _parent(self, team: Team) -> str:
        return team.parent if team.parent in self.teams and team.parent != team.name else ""

    def _below(self, name: str, books: dict[str, Sums]) -> Sums:
        """What a team and those below it have in the books; of the empty name, all."""
        sums: Sums = {}
        for team, held in books.items():
            if not name or name in self.way_of(team):
                for what, amount in held.items():
                    more(sums, what, amount)
        return sums

    def asked(self, model: str) -> Sums:
        demand, copies = self.workload.demand, self.workload.copies
        sums: Sums = {}
        count_gpus(sums, demand.gpu_milli * copies, model)
        more(sums, "cpus", demand.resources.cpus_milli * copies)
        more(sums, "memory", demand.resources.memory_bytes * copies)
        return {what: amount for what, amount in sums.items() if amount}

    @cached_property
    def _limits_matter(self) -> bool:
        return any(_sums(team.ceiling) for team in self.teams.values())

    @cached_property
    def _shares_matter(self) -> bool:
        return any(
            _sums(team.guarantee) or not team.borrowing or team.borrowing_limit is not None
            for team in self.teams.values()
        )

    @cached_property
    def _models_matter(self) -> bool:
        quotas = [quota for team in self.teams.values() for quota in (team.guarantee, team.ceiling)]
        quotas += [team.borrowing_limit for team in self.teams.values() if team.borrowing_limit is not None]
        return any(quota.gpu_models.values() for quota in quotas)

    # Money.

    def _month_left(self) -> int:
        moment = datetime.fromtimestamp(self.now / 1000, UTC)
        days = monthrange(moment.year, moment.month)[1]
        first = datetime(moment.year, moment.month, 1, tzinfo=UTC)
        return int(first.timestamp()) * 1000 + days * 86_400_000 - self.now

    def _owed(self, name: str) -> tuple[int, int]:
        """What a team and those below it have spent this month, and what their running work will add."""
        moment = datetime.fromtimestamp(self.now / 1000, UTC)
        first = int(datetime(moment.year, moment.month, 1, tzinfo=UTC).timestamp()) * 1000
        end = self.now + self._month_left()
        spent = comes = 0
        for team, account in self.accounts.items():
            if name not in self.way_of(team):
                continue
            spent += account.owed.get(f"{moment.year}-{moment.month:02}", 0)
            for charge in account.charges.values():
                spent += charge.micros_per_hour * max(self.now - max(charge.since, first), 0)
                until = min(charge.until or end, end)
                comes += charge.micros_per_hour * max(until - max(self.now, charge.since), 0)
        return -(-spent // 3_600_000), -(-comes // 3_600_000)


def _following(first: int) -> int:
    """The end of the month that begins then, ms since the epoch."""
    moment = datetime.fromtimestamp(first / 1000, UTC)
    return first + monthrange(moment.year, moment.month)[1] * 86_400_000


def _either(one: Callable[[str], bool], other: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda model: one(model) or other(model)


def covered(guarantee: Sums, held: Sums, asked: Sums) -> bool:
    """Whether a guarantee speaks of what is asked and has room for it beside what is held of it."""
    gpus = [what for what in asked if what.startswith("gpus")]
    if asked and not any(what in guarantee for what in (gpus or asked)):
        return False
    return not any(held.get(what, 0) + asked[what] > guarantee[what] for what in asked if what in guarantee)


def _sums(quota: Quota) -> Sums:
    """A quota's amounts, those that are 0 left out."""
    whole = quota.resources
    found = {"gpus": whole.gpus * 1000, "cpus": whole.cpus_milli, "memory": whole.memory_bytes}
    found |= {f"gpus/{model}": milli for model, milli in quota.gpu_models.items()}
    return {what: amount for what, amount in found.items() if amount}
