"""The law in force: policies, prices and teams, as one frozen value that a decision is made under.

A `Law` is compiled once, when it is first asked, and then answers for any fleet. The broker makes a new one when a
policy, a team or a price book is applied. Prices hold from a moment on, so a law with `books` is asked `at(now)`: the
answer is the law with the prices of that moment, the same object for every moment between two changes. `check_policy`
is what refuses a policy that could not be compiled, with the field named, before it can come into force.
"""

from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import cached_property

from placement.columns import Columns
from placement.money.books import changes, in_force, merged
from placement.money.tariff import Tariff
from placement.rules.law import LawRule, check_rules, compile_policy
from placement.scoring.cost import Prices
from tidegate.model.money import PriceBook, Team
from tidegate.model.policy import Policy


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
        return tuple(rule for policy in self.policies for rule in compile_policy(policy))

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
            found[index] = law
        return found[index]

    @cached_property
    def tariff(self) -> Tariff:
        """The prices in force, ready to be asked."""
        return Tariff(self.price_book)

    def prices(self, columns: Columns) -> Prices:
        """The price of every offer; made once for each set of columns, which never change their offers."""
        kept = self.__dict__.get("_prices")
        if kept is None or kept[0] is not columns:
            kept = self.__dict__["_prices"] = (columns, Prices(columns, self.tariff))
        prices: Prices = kept[1]
        return prices

    @cached_property
    def _priced(self) -> tuple[tuple[int, ...], dict[int, "Law"]]:
        return changes(self.books), {}

    @property
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


def check_policy(policy: Policy) -> None:
    """Raise Refused, naming the field, at the first rule that could not come into force.

    Refused are: two rules of one name, a rule that requires nothing, an unknown attribute (with the nearest known
    one), an operator that the attribute's type has no meaning for, values where none belong, none where some do,
    and values that cannot be read as the attribute's type.
    """
    check_rules(policy)
