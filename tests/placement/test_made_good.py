"""Answers made good after units changed, against a fleet that was never asked: in small worlds where things collide.

Each world is the oracle's of one seed, with budgets. Between two questions copies of every form come and go, bytes are
carried, accounts open and close, time passes. Seeds that once told of a mistake are named.
"""

import random
from dataclasses import replace

import pytest

from placement.engine import decide
from placement.fleet.facts import Carried
from placement.fleet.fleet import Fleet
from placement.law.law import Law
from placement.quota.accounts import Account, Charge, closed, opened
from tests.placement.oracle.chance import Case, case
from tidegate.model.decision import Decision, Slot
from tidegate.model.quantity import Resources
from tidegate.model.site import Offer
from tidegate.model.workload import Demand, Workload

OTHER_SEED = 50_000_000
QUESTIONS = 12
GIB = 2**30
SAME_NUMBER_OF_FREE_GPUS, SAME_OFFER_WITHOUT_ITS_GPUS, CHEAPER_WITHOUT_GPUS = 3127, 60107, 60096


class World:
    """One fleet that is asked again and again, and what happens to it."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.case: Case = case(seed)
        self.fleet, self.now = self.case.fleet, self.case.question.now
        law = self.case.law
        budgets = (0, 10**6, 10**8, 10**9, 10**10, 10**12)
        teams = tuple(replace(team, budget_micros_per_month=self.dice.choice(budgets)) for team in law.teams)
        self.law = Law(law.policies, law.price_book, teams, law.books)
        self.offers = [(site, offer) for site, known in self.fleet.sites.items() for offer in known.offers]
        self.works = (self.case.question.work, case(seed + OTHER_SEED).question.work)

    def happen(self) -> None:
        """Something, or nothing."""
        dice = self.dice
        self.now += dice.choice((0, 0, 1, 1_000, 3_600_000, 3 * 86_400_000))
        if self.law.teams and dice.random() < 0.5:
            self.account(dice.choice(self.law.teams).name)
        for _ in range(dice.choice((0, 1, 1, 2, 4))):
            luck = dice.random()
            if luck < 0.55 and self.offers:
                site, offer = dice.choice(self.offers)
                self.fleet.take(
                    f"t{dice.randrange(6)}",
                    (Slot(site, offer.name, 1),),
                    self.demand(offer),
                    dice.choice(("vision", "risk", "")),
                    carried=(Carried(site, dice.choice((0, 2**20, 2**35))),),
                )
            elif luck < 0.85 and self.fleet.holdings:
                self.fleet.release(dice.choice(sorted(self.fleet.holdings)))

    def demand(self, offer: Offer) -> Demand:
        """In one of all forms."""
        dice, has = self.dice, offer.resources
        form = dice.random() if has.gpus else 1
        if form < 0.3:
            return Demand(Resources(dice.randint(1, has.gpus), 0, dice.choice((0, 500, 1_000)), GIB))
        if form < 0.5:
            share = dice.choice((250, 500))
            return Demand(Resources(0, has.gpu_memory_bytes // 4, 100, GIB // 4), gpu_share_milli=share)
        if form < 0.65:
            return Demand(Resources(0, 0, 100, GIB // 4), mig_profile=dice.choice(("1g.6gb", "2g.12gb", "1g.10gb")))
        cpus, memory = (1, 100, 500, 1_000, has.cpus_milli), (1, GIB // 4, GIB, has.memory_bytes)
        return Demand(Resources(0, 0, dice.choice(cpus), dice.choice(memory)))

    def account(self, team: str) -> None:
        """One charge of it begins or ends."""
        dice, accounts = self.dice, dict(self.fleet.ledger.accounts)
        before, of = accounts.get(team, Account()), f"q{dice.randrange(3)}"
        since, until = self.now - dice.choice((0, 1_000, 10**9)), dice.choice((0, self.now + 10**6, self.now + 10**9))
        charge = Charge(dice.choice((1, 10**6, 10**9)), since, until)
        accounts[team] = opened(before, of, charge) if dice.random() < 0.7 else closed(before, of, self.now)
        self.fleet.ledger.accounts = accounts

    def asked(self, work: Workload, fleet: Fleet, law: Law) -> Decision:
        """A question of now."""
        return decide(work, fleet, law, now=self.now, revision=1, model_digest=self.case.question.digest)

    def never_asked(self) -> Fleet:
        """A fleet of the same facts."""
        fresh = Fleet()
        for known in self.fleet.sites.values():
            fresh.put_site(known.site, reachable=known.reachable, cordoned=known.cordoned, observed=known.observed)
        for (origin, site), seen in self.fleet.links.items():
            fresh.put_link(origin, site, seen.us, seen.measured_at, seen.samples, seen.p99_us)
        for (digest, device_class), seen in self.fleet.service_times.items():
            fresh.put_service_time(digest, device_class, seen.us, seen.measured_at, seen.samples, seen.p99_us)
        for holding in self.fleet.holdings.values():
            fresh.restore(holding)
        fresh.ledger.accounts = self.fleet.ledger.accounts
        return fresh


@pytest.mark.parametrize(
    "seed", [SAME_NUMBER_OF_FREE_GPUS, SAME_OFFER_WITHOUT_ITS_GPUS, CHEAPER_WITHOUT_GPUS, *range(70_000, 70_060)]
)
def test_what_is_made_good_is_what_a_fleet_says_that_was_never_asked(seed: int) -> None:
    world = World(seed)
    for _ in range(QUESTIONS):
        world.happen()
        work, law = world.dice.choice(world.works), world.law
        decision = world.asked(work, world.fleet, law)
        assert decision == world.asked(
            work, world.never_asked(), Law(law.policies, law.price_book, law.teams, law.books)
        )
        if decision.slots and world.dice.random() < 0.5:
            name = f"p{world.dice.randrange(3)}"
            world.fleet.take(name, decision.slots, work.demand, work.team, decision.seats)
