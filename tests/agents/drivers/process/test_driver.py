"""Which slot serves: one model after another without a gap, a dead server come back to its ports, its log in bounds."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from agents.drivers.base import InferenceSpec, Observation, Task, TaskKind, TaskPhase, TrainingSpec
from agents.drivers.process import output
from agents.drivers.process.driver import ProcessDriver, ServingHost
from tests.edge.serving.served import echo
from tests.support.until import until_async
from tidegate.model.errors import Refused, Unavailable
from tidegate.model.quantity import Resources

CHECKOUT = Path(__file__).resolve().parents[4]
NEED = Resources(cpus_milli=1000, memory_bytes=256 << 20)
SECONDS = 30.0


@pytest.fixture
def task(tmp_path: Path) -> Task:
    model = echo(tmp_path)
    spec = InferenceSpec("echo", "1", model.path, model.digest, NEED, options={"audit": "off"})
    return Task("w-1", "inspect", TaskKind.INFERENCE, 1, spec, tmp_path / "tasks" / "w-1")


@pytest.fixture
def host(tmp_path: Path) -> ServingHost:
    return ServingHost("press-7", tmp_path / "spool", tmp_path / "sockets", working_dir=CHECKOUT)


@pytest.fixture
async def driver(host: ServingHost, task: Task) -> AsyncIterator[ProcessDriver]:
    driver = ProcessDriver(host)
    yield driver
    await driver.remove(task)
    await driver.close()


async def seen(driver: ProcessDriver, task: Task, phase: TaskPhase, detail: str = "") -> Observation:
    async def there() -> Observation | None:
        observation = await driver.observe(task)
        return observation if observation.phase is phase and detail in observation.detail else None

    found: Observation | None = await until_async(there, SECONDS, phase.value)  # type: ignore[arg-type]
    assert found is not None
    return found


def addresses(observation: Observation) -> dict[str, str]:
    return {each.protocol: each.address for each in observation.endpoints}


def spec_of(task: Task) -> InferenceSpec:
    assert isinstance(task.spec, InferenceSpec)
    return task.spec


async def says(address: str) -> str:
    """The version of the model that answers there."""
    async with httpx.AsyncClient(trust_env=False) as client:
        found = await client.get(f"http://{address}/v2/models/echo")
        return str(found.json()["versions"][0])


def kill(driver: ProcessDriver, task: Task) -> None:
    slot = driver._current(task)
    assert slot is not None
    slot.kill()
    assert slot.wait_gone(10)


async def test_a_dead_server_is_absent_and_comes_back_where_it_was(driver: ProcessDriver, task: Task) -> None:
    await driver.start(task)
    before = addresses(await seen(driver, task, TaskPhase.READY))
    assert set(before) == {"http", "grpc", "unix"}
    kill(driver, task)
    gone = await driver.observe(task)
    assert gone.phase is TaskPhase.ABSENT
    assert any("ready: http" in line for line in gone.error_tail)
    assert addresses(gone) == before, "clients keep the address where it will answer again"
    await driver.start(task)
    assert addresses(await seen(driver, task, TaskPhase.READY)) == before


async def test_a_newer_generation_of_the_same_model_changes_nothing(driver: ProcessDriver, task: Task) -> None:
    await driver.start(task)
    before = addresses(await seen(driver, task, TaskPhase.READY))
    newer = replace(task, generation=2)
    await driver.start(newer)
    assert addresses(await seen(driver, newer, TaskPhase.READY)) == before
    assert len(driver._all(newer)) == 1


async def test_the_model_before_answers_until_the_new_one_does(
    driver: ProcessDriver, host: ServingHost, task: Task
) -> None:
    await driver.start(task)
    before = addresses(await seen(driver, task, TaskPhase.READY))["http"]
    newer = replace(task, generation=2, spec=replace(spec_of(task), model_version="2"))
    await driver.start(newer)
    later = ProcessDriver(host)  # the agent died in between: both servers are found again
    try:
        meanwhile = await later.observe(newer)
        if meanwhile.phase is TaskPhase.STARTING:
            assert "the model before serves meanwhile" in meanwhile.detail
            assert addresses(meanwhile)["http"] == before
            assert await says(before) == "1"
        after = addresses(await seen(later, newer, TaskPhase.READY))["http"]
        assert await says(after) == "2"

        async def alone() -> bool:
            await later.observe(newer)
            return len([slot for slot in later._all(newer) if slot.process() is not None]) == 1

        await until_async(alone, SECONDS, "the old server to end")  # type: ignore[arg-type]
        assert await says(after) == "2"
    finally:
        await later.close()


async def test_a_model_that_cannot_be_loaded_leaves_the_one_before_at_work(
    driver: ProcessDriver, task: Task, tmp_path: Path
) -> None:
    await driver.start(task)
    before = addresses(await seen(driver, task, TaskPhase.READY))["http"]
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"rot")
    newer = replace(task, generation=2, spec=replace(spec_of(task), model_path=damaged, model_version="2"))
    await driver.start(newer)
    gone = await seen(driver, newer, TaskPhase.ABSENT, "the model before serves meanwhile")
    assert any("not started" in line for line in gone.error_tail)
    assert addresses(gone)["http"] == before
    assert await says(before) == "1"
    await driver.start(task)
    assert addresses(await seen(driver, task, TaskPhase.READY))["http"] == before


async def test_what_was_stopped_stays_stopped_for_a_new_driver_and_runs_again_when_started(
    driver: ProcessDriver, host: ServingHost, task: Task
) -> None:
    await driver.start(task)
    before = addresses(await seen(driver, task, TaskPhase.READY))
    await driver.stop(task, 10)
    later = ProcessDriver(host)
    assert (await later.observe(task)).phase is TaskPhase.STOPPED
    await later.start(task)
    assert addresses(await seen(later, task, TaskPhase.READY)) == before
    await later.close()


async def test_the_log_of_a_server_that_runs_on_is_kept_within_its_bound(
    driver: ProcessDriver, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    await driver.start(task)
    await seen(driver, task, TaskPhase.READY)
    slot = driver._current(task)
    assert slot is not None
    chunk = await driver.logs(task, 0)
    assert "ready: http" in chunk.text
    monkeypatch.setattr(output, "LONGEST_BYTES", 10)
    assert (await driver.observe(task)).phase is TaskPhase.READY
    assert slot.output.path.stat().st_size == 0
    assert (await driver.logs(task, chunk.next_offset)).next_offset == chunk.next_offset
    assert (await driver.logs(task, 0)).text == chunk.text
    slot.signal_stop()
    assert slot.wait_gone(10)
    words = await driver.logs(task, chunk.next_offset)
    assert words.text.splitlines()[-1].endswith("ended on request")


async def test_removal_takes_the_socket_of_a_killed_server_too(driver: ProcessDriver, task: Task) -> None:
    await driver.start(task)
    socket_path = Path(addresses(await seen(driver, task, TaskPhase.READY))["unix"])
    kill(driver, task)
    assert socket_path.exists()
    await driver.remove(task)
    assert not socket_path.exists()
    assert not task.data_dir.exists()


async def test_removal_ends_a_server_that_an_agent_started_and_did_not_live_to_record(
    driver: ProcessDriver, host: ServingHost, task: Task
) -> None:
    await driver.start(task)
    await seen(driver, task, TaskPhase.READY)
    slot = driver._current(task)
    assert slot is not None
    server = slot.process()
    assert server is not None
    (slot.directory / "process.json").unlink()
    later = ProcessDriver(host)
    await later.remove(task)
    await later.close()
    assert not server.is_running()


async def test_what_is_no_service_or_no_model_for_this_server_is_refused(
    driver: ProcessDriver, task: Task, tmp_path: Path
) -> None:
    with pytest.raises(Refused):
        await driver.prepare(replace(task, spec=replace(spec_of(task), model_format="pickle")))
    with pytest.raises(Refused):
        await driver.prepare(replace(task, kind=TaskKind.TRAINING, spec=TrainingSpec("true", tmp_path, NEED)))


async def test_a_disk_that_takes_nothing_is_the_world(driver: ProcessDriver, task: Task) -> None:
    task.data_dir.parent.mkdir(parents=True)
    task.data_dir.write_bytes(b"no folder can be made here")
    with pytest.raises(Unavailable):
        await driver.prepare(task)
    task.data_dir.unlink()


async def test_a_server_sees_the_gpus_of_its_task_and_other_gpus_are_another_server(
    driver: ProcessDriver, task: Task
) -> None:
    first = replace(task, spec=replace(spec_of(task), env={"CUDA_VISIBLE_DEVICES": "GPU-a"}))
    await driver.start(first)
    await seen(driver, first, TaskPhase.READY)
    before = driver._current(first)
    moved = replace(task, spec=replace(spec_of(task), env={"CUDA_VISIBLE_DEVICES": "GPU-b"}))
    await driver.start(moved)
    after = driver._current(moved)
    assert before is not None and after is not None
    running = [one.process() for one in (before, after)]
    assert [one.environ()["CUDA_VISIBLE_DEVICES"] for one in running if one] == ["GPU-a", "GPU-b"]
    await seen(driver, moved, TaskPhase.READY)
