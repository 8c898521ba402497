"""A daemon that dies by SIGKILL at a named point: `python -m tests.simulation.kills.doomed POINT SPARED MODULE ARGS`.

The point's method is wrapped before the daemon's module runs as it always does; POINT `-` wraps none. Where it died is
written to `$KILLS_DIED` by the last instruction before. An agent's spool is counted in `$KILLS_LEDGER`: a byte `a` when
an append begins and a `k` when it has returned, which is when its records are durable. Segments are small here, so that
the spool rolls over.
"""

import functools
import importlib
import inspect
import os
import runpy
import signal
import sys
from collections.abc import Callable
from typing import Any

from tests.simulation.kills.points import BEFORE, POINTS, RAY_POINTS, Point

SEGMENT_BYTES = 4_096


def main(arguments: list[str]) -> None:
    name, spared, module, *rest = arguments
    if ledger := os.environ.get("KILLS_LEDGER"):
        _counted(os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600))
    for point in POINTS + RAY_POINTS:
        if point.name == name:
            _arm(point, int(spared))
    sys.argv = [module, *rest]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _arm(point: Point, spared: int) -> None:
    left = spared

    def passed(when: str) -> None:
        nonlocal left
        if when == point.when:
            left -= 1
            if left < 0:
                died = os.open(os.environ["KILLS_DIED"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                os.write(died, point.name.encode())
                os.kill(os.getpid(), signal.SIGKILL)

    _wrap(point.target, passed)


def _wrap(target: str, passed: Callable[[str], None]) -> None:
    """`passed` hears before and after each call."""
    module, _, path = target.partition(":")
    owner: Any = importlib.import_module(module)
    *through, attribute = path.split(".")
    for part in through:
        owner = getattr(owner, part)
    inner = getattr(owner, attribute)

    if inspect.iscoroutinefunction(inner):

        @functools.wraps(inner)
        async def told_later(*args: Any, **more: Any) -> Any:
            passed(BEFORE)
            answer = await inner(*args, **more)
            passed("after")
            return answer

        setattr(owner, attribute, told_later)
        return

    @functools.wraps(inner)
    def told(*args: Any, **more: Any) -> Any:
        passed(BEFORE)
        answer = inner(*args, **more)
        passed("after")
        return answer

    setattr(owner, attribute, told)


def _counted(ledger: int) -> None:
    """Count the agent's appends, and let its spool roll over soon."""
    main = importlib.import_module("agents.main")
    main.Limits = functools.partial(main.Limits, segment_bytes=SEGMENT_BYTES)  # type: ignore[attr-defined]
    _wrap(
        "agents.spool.writer:SpoolWriter.append",
        lambda when: (os.write(ledger, b"a" if when == BEFORE else b"k"), None)[1],
    )


if __name__ == "__main__":
    main(sys.argv[1:])
