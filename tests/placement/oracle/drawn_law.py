"""Random law: policies, price books with dates, teams with quotas and what they owe."""

from placement.fleet.facts import Holding
from placement.quota.accounts import Account, Charge
from placement.quota.tree import check
from tests.placement.oracle.dice import GIB, NOW, Dice
from tidegate.model.errors import Refused
from tidegate.model.money import Availability, EgressPrice, Ownership, Price, PriceBook, Quota, Team, Uplift
from tidegate.model.policy import Alternative, Effect, Expression, Operator, Policy, Rule
from tidegate.model.quantity import Resources
from tidegate.model.site import Pricing

ATTRIBUTES: tuple[tuple[str, Operator, tuple[str, ...]], ...] = (
    ("data.classes", Operator.CONTAINS_ANY, ("pii", "phi")),
    ("data.classes", Operator.IN, ("public",)),
    ("data.classes", Operator.NOT_IN, ("phi",)),
    ("data.classes", Operator.CONTAINS_ALL, ("unknown",)),
    ("data.subjects", Operator.CONTAINS_ANY, ("EU",)),
    ("data.subjects", Operator.CONTAINS_ANY, ("US-CA",)),
    ("data.subjects", Operator.CONTAINS_ALL, ("EU", "US")),
    ("data.subjects", Operator.IN, ("EEA", "US")),
    ("data.deidentified", Operator.IN, ("true",)),
    ("data.deidentified", Operator.IN, ("false",)),
    ("data.origin", Operator.NOT_IN, ("plant",)),
    ("data.bytesPerDay", Operator.GT, ("0",)),
    ("workload.kind", Operator.IN, ("TrainingJob",)),
    ("workload.audit", Operator.IN, ("every_prediction",)),
    ("labels.risk", Operator.EXISTS, ()),
    ("labels.risk", Operator.GE, ("2",)),
    ("team.name", Operator.IN, ("vision",)),
    ("team.labels.unit", Operator.IN, ("lab",)),
    ("site.jurisdiction", Operator.IN, ("EEA",)),
    ("site.jurisdiction", Operator.NOT_IN, ("US-CA",)),
    ("site.operatorJurisdiction", Operator.NOT_IN, ("US",)),
    ("operator.jurisdiction", Operator.IN, ("DE", "CH")),
    ("site.operator", Operator.IN, ("self",)),
    ("site.tier", Operator.NOT_IN, ("cloud",)),
    ("site.agreements", Operator.CONTAINS_ALL, ("baa",)),
    ("site.agreements", Operator.CONTAINS_ANY, ("baa", "scc")),
    ("site.labels.floor", Operator.GE, ("2",)),
    ("site.region", Operator.DOES_NOT_EXIST, ()),
    ("site.retentionDays", Operator.GE, ("2555",)),
    ("offer.pricing", Operator.NOT_IN, ("spot",)),
    ("offer.elastic", Operator.IN, ("false",)),
    ("offer.gpuModel", Operator.IN, ("a30", "l4")),
    ("offer.gpus", Operator.LE, ("1",)),
    ("offer.zone", Operator.EXISTS, ()),
)


def expressions(dice: Dice, most: int) -> tuple[Expression, ...]:
    return tuple(Expression(*one) for one in dice.some(ATTRIBUTES, most))


def policy(dice: Dice, name: str) -> Policy:
    return Policy(name, 1, rules=tuple(rule(dice, f"r{number}") for number in range(dice.one(1, 1, 2))))


def rule(dice: Dice, name: str) -> Rule:
    ways = tuple(
        Alternative((*expressions(dice, 1), Expression(*dice.choice(ATTRIBUTES)))) for _ in range(dice.one(0, 0, 1, 2))
    )
    require = expressions(dice, 2)
    if not require and not ways:
        require = (Expression(*dice.choice(ATTRIBUTES)),)
    effect = dice.one(Effect.ENFORCE, Effect.ENFORCE, Effect.WARN, Effect.PREFER)
    return Rule(
        name,
        when=expressions(dice, 2),
        require=require,
        require_any=ways,
        effect=effect,
        unless=expressions(dice, 1) if dice.often(0.3) else (),
        penalty_micros_per_hour=dice.one(1, 70_000) if effect is Effect.PREFER else 0,
    )


