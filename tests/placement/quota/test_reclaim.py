"""The least set of victims, beside every set there is."""

from itertools import chain, combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from placement.quota.reclaim import Candidate, choose, preference

CANDIDATES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9), st.integers(1, 4)), min_size=0, max_size=7).map(
    lambda rows: [(Candidate(f"w{i}", rank, lost), size) for i, (rank, lost, size) in enumerate(rows)]
)


def enough(sized, wanted):
    """Helps where the sizes of the victims come to what is wanted."""
    size = {one.workload_id: amount for one, amount in sized}
    return lambda victims: sum(size[name] for name in victims) >= wanted


@settings(max_examples=300, deadline=None)
@given(CANDIDATES, st.integers(1, 8))
def test_no_set_is_better_than_the_one_chosen(sized, wanted):
    helps = enough(sized, wanted)
    candidates = [one for one, _ in sized]
    every = chain.from_iterable(combinations(candidates, n) for n in range(1, len(candidates) + 1))
    good = [chosen for chosen in every if helps(frozenset(one.workload_id for one in chosen))]
    chosen = choose(candidates, helps)
    if not good:
        assert chosen == ()
        return
    best = min(good, key=preference)
    if len(best) <= 3:
        assert preference(chosen) == preference(best)
    ids = frozenset(one.workload_id for one in chosen)
    assert helps(ids)
    assert not any(helps(ids - {one}) for one in ids), "a smaller part would do"
    assert choose(candidates[::-1], helps) == chosen, "the order they came in decides nothing"


def test_batch_goes_before_standard_and_then_the_least_work_is_lost():
    candidates = [Candidate("w1", 1, 0), Candidate("w2", 2, 50), Candidate("w3", 2, 40)]
    assert [one.workload_id for one in choose(candidates, lambda victims: len(victims) >= 1)] == ["w3"]
    assert [one.workload_id for one in choose(candidates, lambda victims: len(victims) >= 2)] == ["w3", "w2"]
    assert [one.workload_id for one in choose(candidates, lambda victims: "w1" in victims)] == ["w1"]


def test_where_nothing_helps_nobody_goes():
    assert choose([Candidate("w1", 2, 0)], lambda victims: False) == ()


def test_many_small_ones_are_put_back_one_by_one():
    candidates = [Candidate(f"w{i:02}", 2, i) for i in range(60)]
    questions = []

    def helps(victims):
        questions.append(victims)
        return len(victims) >= 20

    assert [one.lost for one in choose(candidates, helps)] == list(range(20))
    assert len(questions) < 600


SETS = st.sets(st.frozensets(st.sampled_from([f"w{i}" for i in range(5)]), min_size=1, max_size=3), max_size=6)


@settings(max_examples=300, deadline=None)
@given(CANDIDATES.map(lambda sized: [one for one, _ in sized][:5]), SETS)
def test_where_many_may_help_less_the_best_of_the_small_sets_is_found(candidates, good):
    by_id = {one.workload_id: one for one in candidates}
    sets = [[by_id[one] for one in ids] for ids in good if ids <= by_id.keys()]
    chosen = choose(candidates, lambda victims: victims in good, more_may_harm=True)
    assert bool(chosen) == bool(sets)
    assert not sets or preference(chosen) == min(map(preference, sets))
