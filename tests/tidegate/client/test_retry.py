"""What the world refuses is asked again, within the budget; what we refuse is not."""

import pytest

from tidegate.client.retry import retrying, retrying_async
from tidegate.model.errors import Refused, Unavailable


class Flaky:
    """Fails so many times, then answers."""

    def __init__(self, failures, error):
        self.failures, self.error, self.calls = failures, error, 0

    def __call__(self):
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error
        return "done"


def test_an_unavailable_broker_is_asked_again():
    flaky = Flaky(2, Unavailable("down", retry_after_ms=1))
    assert retrying(5.0)(flaky) == "done"
    assert flaky.calls == 3


def test_a_refusal_is_final():
    flaky = Flaky(2, Refused("no"))
    with pytest.raises(Refused):
        retrying(5.0)(flaky)
    assert flaky.calls == 1


def test_the_budget_ends_it():
    flaky = Flaky(1_000_000, Unavailable("down", retry_after_ms=1))
    with pytest.raises(Unavailable):
        retrying(0.05)(flaky)


async def test_the_same_holds_on_an_event_loop():
    flaky = Flaky(1, Unavailable("down", retry_after_ms=1))

    async def attempt():
        return flaky()

    assert await retrying_async(5.0)(attempt) == "done"
