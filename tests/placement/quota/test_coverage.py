"""Who is covered, and who may displace whom."""

from placement.quota.coverage import Coverage, held
from placement.quota.tree import Tree
from tests.placement.quota.teams import ledger, stake, team
from tidegate.model.workload import Priority


def displaces(tree, *stakes):
    """Pairs that may: (who, whom, why)."""
    work = held(ledger(*stakes))
    coverage = Coverage(tree, work)
    found = [(a.workload_id, b.workload_id, coverage.may_displace(a, b)) for a in work for b in work]
    return [one for one in found if one[2]]


def test_a_guarantee_takes_back_what_another_team_borrows():
    tree = Tree((team("a", 4), team("b", 4)))
    stakes = [stake("w1", "b", 4), stake("w2", "b", 4, since=2), stake("w9", "a", 4, since=9)]
    assert displaces(tree, *stakes) == [("w9", "w2", "borrowed")]


def test_firm_work_is_never_asked():
    tree = Tree((team("a", 4), team("b", 0)))
    assert displaces(tree, stake("w1", "b", 4, firm=True), stake("w9", "a", 4)) == []


def test_within_a_team_the_more_important_goes_first():
    batch, production = Priority.BATCH, Priority.PRODUCTION
    tree = Tree((team("a", 0),))
    stakes = [stake("w1", "a", 4, importance=batch), stake("w9", "a", 4, importance=production, firm=True, since=9)]
    assert displaces(tree, *stakes) == [("w9", "w1", "priority")]
    covered = Tree((team("a", 4),))
    assert displaces(covered, *stakes) == [("w9", "w1", "priority")], "the guarantee is the more important work's"
    small, big = stake("w1", "a", 2, importance=batch), stake("w9", "a", 8, importance=production, since=9)
    assert displaces(covered, small, big) == [], "what does not fit the guarantee does not push out what it covers"
    big = stake("w9", "a", 8, importance=production, firm=True, since=9)
    assert displaces(covered, small, big) == [("w9", "w1", "priority")], "but firm work uses the guarantee up"


def test_a_group_is_one_towards_others():
    tree = Tree((team("bank", 8), team("x", 4, parent="bank"), team("y", 4, parent="bank"), team("shop", 4)))
    stakes = [stake("w1", "x", 4), stake("w2", "x", 4, since=2), stake("w9", "shop", 4, since=9)]
    assert displaces(tree, *stakes) == [], "x borrows of y within the bank's guarantee"
    again = [*stakes[:2], stake("w8", "y", 4, since=8)]
    assert displaces(tree, *again) == [("w8", "w2", "borrowed")]


def test_more_important_work_of_another_team_has_no_right_without_a_guarantee():
    tree = Tree((team("a", 0), team("b", 0)))
    stakes = [stake("w1", "b", 4, importance=Priority.BATCH), stake("w9", "a", 4, importance=Priority.PRODUCTION)]
    assert displaces(tree, *stakes) == []
