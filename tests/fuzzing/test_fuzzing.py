"""The quick run: every target, its seeds, what is kept of old findings, and a few hundred mutations of them.

One worker does all of it, in a process of its own. The seeds are fixed, so it finds the same on every machine.
"""

import pytest

from tests.fuzzing.run import Outcome, fuzz
from tests.fuzzing.targets import NAMES

RUNS = 150


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    return {outcome.target: outcome for outcome in fuzz(NAMES, runs=RUNS)}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NAMES)
def test_any_bytes_are_taken_or_refused(outcomes: dict[str, Outcome], name: str) -> None:
    outcome = outcomes[name]
    told = [f"{found.kind} at {found.where}\n{found.data!r}\n{found.story}" for found in outcome.found]
    assert not told, "\n\n".join(told)
    assert outcome.runs >= RUNS + 2 * outcome.inputs > RUNS


def test_there_are_at_least_twelve_of_them() -> None:
    assert len(NAMES) == len(set(NAMES)) >= 12
