"""The teams in force, compiled: each team's path to its root, what it is guaranteed, limited to, and keeps to itself.

A team that nobody declared stands alone: nothing is guaranteed to it, nothing limits it, and it borrows.

`check` refuses teams that could not be lived with: a parent that is not there, a circle, more than eight levels, less
at the top than the teams below are guaranteed, a limit below the guarantee.

Limits: eight levels; 10,000 teams.
"""

from collections.abc import Mapping

from placement.quota.amounts import Amounts, add, of_quota, over
from tidegate.model.errors import Refused
from tidegate.model.money import Quota, Team

LEVELS = 8
ROOT = ""
"""Above every team that has no parent: the whole fleet. (A team without a name stands below it like any other.)"""
NOBODY = "(none)"
"""The team of work that names none."""


class Tree:
    """Teams by name, with their quotas as amounts. A value: a changed team is another tree."""

    def __init__(self, teams: tuple[Team, ...] = ()) -> None:
        self.teams: dict[str, Team] = {team.name: team for team in teams}
        self.guarantee: dict[str, Amounts] = {team.name: of_quota(team.guarantee) for team in teams}
        self.limit: dict[str, Amounts] = {team.name: of_quota(team.ceiling) for team in teams}
        self.below: dict[str, list[str]] = {ROOT: []}
        """The teams right below each."""
        for team in teams:
            self.below.setdefault(self._above(team), []).append(team.name)
        self.guarantees = any(self.guarantee.values())
        self.limits = any(self.limit.values())
        self.keeps: dict[str, Amounts] = {team.name: kept for team in teams if (kept := self._kept(team))}
        """What a team's guarantee does not lend, where there is any."""
        self.spoken = frozenset(name for guarantee in self.guarantee.values() for name in guarantee)
        """What any guarantee speaks of."""
        self.borrowing: dict[str, Amounts] = {
            team.name: {
                name: most + self.guarantee[team.name].get(name, 0)
                for name, most in of_quota(team.borrowing_limit).items()
            }
            for team in teams
            if team.borrowing_limit is not None
        }
        """What a team may hold with what it borrows, where that is bounded."""
        self.bounds_borrowing = any(not team.borrowing or team.borrowing_limit is not None for team in teams)
        self.budgets = any(team.budget_micros_per_month for team in teams)
        self.models = any(
            name.startswith("gpus/")
            for quotas in (self.guarantee, self.limit, self.borrowing)
            for quota in quotas.values()
            for name in quota
        )
        """Whether any quota speaks of a model of GPU."""
        self._paths: dict[str, tuple[str, ...]] = {}

    def _above(self, team: Team) -> str:
        return team.parent if team.parent in self.teams and team.parent != team.name else ROOT

    def _kept(self, team: Team) -> Amounts:
        guarantee = self.guarantee[team.name]
        if team.lends_nothing:
            return dict(guarantee)
        if team.lending_limit is None:
            return {}
        lent = of_quota(team.lending_limit)
        return {name: kept for name, most in guarantee.items() if (kept := most - lent.get(name, most)) > 0}

    def path(self, team: str) -> tuple[str, ...]:
        """The team, its parent, and so on up to the one that has none."""
        known = self._paths.get(team)
        if known is None:
            steps = [team or NOBODY]
            while (here := self.teams.get(steps[-1])) and (above := self._above(here)) and above not in steps:
                steps.append(above)
            known = self._paths[team] = tuple(steps)
        return known

    def has_budget(self, team: str) -> bool:
        """Whether the team or one above it has a budget."""
        return self.budgets and any(
            node in self.teams and self.teams[node].budget_micros_per_month for node in self.path(team)
        )

    def covers(self, node: str, held: Mapping[str, int], wanted: Mapping[str, int]) -> bool:
        """Whether a team's guarantee has room for `wanted` beside what is `held` of it.

        It must speak of what is wanted: of GPUs where GPUs are wanted, else of anything. Of what it does not speak (the
        CPUs beside guaranteed GPUs) it asks nothing.
        """
        guarantee = self.guarantee.get(node)
        if not guarantee or not wanted:
            return not wanted
        first = [name for name in wanted if name.startswith("gpus")] or list(wanted)
        if not any(name in guarantee for name in first):
            return False
        return all(
            held.get(name, 0) + amount <= guarantee[name] for name, amount in wanted.items() if name in guarantee
        )


