"""The engine against the brute-force oracle, and the oracle against engines that are wrong on purpose.

A longer run: `python -m tests.placement.oracle --cases 200000 --seed 7`.
"""

import pytest

from placement.fleet import reach
from placement.rules.volume import VolumeFree
from placement.scoring import cost
from placement.scoring.sums import add_up
from tests.placement.oracle.chance import case
from tests.placement.oracle.compare import disagreements
from tests.placement.oracle.judge import Judge
from tests.placement.oracle.many import BLOCK, blocks

CASES = 2_000


@pytest.mark.parametrize("block", range(4))
def test_no_disagreement_on_small_questions(block: int) -> None:
    first = block * 100_000
    wrong = {seed: found for seed in range(first, first + CASES // 4) if (found := disagreements(case(seed)))}
    assert wrong == {}


@pytest.mark.parametrize("number", [7_099_986, 7_120_403, 7_148_705, 7_190_459])
def test_what_a_longer_run_once_found_is_found_no_more(number: int) -> None:
    assert disagreements(case(number)) == []


def test_a_seed_is_one_question() -> None:
    assert case(7).question == case(7).question != case(8).question


def test_the_questions_are_worth_asking() -> None:
    """Some are placed and some refused, and every rule of the engine's own says no somewhere."""
    answers = [Judge(case(seed).question).answer() for seed in range(400)]
    assert 40 < sum(bool(answer.winners) for answer in answers) < 360
    verdicts = [verdict for answer in answers for verdict in answer.verdicts.values()]
    refusing = {rule for verdict in verdicts for rule, allowed in verdict.items() if not allowed and "/" not in rule}
    silent = {rule for verdict in verdicts for rule in verdict if "/" not in rule} - refusing
    assert silent <= {"gpu-memory-free", "team-budget", "volume-free"}  # they say it in longer runs: see `oracle.kinds`


def _uplift_rounded_down(*columns):
    add_up(*columns)
    *_, uplift, total = columns
    total -= uplift > 0
    uplift -= uplift > 0


@pytest.mark.parametrize(
    ("where", "name", "wrong"),
    [
        (reach, "FRESH_MS", 1_799_999),
        (reach, "ENOUGH", 19),
        (cost, "add_up", _uplift_rounded_down),
        (VolumeFree, "allows", lambda self, workload, fleet: fleet.columns.uplink >= 0),
    ],
)
def test_an_engine_that_is_a_little_wrong_is_caught(monkeypatch, where, name, wrong) -> None:
    monkeypatch.setattr(where, name, wrong)
    assert any(disagreements(case(seed)) for seed in range(3_000))


def test_questions_are_asked_in_several_processes() -> None:
    found = list(blocks(7, 2 * BLOCK, processes=2))
    assert sum(each.cases for each in found) == 2 * BLOCK
    assert not any(each.wrong for each in found)
