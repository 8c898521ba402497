"""Many callers on one event loop, one `fdatasync`: group commit in front of a `SpoolWriter`.

While one group is being synced in a thread, the next one gathers; so the disk is never idle while somebody waits, and
nobody waits for more than the group ahead and its own. There is no delay timer: a lone caller is written at once.

Bounds: a group is at most `group_bytes`; at most `waiting_bytes` wait, beyond which callers are told `SpoolFull` at
once rather than let the memory grow while the disk is slow.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from agents.spool.limits import SpoolFull
from agents.spool.records import HEADER_BYTES, Fact
from agents.spool.writer import SpoolWriter
from tidegate.model.errors import Broken, TidegateError, Unavailable


@dataclass(slots=True)
class _Caller:
    facts: Sequence[Fact]
    size: int
    done: "asyncio.Future[int]"


class GroupCommit:
    """`append` from any task of one event loop. Owns the writer: `close` waits for the last group and closes it."""

    def __init__(self, writer: SpoolWriter, *, group_bytes: int = 2**20, waiting_bytes: int = 16 * 2**20) -> None:
        self._writer = writer
        self._group_bytes = group_bytes
        self._waiting_bytes = waiting_bytes
        self._waiting: deque[_Caller] = deque()
        self._held = 0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spool")
        self._turning: asyncio.Task[None] | None = None
        self._closed = False

    async def append(self, facts: Sequence[Fact]) -> int:
        """Returns once the facts are durable: the number of the last of them. Errors as `SpoolWriter.append`.

        A caller that is cancelled does not take its facts back.
        """
        if self._closed:
            raise Unavailable("the spool is closed")
        size = sum(HEADER_BYTES + len(fact.payload) for fact in facts)
        if self._held + size > self._waiting_bytes:
            raise SpoolFull("too much is waiting for the disk", found=self._held, wanted=f"<= {self._waiting_bytes}")
        caller = _Caller(facts, size, asyncio.get_running_loop().create_future())
        self._waiting.append(caller)
        self._held += size
        if self._turning is None:
            self._turning = asyncio.create_task(self._turn())
        return await caller.done

    async def close(self) -> None:
        """Take no more, wait for what waits, and close the writer."""
        self._closed = True
        if self._turning is not None:
            await self._turning
        self._thread.shutdown()
        self._writer.close()

    async def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            group = self._gather()
            try:
                answers = await loop.run_in_executor(self._thread, self._write, group)
            except Exception as error:  # noqa: BLE001 - the top of the loop: nobody may be left waiting for an answer
                answers = [Broken(f"the spool's writer failed: {error!r}")] * len(group)
            for caller, answer in zip(group, answers, strict=True):
                self._held -= caller.size
                if caller.done.done():
                    continue
                if isinstance(answer, TidegateError):
                    caller.done.set_exception(answer)
                else:
                    caller.done.set_result(answer)
        self._turning = None

    def _gather(self) -> list[_Caller]:
        group = [self._waiting.popleft()]
        size = group[0].size
        while self._waiting and size + self._waiting[0].size <= self._group_bytes:
            group.append(self._waiting.popleft())
            size += group[-1].size
        return group

    def _write(self, group: list[_Caller]) -> list[int | TidegateError]:
        """In the thread: all as one; if the writer refuses that, each alone, so that none fails another."""
        try:
            last = self._writer.append([fact for caller in group for fact in caller.facts])
        except Broken as error:
            return [error] * len(group)
        except TidegateError as error:
            return [error] if len(group) == 1 else [self._write([caller])[0] for caller in group]
        answers: list[int | TidegateError] = []
        for caller in reversed(group):
            answers.append(last)
            last -= len(caller.facts)
        return answers[::-1]
