"""Seeds in the test suite: few enough to be quick, chosen anew by nobody, so that a failure can be seen again.

The long runs are `make sim`. A seed that once found something stays here by name, beside what it found.
"""

import os
import subprocess
import sys
from collections import Counter

import pytest

from tests.simulation.faults import KINDS
from tests.simulation.world import Settings, run

FOUND = {
    3: "an old service that was moved took its name back, and two superseded each other without end",
    9: "a broker whose clock was set back was refused by its agents as an older one",
    10: "what was given and taken back while a site was away was let go by nobody",
    14: "a service that ended by its own block and began again was told as stopping for ever",
    120: "a session that ended under a transfer ended the tending of that work",
    398: "a site that returned to its own work had nothing to say, and the replacement went on beside it",
}
"""What each of these seeds found when it was first lived through."""
SEEDS = range(200, 220)


def test_nothing_is_found_and_enough_has_happened() -> None:
    did: Counter[str] = Counter()
    for seed in SEEDS:
        outcome = run(Settings.draw(seed))
        assert not outcome.found, f"python -m tests.simulation --seed {seed} --shrink"
        did += outcome.did
    assert not [kind for kind in KINDS if not did[kind]], "a kind of fault never happened"
    assert did["acknowledged"] > 500 and did["placements"] > 300 and did["work started"] > 150 and did["spans"] > 500


@pytest.mark.parametrize("seed", FOUND)
def test_what_was_found_once_is_not_found_again(seed: int) -> None:
    assert not run(Settings.draw(seed)).found


def test_a_seed_is_one_history_under_any_hash_seed() -> None:
    told = {_digest(seed=17, hashes=hashes) for hashes in ("0", "1", "31")}
    assert len(told) == 1


def _digest(seed: int, hashes: str) -> str:
    command = f"from tests.simulation.world import Settings, run; print(run(Settings.draw({seed})).digest)"
    done = subprocess.run(
        [sys.executable, "-c", command],
        env={**os.environ, "PYTHONHASHSEED": hashes},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
