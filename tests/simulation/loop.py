"""Virtual time: an event loop that never waits, and processes in it that can be killed.

When nothing is ready, the clock jumps to the next timer. When there is no timer either, nobody can ever go on: that is
a `Deadlock`, and a failure. Work for threads (`asyncio.to_thread`, executors) is done at once, in the loop; in some
seeds whoever asked for it hears of it later, as from a thread that had to wait for its turn.

A `Process` is what would be one on a real machine: every task that is started by one of its tasks is its own. `kill`
ends them all; its ports ask `alive` before each effect, so nothing that a dying task does in a `finally` leaves a mark.
`suspend` holds back everything it would do next, while the world goes on, as a stopped process or a moved machine.

The loop's time is that of whoever asks: a process has its machine's `Pace`, whose clocks and timers may go too fast or
too slowly; the world itself, and the network, have the true one.
"""

import asyncio
import concurrent.futures
import heapq
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import Any

_CURRENT: ContextVar["Process | None"] = ContextVar("process", default=None)


THREAD_S = 0.2
"""The longest that a thread's work takes, where it takes time."""


class Deadlock(AssertionError):
    """Nothing is ready and nothing is timed."""


class Killed(BaseException):
    """Raised by a port of a process that is no more, so that the code above it stops right there."""


class Pace:
    """How fast a machine's own time goes. Its clocks and its timers count the same oscillator, over restarts too."""

    def __init__(self) -> None:
        self.rate = 1.0
        self._since = self._then = 0.0

    def own(self, true: float) -> float:
        """The machine's seconds at a true moment."""
        return self._then + (true - self._since) * self.rate

    def true(self, own: float) -> float:
        """The true moment at which the machine's clock will say that; a hair later, so that it has said it by then."""
        return self._since + (own - self._then) / self.rate + 1e-9

    def go(self, rate: float, now: float) -> None:
        """From this true moment on, so much faster than the world."""
        self._since, self._then = now, self.own(now)
        self.rate = rate


class SimulatedLoop(asyncio.BaseEventLoop):
    """One seed's loop. Time is in seconds since its start."""

    def __init__(self) -> None:
        super().__init__()
        self._seconds = 0.0
        """True ones."""
        self.threads: Random | None = None
        """Draws how long work for a thread takes; None where it takes no time."""
        self.set_task_factory(_make_task)

    @property
    def true_s(self) -> float:
        """Whoever asks."""
        return self._seconds

    def time(self) -> float:
        owner = _CURRENT.get()
        return self._seconds if owner is None or owner.pace is None else owner.pace.own(self._seconds)

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        owner = _CURRENT.get()
        if owner is not None and owner.pace is not None:
            when = owner.pace.true(when)
        return super().call_at(when, callback, *args, context=context)

    def _run_once(self) -> None:
        """One turn, as `BaseEventLoop` has it, but for the selector: there are no sockets, so nothing but time passes.

        asyncio's own asks a selector at every turn; here that was a sixth of a seed.
        """
        ready, scheduled = self._ready, self._scheduled
        while scheduled and scheduled[0]._cancelled:
            heapq.heappop(scheduled)._scheduled = False
        if not ready:
            if not scheduled:
                if self._stopping:
                    return
                raise Deadlock("nothing is ready and nothing is timed")
            self._seconds = max(self._seconds, scheduled[0]._when)
        while scheduled and scheduled[0]._when <= self._seconds:
            timer = heapq.heappop(scheduled)
            timer._scheduled = False
            ready.append(timer)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            owner = handle._context.get(_CURRENT)
            if owner is not None and owner.suspended:
                owner.held_back.append(handle)
            else:
                handle._run()

    def _timer_handle_cancelled(self, handle: Any) -> None:
        """Nothing: a cancelled timer is passed over when its time comes."""

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":
        done = self.create_future()
        try:
            told, what = done.set_result, func(*args)
        except Exception as error:
            told, what = done.set_exception, error
        if self.threads is None:
            told(what)
        else:
            self.call_later(self.threads.random() ** 4 * THREAD_S, lambda: None if done.done() else told(what))
        return done

    def _write_to_self(self) -> None:
        return None


class Process:
    """One daemon's life, from its start to its end. A restart is another process."""

    def __init__(
        self, name: str, on_fall: Callable[[BaseException], None] = lambda error: None, pace: Pace | None = None
    ) -> None:
        """`on_fall` hears of an error that ended the process, when nothing of it has any effect any more."""
        self.name = name
        self.pace = pace
        self.alive = True
        self.suspended = False
        self.held_back: list[asyncio.Handle] = []
        """What it would have done next, while it is suspended."""
        self._on_fall = on_fall
        self.failed: BaseException | None = None
        """What ended it, where nobody had asked for that."""
        self._tasks: dict[asyncio.Task[Any], None] = {}

    def start(self, main: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run its main coroutine; an error that leaves it ends the process."""
        context = copy_context()
        context.run(_CURRENT.set, self)
        task = asyncio.get_running_loop().create_task(main, context=context)
        task.add_done_callback(self._ended, context=Context())
        return task

    def adopt(self, task: "asyncio.Task[Any]") -> None:
        self._tasks[task] = None
        # In a context of nobody's: whoever happened to start it may be suspended when it ends.
        task.add_done_callback(lambda done: self._tasks.pop(done, None), context=Context())

    async def kill(self) -> None:
        """As SIGKILL: from this moment nothing it does has any effect."""
        self.alive = False
        self.resume()
        while left := [task for task in self._tasks if task is not asyncio.current_task()]:
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    def suspend(self) -> None:
        """As SIGSTOP: it does nothing, and does not know. Nothing where it is no more."""
        self.suspended = self.alive

    def resume(self) -> None:
        """As SIGCONT: it goes on, later than it believes."""
        self.suspended = False
        held_back, self.held_back = self.held_back, []
        if held_back:
            asyncio.get_running_loop()._ready.extend(held_back)  # type: ignore[attr-defined]

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
