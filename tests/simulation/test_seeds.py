"""Seeds in the test suite: few, so that the suite stays quick, and the same ones for everybody.

`make sim-quick` lives through 500, `make sim` through 20,000. What a seed once found has a test of its own
(`RECORD.md`), since a seed draws another history whenever the simulation itself changes.
"""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest

from tests.simulation import guards
from tests.simulation.__main__ import report, too_little
from tests.simulation.coverage import INVARIANTS
from tests.simulation.faults import KINDS
from tests.simulation.shrinking import Shrinking, kind_of
from tests.simulation.swarm import Settings
from tests.simulation.world import Outcome, run

SEEDS = range(200, 206)


@pytest.fixture(scope="module")
def lived() -> list[Outcome]:
    return [run(Settings.draw(seed)) for seed in SEEDS]


def test_nothing_is_found_and_enough_has_happened(lived: list[Outcome]) -> None:
    did: Counter[str] = Counter()
    for outcome in lived:
        assert not outcome.found, f"python -m tests.simulation --seed {outcome.settings.seed} --shrink"
        did += outcome.did
    assert did["acknowledged"] > 100 and did["decisions"] > 60 and did["work started"] > 30 and did["spans"] > 100


def test_the_tables_say_what_was_checked_and_what_was_not(lived: list[Outcome]) -> None:
    did, cells = Counter[str](), Counter[tuple[str, str]]()
    for outcome in lived:
        did.update(outcome.did)
        cells.update(outcome.cells)
    text = "\n".join(report(did, cells))
    assert all(f"| {kind} |" in text for kind in KINDS) and all(f"- {name}: " in text for name in INVARIANTS)
    assert "seldom" not in text and too_little(1_000, did, cells), "six seeds are too little for a thousand"


def test_a_seed_is_one_history_under_any_hash_seed() -> None:
    told = {_digest(seed=17, hashes=hashes) for hashes in ("0", "1", "31")}
    assert len(told) == 1


def test_what_goes_past_the_ports_is_refused() -> None:
    import random
    import time

    with guards.watched():
        for ask in (time.time, time.monotonic, random.random, os.urandom):
            with pytest.raises(guards.NotThroughAPort):
                ask()
    assert time.time() > 0


def test_a_history_is_shrunk_to_what_matters() -> None:
    """With a harness that finds something wherever a broker is killed and somebody asks for work."""
    settings = next(s for s in map(Settings.draw, range(99)) if any(f.kind == "kill broker" for f in s.plan))

    def lived(tried: Settings) -> Outcome:
        asked = [f"{name}/{number}" for name in tried.people for number in range(1, 9)]
        story = [f"1.0 s: {key} asks to submit" for key in asked if key not in tried.skipped]
        bad = any(fault.kind == "kill broker" for fault in tried.plan) and story
        return Outcome(tried, ["w1 is lost"] if bad else [], "", story=story)

    smallest = Shrinking(lived(settings), lived).shrink()
    assert [fault.kind for fault in smallest.settings.plan] == ["kill broker"] and len(smallest.story) == 1
    assert (len(smallest.settings.sites), smallest.settings.habits) == (1, ())


def test_a_request_that_is_left_out_changes_no_other() -> None:
    settings = replace(Settings.draw(3), plan=(), lasts_s=10.0)
    first = run(settings)
    without = run(replace(settings, skipped=frozenset({"engineer-0/1"})))
    asked = [line.split()[2] for line in without.story]
    assert "engineer-0/1" in [line.split()[2] for line in first.story] and "engineer-0/1" not in asked and asked


def test_findings_are_told_apart_by_what_they_say() -> None:
    assert kind_of("w41 is placed, not running") == kind_of("w7 is placed, not running")
    assert kind_of("w41 is placed, not running") != kind_of("the broker fell")


def _digest(seed: int, hashes: str) -> str:
    command = (
        "from tests.simulation.swarm import Settings; from tests.simulation.world import run; "
        f"print(run(Settings.draw({seed})).digest)"
    )
    done = subprocess.run(
        [sys.executable, "-c", command],
        env={**os.environ, "PYTHONHASHSEED": hashes},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()[-1]