def check(teams: Mapping[str, Team], fields: Mapping[str, str]) -> None:
    """Refused, naming the field, where the teams together could not be lived with.

    `fields`: by name, the path of each team that is being declared now; the others stand already.
    """
    for name, field in fields.items():
        _check_one(teams[name], field)
        _check_place(teams, name, field)
    _check_sums(teams, fields)


def _check_one(team: Team, field: str) -> None:
    for part, quota in (
        ("guaranteed", team.guarantee),
        ("limit", team.ceiling),
        ("borrowing_limit", team.borrowing_limit),
        ("lending_limit", team.lending_limit),
    ):
        _check_amounts(quota, f"{field}.{part}")
    if team.budget_micros_per_month < 0:
        raise Refused("is negative", field=f"{field}.budget_micros_per_month", found=team.budget_micros_per_month)
    guarantee, limit = of_quota(team.guarantee), of_quota(team.ceiling)
    for name in over(guarantee, limit):
        wanted = f"at least the guaranteed {guarantee[name]}"
        raise Refused("is below the guarantee", field=f"{field}.limit.{name}", found=limit[name], wanted=wanted)
    if not team.borrowing and team.borrowing_limit is not None:
        raise Refused("excludes borrowing: false", field=f"{field}.borrowing_limit", wanted="one of the two")
    if team.lends_nothing and team.lending_limit is not None:
        raise Refused("excludes lending: false", field=f"{field}.lending_limit", wanted="one of the two")


def _check_amounts(quota: Quota | None, field: str) -> None:
    if quota is None:
        return
    for name, amount in (
        *((n, getattr(quota.resources, n)) for n in ("gpus", "cpus_milli", "memory_bytes")),
        *((f"gpu_models.{model}", milli) for model, milli in quota.gpu_models.items()),
    ):
        if not 0 <= amount <= 2**50:
            raise Refused("is out of bounds", field=f"{field}.{name}", found=amount, wanted=f"0 to {2**50}")


def _check_place(teams: Mapping[str, Team], name: str, field: str) -> None:
    steps = [name]
    while parent := teams[steps[-1]].parent:
        if parent not in teams:
            wanted = "a team that is declared, before it or with it"
            raise Refused("no such team", field=f"{field}.parent", found=parent, wanted=wanted)
        if parent in steps:
            circle = " -> ".join((*steps, parent))
            raise Refused("leads in a circle", field=f"{field}.parent", found=circle, wanted="a way up to a root")
        steps.append(parent)
    if len(steps) > LEVELS:
        raise Refused("is too deep", field=f"{field}.parent", found=len(steps), wanted=f"at most {LEVELS} levels")


def _check_sums(teams: Mapping[str, Team], fields: Mapping[str, str]) -> None:
    promised: dict[str, Amounts] = {}
    for team in teams.values():
        if team.parent:
            add(promised.setdefault(team.parent, {}), of_quota(team.guarantee))
    for parent, below in promised.items():
        touched = [name for name in fields if teams[name].parent == parent] or [parent] * (parent in fields)
        if not touched:
            continue
        has = of_quota(teams[parent].guarantee)
        for name in sorted(below):
            if below[name] > has.get(name, 0):
                raise Refused(
                    f"the teams below {parent} are guaranteed more than it is",
                    field=f"{fields[touched[-1]]}.guaranteed.{name}",
                    found=below[name],
                    wanted=f"at most {has.get(name, 0)} together",
                )
