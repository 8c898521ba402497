"""Limits, borrowing, lending and firm work, in numbers."""

from placement.quota.bounds import Excess, over_limit, over_share
from placement.quota.tree import Tree
from tests.placement.quota.teams import gpus, ledger, stake, team
from tidegate.model.money import Team

EIGHT = {"gpus": 8000}


def wanted(count, model=""):
    return {"gpus": count * 1000} | ({f"gpus/{model}": count * 1000} if model else {})


def share(tree, held, whose, count, *, yields=True, capacity=EIGHT):
    return over_share(tree, held, whose, wanted(count), yields=yields, capacity=capacity)


def test_a_limit_holds_at_every_level():
    tree = Tree((team("bank", limit=4), team("a", parent="bank", limit=3), team("b", parent="bank")))
    held = ledger(stake("w1", "a", 2), stake("w2", "b", 1))
    assert over_limit(tree, held, "a", wanted(1)) is None
    assert over_limit(tree, held, "a", wanted(2)) == Excess("limit", "a", "gpus", 3000, 4000)
    assert over_limit(tree, held, "b", wanted(2)) == Excess("limit", "bank", "gpus", 4000, 5000)


def test_a_limit_may_speak_of_a_model():
    tree = Tree((Team("a", limit_models={"H100": 1500}),))
    held = ledger(stake("w1", "a", 1, model="H100"))
    assert over_limit(tree, held, "a", wanted(9, "L4")) is None
    assert over_limit(tree, held, "a", wanted(1, "H100")) == Excess("limit", "a", "gpus/H100", 1500, 2000)


def test_who_may_not_borrow_stays_within_the_guarantee():
    tree = Tree((team("a", 2, borrowing=False), team("b", 2, borrowing_limit=gpus(1))))
    assert share(tree, ledger(), "a", 2) is None
    assert share(tree, ledger(), "a", 3) == Excess("guaranteed", "a", "gpus", 2000, 3000)
    assert share(tree, ledger(), "b", 3) is None
    assert share(tree, ledger(), "b", 4) == Excess("borrowing_limit", "b", "gpus", 3000, 4000)


def test_what_is_not_lent_stays_idle():
    keeps = Tree((team("a", 4, lends_nothing=True), team("b", 2)))
    assert share(keeps, ledger(), "b", 4) is None
    assert share(keeps, ledger(), "b", 5) == Excess("lent", "", "gpus", 4000, 5000)
    assert share(keeps, ledger(stake("w1", "a", 4)), "b", 4) is None, "what is used is not idle"
    lends_one = Tree((team("a", 4, lending_limit=gpus(1)), team("b", 2)))
    assert share(lends_one, ledger(), "b", 5) is None
    assert share(lends_one, ledger(), "b", 6) == Excess("lent", "", "gpus", 5000, 6000)


def test_siblings_keep_theirs_within_their_parents_guarantee():
    tree = Tree((team("bank", 6), team("a", 2, parent="bank", lends_nothing=True), team("b", 2, parent="bank")))
    assert share(tree, ledger(), "b", 4) is None
    assert share(tree, ledger(), "b", 5) == Excess("lent", "bank", "gpus", 4000, 5000)


def test_firm_work_leaves_reachable_what_is_guaranteed_to_others():
    tree = Tree((team("a", 4), team("b", 2)))
    assert share(tree, ledger(), "b", 4, yields=False) is None
    assert share(tree, ledger(), "b", 5, yields=False) == Excess("firm", "", "gpus", 4000, 5000)
    assert share(tree, ledger(), "b", 5) is None, "what yields may borrow it"
    assert share(tree, ledger(), "nobody", 2, yields=False) is None
    assert share(tree, ledger(), "nobody", 3, yields=False) == Excess("firm", "", "gpus", 2000, 3000)
    assert share(tree, ledger(stake("w1", "b", 4, firm=True)), "a", 4, yields=False) is None


def test_promises_beyond_the_fleet_stop_no_one_from_using_his_own():
    tree = Tree((team("a", 8), team("b", 8)))
    assert share(tree, ledger(), "a", 8, yields=False) is None
    assert share(tree, ledger(), "nobody", 1, yields=False) == Excess("firm", "", "gpus", 0, 1000)
