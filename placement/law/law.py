"""The law in force: policies, prices and teams, as one frozen value that a decision is made under.

A `Law` is compiled once, when it is first asked, and then answers for any fleet. The broker makes a new one when a
policy, a team or a price book is applied. Prices hold from a moment on, so a law with `books` is asked `at(now)`: the
answer is the law with the prices of that moment, the same object for every moment between two changes. `check_policy`
is what refuses a policy that could not be compiled, with the field named, before it can come into force.
"""

from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import cached_property

from placement.fleet.columns import Columns
from placement.money.books import changes, in_force, merged
from placement.money.tariff import Tariff
from placement.quota.tree import Tree
from placement.rules.attributes import CLASSES, mistaken_class
from placement.rules.law import LawRule, check_rules, classes_named, compile_policy
from placement.scoring.cost import Prices
from tidegate.model.errors import Refused
from tidegate.model.jurisdiction import COUNTRIES, country_of, is_known, is_region, nearest
from tidegate.model.money import PriceBook, Team
from tidegate.model.policy import Policy
from tidegate.model.site import Site
from tidegate.model.workload import STRICTEST, Data

MOST_PRICED = 8
"""Tariffs whose prices are kept for a fleet."""


@dataclass(frozen=True)
class Law:
    """What is in force at one moment. Policies are ordered by name, whatever order they came in."""

    policies: tuple[Policy, ...] = ()
    price_book: PriceBook | None = None
    teams: tuple[Team, ...] = ()
    books: tuple[PriceBook, ...] = ()
    """Every price book that holds or will hold; with any, `price_book` is not read but found by `at`."""
    cited: tuple[str, ...] = ()
    """`name@version` of the books that `price_book` was merged from, where it was."""

    def __post_init__(self) -> None:
        """One version of each policy is in force; the order in which they were applied decides nothing."""
        object.__setattr__(self, "policies", tuple(sorted(self.policies, key=lambda policy: policy.name)))

    @cached_property
    def rules(self) -> tuple[LawRule, ...]:
        """Every rule of every policy, compiled, in the order of policy and rule. Refused as `check_policy` says."""
        teams = {team.name: team for team in self.teams}
        return tuple(rule for policy in self.policies for rule in compile_policy(policy, teams))

    @cached_property
    def classes(self) -> frozenset[str]:
        """The classes of data that the law knows: those of the packs and those that a policy in force names."""
        return frozenset(CLASSES).union(*(classes_named(policy) for policy in self.policies))

    @cached_property
    def tree(self) -> Tree:
        """The teams, compiled."""
        return Tree(self.teams)

    def at(self, now: int) -> "Law":
        """The law with the prices that hold at a moment; itself where there are no books to choose from."""
        if not self.books:
            return self
        moments, found = self._priced
        index = bisect_right(moments, now)
        if index not in found:
            books = in_force(self.books, now)
            law = replace(self, price_book=merged(books), books=(), cited=tuple(book.ref for book in books))
            law.__dict__["rules"] = self.rules  # compiled once, whatever the moment
            law.__dict__["tree"] = self.tree
            found[index] = law
        return found[index]

    @cached_property
    def tariff(self) -> Tariff:
        """The prices in force, ready to be asked."""
        return Tariff(self.price_book)

    def prices(self, columns: Columns) -> Prices:
        """The price of every shape of offer; made once for each set of columns, which never change their offers."""
        kept: dict[int, tuple[Tariff, Prices]] = columns.kept("prices", dict)
        found = kept.get(id(self.tariff))
        if found is None:
            if len(kept) >= MOST_PRICED:
                kept.clear()
            found = kept[id(self.tariff)] = (self.tariff, Prices(columns.shapes, self.tariff))
        return found[1]

    @cached_property
    def _priced(self) -> tuple[tuple[int, ...], dict[int, "Law"]]:
        return changes(self.books), {}

    @cached_property
    def speaks_of_names(self) -> bool:
        """Whether a rule depends on what a workload is called."""
        return any(one.attribute.key == "workload.name" for rule in self.rules for one in rule.conditions)

    @cached_property
    def policy_refs(self) -> tuple[str, ...]:
        """`name@version` of every policy in force."""
        return tuple(policy.ref for policy in self.policies)

    @property
    def price_book_ref(self) -> str:
        """`name@version` of the price book, several joined by a comma and a space; empty where there is none."""
        return ", ".join(self.cited) or (self.price_book.ref if self.price_book else "")

    def team(self, name: str) -> Team | None:
        """The team of that name, if it was declared."""
        return next((team for team in self.teams if team.name == name), None)


def check_data(data: Data, law: Law, field: str) -> None:
    """Raise Refused where the data is said to be what it hardly can be; what slips past here slips past every rule.

    Refused are: subjects that are no jurisdiction, and a class that looks like a known one written otherwise (`PHI`,
    `trade_secret`). Any other class is the user's own; a policy that names a class makes it known.
    """
    for index, subject in enumerate(data.subjects):
        if not is_known(subject) and subject != STRICTEST:
            close = nearest(subject)
            wanted = (
                f"{close} (did you mean that?)" if close else "a country such as DE, a region such as US-CA, or EEA"
            )
            raise Refused("no such jurisdiction", field=f"{field}.subjects[{index}]", found=subject, wanted=wanted)
    for index, name in enumerate(data.classes):
        if close := mistaken_class(name, law.classes):
            wanted = f"{close} (did you mean that?), or a class that a policy in force names"
            raise Refused("looks like a slip", field=f"{field}.classes[{index}]", found=name, wanted=wanted)


def check_site(site: Site, field: str) -> None:
    """Raise Refused where a site's jurisdictions are none, or its region lies in another country."""
    for name in ("jurisdiction", "operator_jurisdiction"):
        code = getattr(site, name)
        if code not in COUNTRIES and (code or name == "jurisdiction"):
            close = nearest(code, COUNTRIES)
            wanted = f"{close} (did you mean that?)" if close else "an ISO 3166 country code such as DE"
            raise Refused("no such country", field=f"{field}.{name}", found=code, wanted=wanted)
    region = site.jurisdiction_region
    if region and (not is_region(region) or country_of(region) != site.jurisdiction):
        wanted = f"an ISO 3166-2 code of {site.jurisdiction}, such as US-CA of US"
        raise Refused("no such region", field=f"{field}.jurisdiction_region", found=region, wanted=wanted)


def check_policy(policy: Policy) -> None:
    """Raise Refused, naming the field, at the first rule that could not come into force.

    Refused are: two rules of one name, a rule that requires nothing, an unknown attribute (with the nearest known
    one), an operator that the attribute's type has no meaning for, values where none belong, none where some do,
    values that cannot be read as the attribute's type (a country that is none among them), and a penalty without
    `prefer` or the reverse.
    """
    check_rules(policy)
