"""Quotas over whole histories, by count: guarantees stay reachable, limits hold, and displacing comes to an end."""

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from placement.quota.bounds import over_limit, over_share
from placement.quota.coverage import RANK, Coverage, Held, held
from placement.quota.ledger import Ledger, Right, Stake
from placement.quota.reclaim import Candidate, choose
from placement.quota.tree import Tree
from tests.placement.quota.teams import gpus, team
from tidegate.model.workload import Priority

CAPACITY = 12_000
TEAMS = ("a", "b", "x", "y", "nobody")
ROOTS = st.tuples(
    st.integers(0, 4), st.integers(0, 3), st.integers(0, 3), st.booleans(), st.booleans(), st.integers(0, 9)
)


@dataclass
class World:
    """A fleet of one dimension, with work that waits and work that stands."""

    tree: Tree
    ledger: Ledger = field(default_factory=Ledger)
    waiting: dict[str, tuple[str, int, Priority, bool]] = field(default_factory=dict)
    moment: int = 0

    @property
    def free(self):
        return CAPACITY - self.ledger.used(self.tree, "").get("gpus", 0)

    def fits(self, whose, count, yields, without=frozenset()):
        """Whether the rules and the room allow it, were some gone."""
        gone = [self.ledger.stakes[f"{name}@s"] for name in without]
        for one in gone:
            self.ledger.drop(one.holder)
        wanted, capacity = {"gpus": count}, {"gpus": CAPACITY}
        good = (
            count <= self.free
            and over_limit(self.tree, self.ledger, whose, wanted) is None
            and over_share(self.tree, self.ledger, whose, wanted, yields=yields, capacity=capacity) is None
        )
        for one in gone:
            self.ledger.put(one)
        return good

    def place(self, name):
        """Place what waits: in free room or by reclaim. The victims, or None where it goes on waiting."""
        whose, count, importance, yields = self.waiting[name]
        victims = ()
        if not self.fits(whose, count, yields):
            victims = self.victims(name)
            if not victims:
                return None
        self.moment += 1
        for one in victims:
            stake = self.ledger.stakes[f"{one.workload_id}@s"]
            self.ledger.drop(stake.holder)
            right = stake.right
            self.waiting[one.workload_id] = (stake.team, stake.amounts["gpus"], right.importance, right.yields)
        del self.waiting[name]
        self.ledger.put(Stake(f"{name}@s", whose, {"gpus": count}, Right(importance, yields, self.moment)))
        return victims

    def victims(self, name):
        whose, count, importance, yields = self.waiting[name]
        me = Held(name, whose, {"gpus": count}, Right(importance, yields, 10**9))
        work = held(self.ledger)
        coverage = Coverage(self.tree, [*work, me])
        candidates = [
            Candidate(one.workload_id, RANK[one.right.importance], one.amounts["gpus"])
            for one in work
            if coverage.may_displace(me, one)
        ]
        return choose(candidates, lambda gone: self.fits(whose, count, yields, gone))


def tree_of(drawn):
    a, x, y, keeps, bounded, limit = drawn
    teams = (
        replace(team("a", a, limit=a + limit if limit else 0), lends_nothing=keeps),
        replace(team("b", 2), borrowing_limit=gpus(3) if bounded else None),
        team("bank", x + y),
        team("x", x, parent="bank"),
        team("y", y, parent="bank"),
    )
    return Tree(teams)


@st.composite
def works(draw):
    """Up to 14 workloads: team, GPUs, priority, whether it says that it yields. Drawn evenly, not by what is simple."""
    dice = draw(st.randoms(use_true_random=True))
    return [
        (dice.choice(TEAMS), dice.randint(1, 6), dice.choice(list(Priority)), dice.random() < 0.5)
        for _ in range(dice.randint(0, 14))
    ]


WORK = works()


def world(drawn, work):
    made = World(tree_of(drawn))
    for index, (whose, count, importance, preemptible) in enumerate(work):
        yields = preemptible or importance is not Priority.PRODUCTION
        made.waiting[f"w{index}"] = (whose, count * 1000, importance, yields)
    return made


@settings(max_examples=300, deadline=None)
@given(ROOTS, WORK, st.randoms(use_true_random=True))
def test_displacing_ends_and_no_bound_is_broken(drawn, work, dice):
    """Whoever waits is asked again and again, in any order, until nobody can move: it must come to an end."""
    made = world(drawn, work)
    steps, idle = 0, 0
    while made.waiting and idle < 2 * len(work):
        name = dice.choice(sorted(made.waiting))
        victims = made.place(name)
        idle = idle + 1 if victims is None else 0
        steps += victims is not None
        assert steps <= 40 * len(work), "goes round in circles"
        assert made.free >= 0
        for node, most in made.tree.limit.items():
            if most:
                assert made.ledger.used(made.tree, node).get("gpus", 0) <= most["gpus"]


@settings(max_examples=300, deadline=None)
@given(ROOTS, WORK, st.randoms(use_true_random=True), st.sampled_from(["a", "b", "x", "y"]))
def test_a_guarantee_is_reachable_by_one_reclaim(drawn, work, dice, whose):
    """Whatever stands: work that fits what is left of its team's guarantee is placed at once, by count."""
    made = world(drawn, work)
    for name in dice.sample(sorted(made.waiting), len(made.waiting)):
        made.place(name)
    guarantee = made.tree.guarantee[whose].get("gpus", 0)
    left = guarantee - sum(
        one.amounts["gpus"]
        for one in held(made.ledger)
        if one.team == whose and (not one.right.yields or one.right.importance is Priority.PRODUCTION)
    )
    if left <= 0:
        return
    made.waiting["w99"] = (whose, left, Priority.PRODUCTION, False)
    before = dict(made.ledger.stakes)
    victims = made.place("w99")
    assert victims is not None, f"{left} of {guarantee} could not be had"
    again = [one.workload_id for one in victims]
    for name in again:
        assert before[f"{name}@s"].right.yields
        taken = made.place(name)
        assert taken is None or "w99" not in [one.workload_id for one in taken]


@given(ROOTS, WORK, st.randoms(use_true_random=True))
@settings(max_examples=100, deadline=None)
def test_the_same_history_displaces_the_same_work(drawn, work, dice):
    order = dice.sample(sorted(f"w{index}" for index in range(len(work))), len(work))
    told = []
    for _ in range(2):
        made = world(drawn, work)
        told.append(
            [tuple(one.workload_id for one in made.place(name) or ()) for name in order if name in made.waiting]
        )
    assert told[0] == told[1]
