"""What every driver promises an agent, asked of each of them: `agents.drivers.base`.

A driver joins by a `Harness`: how to build it (anew, as after a crash) and how to make a task that lasts, one that
ends well and one that fails. What a driver's tasks cannot do is None there, and the tests that need it are skipped for
it: a service does not end by itself, and one that was stopped can run again.

A new driver is one more function under `HARNESSES`. Each harness keeps its engine warm for the whole module.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agents.drivers.base import Driver, InferenceSpec, Observation, Task, TaskKind, TaskPhase, TrainingSpec
from agents.drivers.process.driver import ProcessDriver, ServingHost
from agents.drivers.ray.driver import RayDriver
from agents.drivers.ray.local import LocalProvider
from agents.drivers.ray.provider import WorkerShape
from tests.edge.serving.served import echo
from tests.support.until import until_async
from tidegate.model.quantity import Resources

CHECKOUT = Path(__file__).resolve().parents[2]

ENGINE_SECONDS = 90.0
"""The longest an engine may take to do one thing, its own start included."""

pytestmark = pytest.mark.timeout(150)

MakeTask = Callable[[str, Path], Task]


@dataclass(frozen=True)
class Harness:
    """One driver under the contract."""

    driver: Callable[[], Driver]
    """A new one over the same engine, as after a crash of the agent."""
    lasting: MakeTask
    """A task that works until it is stopped."""
    working: TaskPhase
    """What such a task is seen as."""
    sign: str = "working"
    """What such a task has written to its log, once."""
    runs_again: bool = False
    """Whether what was stopped runs again when it is started: a service does, a job has ended."""
    succeeding: MakeTask | None = None
    """Writes `hello` and `wörld`, a line each, and `result.txt` with `42` to its output."""
    failing: MakeTask | None = None
    """Writes `attempt N` and then `alas`, and ends with exit code 3, at its one retry too."""


def ray_harness(folder: Path) -> Iterator[Harness]:
    """Ray on this machine; the cluster is left running from test to test."""
    shapes = [WorkerShape("worker", Resources(cpus_milli=2000, memory_bytes=1 << 30), max_workers=2)]
    provider = LocalProvider(folder / "state", shapes, worker_idle_s=60)

    def task(script: str, retries: int = 0) -> MakeTask:
        def make(task_id: str, data_dir: Path) -> Task:
            code = data_dir.parent / f"{task_id}-code"
            code.mkdir(exist_ok=True)
            (code / "job.sh").write_text(script)
            worker = Resources(cpus_milli=1000, memory_bytes=128 << 20)
            spec = TrainingSpec("sh job.sh", code, worker, workers=2, max_retries=retries)
            return Task(task_id, "contract", TaskKind.TRAINING, 1, spec, data_dir)

        return make

    yield Harness(
        driver=lambda: RayDriver(provider, now_ns=time.time_ns, stop_grace_s=2, leave_running=True),
        lasting=task("echo working\nexec tail -f /dev/null"),
        working=TaskPhase.RUNNING,
        succeeding=task("echo hello\necho wörld\necho 42 > $TIDEGATE_OUTPUT/result.txt"),
        failing=task("echo attempt $TIDEGATE_ATTEMPT\necho alas\nexit 3", retries=1),
    )
    asyncio.run(provider.down())


def process_harness(folder: Path) -> Iterator[Harness]:
    """Model servers of this machine, each with a real model; every test's servers are its own."""
    model = echo(folder)
    host = ServingHost("press-7", folder / "spool", folder / "sockets", working_dir=CHECKOUT)
    made: list[Task] = []

    def task(task_id: str, data_dir: Path) -> Task:
        need = Resources(cpus_milli=1000, memory_bytes=256 << 20)
        spec = InferenceSpec("echo", "1", model.path, model.digest, need, options={"audit": "off"})
        made.append(Task(task_id, "contract", TaskKind.INFERENCE, 1, spec, data_dir))
        return made[-1]

    yield Harness(
        driver=lambda: ProcessDriver(host),
        lasting=task,
        working=TaskPhase.READY,
        sign="ready: http",
        runs_again=True,
    )

    async def clean() -> None:
        driver = ProcessDriver(host)
        for each in made:
            await driver.remove(each)
        await driver.close()

    asyncio.run(clean())


HARNESSES = [ray_harness, process_harness]


