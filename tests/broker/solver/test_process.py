"""The worker as a real process: it answers, is killed in the middle, falls over, takes too long, and is closed."""

import asyncio
import contextlib
import os
import signal

import pytest
import uvloop

from broker.core.decide.proposing import Wish
from broker.core.part import part, written
from broker.solver.frames import plan_of, request
from broker.solver.process import SolverProcess
from broker.workers.process import Worker
from tests.broker.core.test_proposing import anywhere, clouds
from tests.support.until import until_async
from tidegate.model.errors import Refused, Unavailable
from tidegate.model.plan import Plan


def question(*together) -> bytes:
    """A fleet of two regions and a rack, and perhaps workloads to plan together."""
    play = clouds(a=200_000, b=300_000)
    return request(Wish(together=together), 20, 5.0, b"".join(written(part(play.state))))


async def stopped(solver: SolverProcess) -> int:
    """The id of the worker at work, stopped so that it cannot answer."""

    await until_async(lambda: solver.worker, 10, "the worker")
    os.kill(solver.worker.process.pid, signal.SIGSTOP)
    return solver.worker.process.pid


async def test_a_question_is_answered_by_a_process_that_then_ends():
    solver = SolverProcess()
    plan = plan_of(await solver.ask(question(anywhere("one"), anywhere("two"))))
    assert isinstance(plan, Plan) and [move.after[0].site for move in plan.moves] == ["rack-de", "rack-de"]
    assert plan.solver in ("flow", "highs") and plan.bound_micros_per_hour == 0
    assert solver.worker is None


async def test_a_refusal_in_there_is_a_refusal_here():
    nonsense = anywhere("one", inference=None)
    with pytest.raises(Refused) as refused:
        plan_of(await SolverProcess().ask(question(nonsense)))
    assert refused.value.field == "kind"


async def test_killed_in_the_middle_it_is_unavailable_and_the_next_question_is_answered():
    solver = SolverProcess()

    async def kill(worker: Worker) -> None:
        worker.process.kill()  # it has said its first word and waits for the end of the question

    with pytest.MonkeyPatch.context() as patched, pytest.raises(Unavailable, match="fell over") as raised:
        patched.setattr(Worker, "finish", kill)
        await solver.ask(question())
    assert raised.value.found == -signal.SIGKILL and raised.value.retry_after_ms > 0
    assert plan_of(await solver.ask(question())).considered == 0


async def test_rubbish_fells_the_worker_alone():
    solver = SolverProcess()
    with pytest.raises(Unavailable, match="fell over"):
        await solver.ask(b"rubbish")


def test_one_that_ends_before_it_has_read_is_unavailable_on_the_broker_s_own_loop_too():
    async def asked() -> None:
        with pytest.raises(Unavailable, match="fell over"):
            await SolverProcess(memory_bytes=2**20).ask(b"x" * 8_000_000)

    uvloop.run(asked())


async def test_too_late_is_killed():
    solver = SolverProcess()
    asking = asyncio.create_task(solver.ask(question(), deadline_s=1.5))
    pid = await stopped(solver)
    with pytest.raises(Unavailable, match="in time"):
        await asking
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_its_memory_is_bounded():
    with pytest.raises(Unavailable, match="fell over"):
        await SolverProcess(memory_bytes=20 * 2**20).ask(question())


async def test_too_many_at_once_are_turned_away_and_closing_ends_the_one_at_work():
    solver = SolverProcess(waiting=0)
    asking = asyncio.create_task(solver.ask(question()))
    pid = await stopped(solver)
    with pytest.raises(Unavailable, match="too many"):
        await solver.ask(question())
    await solver.close()
    with pytest.raises(Unavailable):
        await asking
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        raise AssertionError("it is still there")
    with pytest.raises(Unavailable, match="stopping"):
        await solver.ask(question())
