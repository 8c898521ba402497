"""Virtual time: an event loop that never waits, and processes in it that can be killed.

When nothing is ready, the clock jumps to the next timer. When there is no timer either, nobody can ever go on: that is
a `Deadlock`, and a failure. Work for threads (`asyncio.to_thread`, executors) is done at once, in the loop.

A `Process` is what would be one on a real machine: every task that is started by one of its tasks is its own. `kill`
ends them all; its ports ask `alive` before each effect, so nothing that a dying task does in a `finally` leaves a mark.
"""

import asyncio
import concurrent.futures
from collections.abc import Callable, Coroutine
from contextvars import ContextVar, copy_context
from typing import Any

_CURRENT: ContextVar["Process | None"] = ContextVar("process", default=None)


class Deadlock(AssertionError):
    """Nothing is ready and nothing is timed."""


class Killed(BaseException):
    """Raised by a port of a process that is no more, so that the code above it stops right there."""


class SimulatedLoop(asyncio.BaseEventLoop):
    """One seed's loop. Time is in seconds since its start."""

    def __init__(self) -> None:
        super().__init__()
        self._seconds = 0.0
        self._selector = self
        self.set_task_factory(_make_task)

    def time(self) -> float:
        return self._seconds

    def select(self, timeout: float | None) -> list[Any]:
        """As a selector: there are no sockets, so nothing but time passes."""
        if timeout is None:
            raise Deadlock("nothing is ready and nothing is timed")
        if timeout > 0:
            self._seconds = max(self._seconds, self._scheduled[0].when())
        return []

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done

    def _process_events(self, event_list: Any) -> None:
        return None

    def _write_to_self(self) -> None:
        return None


class Process:
    """One daemon's life, from its start to its end. A restart is another process."""

    def __init__(self, name: str, on_fall: Callable[[BaseException], None] = lambda error: None) -> None:
        """`on_fall` hears of an error that ended the process, when nothing of it has any effect any more."""
        self.name = name
        self.alive = True
        self._on_fall = on_fall
        self.failed: BaseException | None = None
        """What ended it, where nobody had asked for that."""
        self._tasks: dict[asyncio.Task[Any], None] = {}

    def start(self, main: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run its main coroutine; an error that leaves it ends the process."""
        context = copy_context()
        context.run(_CURRENT.set, self)
        task = asyncio.get_running_loop().create_task(main, context=context)
        task.add_done_callback(self._ended)
        return task

    def adopt(self, task: "asyncio.Task[Any]") -> None:
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    async def kill(self) -> None:
        """As SIGKILL: from this moment nothing it does has any effect."""
        self.alive = False
        while left := [task for task in self._tasks if task is not asyncio.current_task()]:
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    def check(self) -> None:
        """Called by its ports before each effect."""
        if not self.alive:
            raise Killed(self.name)

    def fall(self, error: BaseException) -> None:
        """End by an error of its own, as an uncaught one ends a real process."""
        if self.alive:
            self.alive = False
            self.failed = error
            self._on_fall(error)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if self.alive and not task.cancelled() and (error := task.exception()) is not None:
            self.fall(error)


async def elapse(seconds: float) -> None:
    """Let simulated time pass; nobody waits for it."""
    loop = asyncio.get_running_loop()
    over = loop.create_future()
    timer = loop.call_later(seconds, over.set_result, None)
    try:
        await over
    finally:
        timer.cancel()


def current() -> Process | None:
    """The process that the running task belongs to; None for the world itself."""
    return _CURRENT.get()


def finished(work: Callable[[], Any]) -> "concurrent.futures.Future[Any]":
    """A thread's future, done at once."""
    done: concurrent.futures.Future[Any] = concurrent.futures.Future()
    try:
        done.set_result(work())
    except Exception as error:
        done.set_exception(error)
    return done


def _make_task(
    loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], context: Any = None
) -> "asyncio.Task[Any]":
    task: asyncio.Task[Any] = asyncio.Task(coro, loop=loop, context=context)
    owner = context.get(_CURRENT) if context is not None else _CURRENT.get()
    if owner is not None:
        owner.adopt(task)
    return task