@pytest.fixture(scope="module", params=HARNESSES, ids=lambda make: make.__name__.removesuffix("_harness"))
def harness(request, tmp_path_factory):
    yield from request.param(tmp_path_factory.mktemp("engine"))


@pytest.fixture
async def driver(harness):
    driver = harness.driver()
    yield driver
    await driver.close()


async def seen(driver: Driver, task: Task, *phases: TaskPhase) -> Observation:
    """The first observation in one of these phases."""

    async def there() -> Observation | None:
        observation = await driver.observe(task)
        assert observation.phase in phases or not observation.phase.ended, observation
        return observation if observation.phase in phases else None

    observation = await until_async(there, ENGINE_SECONDS, f"{task.id} to be {' or '.join(phases)}")
    assert observation is not None
    return observation


async def whole_log(driver: Driver, task: Task) -> str:
    """Read as a follower does: from offset to offset until nothing can follow."""
    text, offset = "", 0
    while True:
        chunk = await driver.logs(task, offset)
        text, offset = text + chunk.text, chunk.next_offset
        if chunk.complete:
            return text


async def test_what_is_not_there_is_absent_and_can_be_stopped_and_removed(harness, driver, tmp_path):
    task = harness.lasting("never", tmp_path / "never")
    assert (await driver.observe(task)).phase == TaskPhase.ABSENT
    await driver.stop(task, 1)
    await driver.remove(task)
    assert (await driver.observe(task)).phase == TaskPhase.ABSENT
    assert await driver.outputs(task) == []


async def test_work_that_ends_well_leaves_its_log_and_its_files(harness, driver, tmp_path):
    if harness.succeeding is None:
        pytest.skip("its tasks do not end by themselves")
    task = harness.succeeding("good", tmp_path / "good")
    await driver.prepare(task)
    await driver.start(task)
    await driver.start(task)
    observation = await seen(driver, task, TaskPhase.SUCCEEDED)
    assert (observation.exit_code, observation.attempt, observation.error_tail) == (0, 1, ())
    assert [(path.name, path.read_text()) for path in await driver.outputs(task)] == [("result.txt", "42\n")]
    log = await whole_log(driver, task)
    assert log.count("hello\nwörld\n") == 1
    await driver.start(task)
    await driver.stop(task, 1)
    assert (await driver.observe(task)).phase == TaskPhase.SUCCEEDED


async def test_work_that_fails_is_tried_again_and_then_observed(harness, driver, tmp_path):
    if harness.failing is None:
        pytest.skip("its tasks do not end by themselves")
    task = harness.failing("bad", tmp_path / "bad")
    await driver.start(task)
    observation = await seen(driver, task, TaskPhase.FAILED)
    assert (observation.exit_code, observation.attempt) == (3, 2)
    assert observation.error_tail[-2:] == ("attempt 2", "alas")
    log = await whole_log(driver, task)
    assert log.index("attempt 1\n") < log.index("attempt 2\n")
    assert await driver.outputs(task) == []


async def test_a_new_driver_finds_the_same_work_and_stops_it(harness, tmp_path):
    first = harness.driver()
    task = harness.lasting("long", tmp_path / "long")
    await first.start(task)
    await seen(first, task, harness.working)
    await first.close()

    second = harness.driver()
    try:
        await second.start(task)
        observation = await seen(second, task, harness.working)
        assert observation.attempt <= 1

        async def says_so() -> bool:
            return (await second.logs(task, 0)).text.count(harness.sign) == 1

        await until_async(says_so, 20, "the log")
        await second.stop(task, 2)
        assert (await second.observe(task)).phase == TaskPhase.STOPPED
        await second.stop(task, 2)
        assert (await second.observe(task)).phase == TaskPhase.STOPPED
        await second.start(task)
        if harness.runs_again:
            await seen(second, task, harness.working)
            await second.stop(task, 2)
        assert (await second.observe(task)).phase == TaskPhase.STOPPED
    finally:
        await second.close()


async def test_removing_what_runs_stops_it_and_forgets_it(harness, driver, tmp_path):
    task = harness.lasting("gone", tmp_path / "gone")
    await driver.start(task)
    await seen(driver, task, harness.working)
    await driver.remove(task)
    assert not task.data_dir.exists()
    assert (await driver.observe(task)).phase == TaskPhase.ABSENT
