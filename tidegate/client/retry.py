"""When a call is sent again: only where the broker could not answer, within a budget, with jitter after the cap.

The budget is 20 s in all by default: a broker that restarts is back within a few seconds, and a person who waits longer
wants to be told.
"""

from typing import Any

import tenacity

from tidegate.model.errors import TidegateError, Unavailable

BUDGET_S = 20.0
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 2.0
NOBODY_THERE = ("failed to connect", "errors resolving")
"""The transport's words where nobody listens, or where the name leads nowhere."""


def unanswered(error: TidegateError, address: str) -> TidegateError:
    """Where nobody listens, the broker's address says more than the transport's own words; else the error itself."""
    if isinstance(error, Unavailable) and any(words in error.message for words in NOBODY_THERE):
        return Unavailable(
            f"no broker answers at {address}", wanted="`tidegate up` here, or --broker / TIDEGATE_BROKER naming one"
        )
    return error


def _wait(state: tenacity.RetryCallState) -> float:
    """The broker's own hint where it gave one, else full jitter under a doubling cap."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, Unavailable) and error.retry_after_ms:
        return error.retry_after_ms / 1000
    return tenacity.wait_random_exponential(multiplier=FIRST_WAIT_S, max=LONGEST_WAIT_S)(state)


def _policy(budget_s: float) -> dict[str, Any]:
    return {
        "retry": tenacity.retry_if_exception_type(Unavailable),
        "wait": _wait,
        "stop": tenacity.stop_after_delay(budget_s),
        "reraise": True,
    }


def retrying(budget_s: float = BUDGET_S) -> tenacity.Retrying:
    """For callers that wait."""
    return tenacity.Retrying(**_policy(budget_s))


def retrying_async(budget_s: float = BUDGET_S) -> tenacity.AsyncRetrying:
    """For callers that do not."""
    return tenacity.AsyncRetrying(**_policy(budget_s))
