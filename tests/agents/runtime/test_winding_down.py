"""Work that cannot be had here any more is let go all the same: what it takes to run is not needed to end it."""

from dataclasses import replace
from pathlib import Path

from agents.drivers.base import TaskPhase
from agents.gpu.nvml import Gpu
from tests.agents.runtime.test_files import of_code
from tests.agents.runtime.test_site import assigned, attached, phase
from tests.support.broker_stub import BrokerStub
from tests.support.scripted_driver import ScriptedDriver
from tests.support.until import until_async
from tidegate.model.assignment import Assignment
from tidegate.model.decision import Seat, Slot

L4 = Gpu("NVIDIA-L4", "GPU-0", 24 << 30)


def on_gpu(number: int) -> Assignment:
    return replace(assigned(), slots=(Slot("burst-us", "l4", 1),), seats=(Seat(0, (number,)),))


async def test_code_that_is_no_archive_is_let_go(tmp_path: Path) -> None:
    broker, driver = await BrokerStub().start(), ScriptedDriver(TaskPhase.RUNNING)
    try:
        async with attached(tmp_path, broker, driver) as site:
            await broker.desire(of_code(broker.keep(b"no archive")))
            await until_async(lambda: phase(broker) == "failed")
            await broker.desire()
            await until_async(lambda: not site.held.leaving and not site.held.assignments)
            assert not (tmp_path / "tasks" / "w-1").exists()
            assert broker.phases.count(("w-1", "failed")) == 1
    finally:
        await broker.stop()


async def test_work_whose_gpu_is_gone_fails_and_is_ended(tmp_path: Path) -> None:
    broker, driver = await BrokerStub().start(), ScriptedDriver(TaskPhase.RUNNING)
    try:
        async with attached(tmp_path, broker, driver, gpus=(L4, replace(L4, uuid="GPU-1"))):
            await broker.desire(on_gpu(1))
            await until_async(lambda: phase(broker) == "running")
        async with attached(tmp_path, broker, driver, gpus=(L4,)) as site:
            await until_async(lambda: phase(broker) == "failed")
            await broker.desire()
            await until_async(lambda: not site.held.leaving and not site.held.assignments)
            assert driver.calls[-2:] == ["stop", "remove"]
    finally:
        await broker.stop()
