"""Questions: everything that one decision follows from, as nouns, and the fleet and law that the engine reads it as."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

from placement.fleet.facts import Copy, Holding, Measurement, SiteFacts
from placement.fleet.fleet import Fleet
from placement.law.law import Law
from placement.quota.accounts import Account
from tidegate.model.money import PriceBook, Team
from tidegate.model.policy import Policy
from tidegate.model.workload import Workload


@dataclass(frozen=True)
class Ran:
    """How far a workload that stands has come."""

    since: int = 0
    """When it first ran, ms since the epoch; 0 where it has not."""
    saved_at: int = 0
    """Its last checkpoint; 0 where none was reported."""
    every_ms: int = 0
    """How often it says that it saves its state; 0 where it does not say."""


@dataclass(frozen=True)
class Question:
    """Everything that a decision follows from."""

    work: Workload
    sites: dict[str, SiteFacts]
    links: dict[tuple[str, str], Measurement]
    service_times: dict[tuple[str, str], Measurement]
    holdings: tuple[Holding, ...]
    """By `h3@s1`: the workload and the site."""
    policies: tuple[Policy, ...]
    books: tuple[PriceBook, ...]
    teams: tuple[Team, ...]
    digest: str
    now: int
    exclude: frozenset[str] = frozenset()
    accounts: dict[str, Account] = field(default_factory=dict)
    """By team."""
    aside: frozenset[str] = frozenset()
    """Holdings that hold room and count for no team: their work goes on elsewhere."""
    ran: dict[str, Ran] = field(default_factory=dict)
    """By workload that stands."""

    @cached_property
    def copies(self) -> dict[tuple[str, str, int], list[Copy]]:
        """What sits on each unit (site, offer, number)."""
        found: dict[tuple[str, str, int], list[Copy]] = {}
        for holding in self.holdings:
            for copy in holding.copies:
                found.setdefault((copy.site, copy.offer, copy.unit), []).append(copy)
        return found

    @property
    def counting(self) -> tuple[Holding, ...]:
        """What counts for teams."""
        return tuple(one for one in self.holdings if one.workload_id not in self.aside)

    @cached_property
    def sent(self) -> dict[str, int]:
        """Bytes a day over each site's uplink."""
        found: dict[str, int] = {}
        for holding in self.holdings:
            for one in holding.carried:
                found[one.site] = found.get(one.site, 0) + one.bytes_per_day
        return found

    def without(self, *workloads: str) -> "Question":
        """The same with some workloads gone, which cost nothing from now on."""
        left = tuple(one for one in self.holdings if whose(one) not in workloads)
        return replace(self, holdings=left, accounts=self.ended(workloads))

    def ended(self, workloads: Iterable[str] | None = None) -> dict[str, Account]:
        """The accounts if what these cost (None: what anything costs) ended now."""
        gone = None if workloads is None else set(workloads)
        return {
            team: replace(
                account,
                charges={
                    name: replace(one, until=self.now) if gone is None or name in gone else one
                    for name, one in account.charges.items()
                },
            )
            for team, account in self.accounts.items()
        }

    @property
    def bare(self) -> "Question":
        """The same where nothing stands, and nobody has spent anything."""
        return replace(self, holdings=(), accounts={})

    def only(self, site: str) -> "Question":
        """The same with every other site left out."""
        return replace(self, exclude=frozenset(self.sites) - {site} | self.exclude)

    @property
    def fleet(self) -> Fleet:
        """As the engine reads it; a new one each time."""
        fleet = Fleet()
        for name, facts in self.sites.items():
            assert name == facts.site.name
            fleet.put_site(facts.site, reachable=facts.reachable, cordoned=facts.cordoned, observed=facts.observed)
        for (origin, site), seen in self.links.items():
            fleet.put_link(origin, site, seen.us, seen.measured_at, seen.samples)
        for (digest, device_class), seen in self.service_times.items():
            fleet.put_service_time(digest, device_class, seen.us, seen.measured_at, seen.samples)
        for holding in self.holdings:
            fleet.restore(holding)
        for holder in sorted(self.aside):
            fleet.set_aside(holder)
        fleet.ledger.accounts = self.accounts
        return fleet

    @property
    def law(self) -> Law:
        """As the engine reads it; a new one each time."""
        return Law(self.policies, books=self.books, teams=self.teams)


@dataclass(frozen=True)
class Case:
    """A question and the number that it was drawn from."""

    number: int
    question: Question

    @property
    def law(self) -> Law:
        """The question's."""
        return self.question.law

    @property
    def fleet(self) -> Fleet:
        """The question's."""
        return self.question.fleet


def whose(holding: Holding) -> str:
    """The workload that a holding belongs to."""
    return holding.workload_id.partition("@")[0]
