"""The law in force: policies, prices and teams, as one frozen value that a decision is made under.

A `Law` is compiled once, when it is first asked, and then answers for any fleet. The broker makes a new one when a
policy, a team or a price book is applied. `check_policy` is what refuses a policy that could not be compiled, with
the field named, before it can come into force.
"""

from dataclasses import dataclass
from functools import cached_property

from placement.rules.law import LawRule, check_rules, compile_policy
from tidegate.model.money import PriceBook, Team
from tidegate.model.policy import Policy
from tidegate.model.site import Pricing


@dataclass(frozen=True)
class Law:
    """What is in force at one moment. Policies are ordered by name, whatever order they came in."""

    policies: tuple[Policy, ...] = ()
    price_book: PriceBook | None = None
    teams: tuple[Team, ...] = ()

    def __post_init__(self) -> None:
        """One version of each policy is in force; the order in which they were applied decides nothing."""
        object.__setattr__(self, "policies", tuple(sorted(self.policies, key=lambda policy: policy.name)))

    @cached_property
    def rules(self) -> tuple[LawRule, ...]:
        """Every rule of every policy, compiled, in the order of policy and rule. Refused as `check_policy` says."""
        return tuple(rule for policy in self.policies for rule in compile_policy(policy))

    @cached_property
    def prices(self) -> dict[tuple[str, str, Pricing], int]:
        """Micros per unit and hour by (instance type, region, pricing); region empty means every region."""
        book = self.price_book
        return {(p.instance_type, p.region, p.pricing): p.micros_per_hour for p in book.prices} if book else {}

    @property
    def policy_refs(self) -> tuple[str, ...]:
        """`name@version` of every policy in force."""
        return tuple(policy.ref for policy in self.policies)

    @property
    def price_book_ref(self) -> str:
        """`name@version` of the price book, empty where there is none."""
        return f"{self.price_book.name}@{self.price_book.version}" if self.price_book else ""

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
