"""The one place in the tests that waits.

A test never sleeps for a guessed time: it names what must become true and how long that may take. `until` asks again
and again, resting a few milliseconds between two questions, and gives back the first answer that counts as true. The
clock is the monotonic one, so a corrected wall clock neither ends a wait early nor stretches it.

Limits: it rests 1 ms at first and at most 25 ms, so a condition is seen within 25 ms of coming true; the condition
itself is always asked at least once, and once more after the deadline, so a slow machine is never blamed for the rest.
"""

import asyncio
import inspect
import threading
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Answer = TypeVar("Answer")

FIRST_REST_SECONDS = 0.001
LONGEST_REST_SECONDS = 0.025


def until(condition: Callable[[], Answer], seconds: float = 10.0, what: str = "") -> Answer:
    """The first true answer of `condition`, asked for at most `seconds`.

    `what` names the thing waited for, for the AssertionError raised when it never came. An exception of the condition
    is the condition's own affair and passes through.
    """
    never = threading.Event()  # nobody sets it: waiting on it is the rest between two questions
    deadline = time.monotonic() + seconds
    rest = FIRST_REST_SECONDS
    while True:
        late = time.monotonic() >= deadline
        answer = condition()
        if answer:
            return answer
        if late:
            raise AssertionError(_complaint(condition, answer, seconds, what))
        never.wait(min(rest, max(0.0, deadline - time.monotonic())))
        rest = min(rest * 2, LONGEST_REST_SECONDS)


async def until_async(
    condition: Callable[[], Answer | Awaitable[Answer]], seconds: float = 10.0, what: str = ""
) -> Answer:
    """As `until`, for a test that runs on an event loop: the loop goes on turning between two questions.

    The condition may be a plain function or a coroutine function.
    """
    deadline = time.monotonic() + seconds
    rest = FIRST_REST_SECONDS
    while True:
        late = time.monotonic() >= deadline
        asked = condition()
        answer: Answer = await asked if inspect.isawaitable(asked) else asked
        if answer:
            return answer
        if late:
            raise AssertionError(_complaint(condition, answer, seconds, what))
        await asyncio.sleep(min(rest, max(0.0, deadline - time.monotonic())))
        rest = min(rest * 2, LONGEST_REST_SECONDS)


def _complaint(condition: object, answer: object, seconds: float, what: str) -> str:
    name = what or getattr(condition, "__qualname__", repr(condition))
    return f"waited {seconds:g} s for {name}; the last answer was {answer!r}"