def book(dice: Dice, number: int) -> PriceBook:
    prices = (
        Price("small", 300_001),
        Price("small", 100_001, region="r1", pricing=Pricing.SPOT),
        Price("large", micros_per_month=5_000_000_003, region="r2"),
        Price("large", 500_000, pricing=Pricing.RESERVED),
        Price("", 90_007, gpu_model="a30"),
        Price("", 80_000, gpu_model="l4", pricing=Pricing.SPOT, region="r1"),
        Price("large", pricing=Pricing.OWNED, owned=Ownership(9_000_000_007, 26_280, 400, 150_000, 1_300, 12_345)),
        Price("o0", 70_001, pricing=Pricing.OWNED),
    )
    return PriceBook(
        name=f"b{number}" if dice.often(0.8) else "b0",
        version=number + 1,
        effective_from=NOW - dice.one(5, 5, 0, -1),
        prices=dice.some(prices, 6),
        egress=dice.some(
            (EgressPrice("r1", "", 90_000), EgressPrice("", "", 20_000), EgressPrice("plant", "r2", 0, 70_001)), 3
        ),
        uplifts=dice.some((Uplift("EU", 30_000), Uplift("US", 10_001), Uplift("", 7, data_class="pii")), 3),
        idle_owned_ppm=dice.one(0, 50_000, 333_333),
        precedence=dice.one(0, 0, 1),
        availability=dice.some(
            (
                Availability(Pricing.SPOT, "", "", 990_000, 50_000, 120_000, 900_000),
                Availability(Pricing.SPOT, "small", "r1", 900_001, 3_000_000, 60_001),
                Availability(Pricing.ON_DEMAND, "", "r2", 999_500),
            ),
            3,
        ),
    )


def amount(dice: Dice, *, large: bool = False) -> Resources:
    """GPUs, CPUs, memory, or several; what is 0 is not spoken of."""
    gpus, cpus = dice.one((1, 0), (2, 0), (0, 2_000), (2, 4_000), (1, 1_000))
    more = 2 if large else 1
    return Resources(gpus * more, 0, cpus * more, dice.one(0, 0, 0, 8) * GIB * more)


def models(dice: Dice) -> dict[str, int]:
    """Thousandths of GPUs, by model."""
    return {model: dice.one(500, 1_000, 2_000) for model in sorted(dice.some(("a30", "a100", "l4"), 2))}


def quota(dice: Dice) -> Quota:
    return Quota(amount(dice), models(dice) if dice.often(0.2) else {})


BUDGETS = (20_000_000, 200_000_000, 3_000_000_000), (20_000_000, 40_000_000, 60_000_000, 200_000_000, 3_000_000_000)
"""Micros a month; where they are drawn often, some pay for what is left of it and for no whole one."""


def teams(dice: Dice, crowded: bool, *, metered: bool = False) -> tuple[Team, ...]:
    """Up to three, of which one may be above the others; such as could be declared together.

    `metered`: many have quotas on models of GPU, and budgets.
    """
    for _ in range(8):
        found = _teams(dice, crowded, metered)
        by_name = {team.name: team for team in found}
        try:
            check(by_name, dict.fromkeys(by_name, "team"))
        except Refused:
            continue
        return found
    return (Team("vision"), Team("lab"), Team("press", parent="lab"))


def _teams(dice: Dice, crowded: bool, metered: bool) -> tuple[Team, ...]:
    with_quotas = crowded or dice.often(0.25)
    parent = dice.one("", "lab")
    return tuple(
        _team(dice, name, above, with_quotas, metered)
        for name, above in (("vision", parent), ("lab", ""), ("press", "lab"))
    )


def _team(dice: Dice, name: str, parent: str, quotas: bool, metered: bool) -> Team:
    top = name == "lab"
    guaranteed = amount(dice, large=top) if quotas and dice.often(0.6) else Resources()
    borrowing = not quotas or dice.often(0.85)
    lends_nothing = quotas and dice.often(0.15)
    return Team(
        name,
        guaranteed=guaranteed,
        limit=amount(dice, large=True) if dice.often(0.25) else None,
        borrowing=borrowing,
        budget_micros_per_month=dice.one(*BUDGETS[metered]) if dice.often(0.4 if metered else 0.04) else 0,
        parent=parent,
        guaranteed_models=models(dice) if quotas and dice.often(0.2) else {},
        limit_models=models(dice) if dice.often(0.5 if metered else 0.06) else {},
        borrowing_limit=quota(dice) if quotas and borrowing and dice.often(0.2) else None,
        lending_limit=quota(dice) if quotas and not lends_nothing and dice.often(0.2) else None,
        lends_nothing=lends_nothing,
        labels=dice.one({}, {"unit": "lab"}),
    )


def accounts(dice: Dice, holdings: list[Holding]) -> dict[str, Account]:
    """What teams owe: closed charges of this month and the last, and some that run; those of some holdings too."""
    found: dict[str, Account] = {}
    for name in ("vision", "lab", "press"):
        charges = {
            f"c{number}": Charge(dice.one(1, 60_001), NOW - dice.one(0, 7_200_001, 90 * 86_400_000), _until(dice))
            for number in range(dice.one(0, 0, 1, 2))
        }
        for name_of in dict.fromkeys(one.workload_id.partition("@")[0] for one in holdings if one.team == name):
            charges[name_of] = Charge(dice.one(1, 60_001, 300_001), NOW - dice.one(0, 7_200_001), _until(dice))
        owed = {month: dice.one(1, 19_000_000 * 3_600_000) for month in dice.some(("2001-08", "2001-09"), 2)}
        found[name] = Account(charges, owed)
    return found


def _until(dice: Dice) -> int:
    return dice.one(0, NOW - 1, NOW + 3_600_001, NOW + 90 * 86_400_000)
