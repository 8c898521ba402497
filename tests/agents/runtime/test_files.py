"""What a site keeps of files: those of what it holds, however that came to be."""

import json
from dataclasses import replace
from pathlib import Path

from agents.drivers.base import TaskPhase
from tests.agents.cache.test_cache import packed
from tests.agents.runtime.test_site import assigned, attached, phase
from tests.support.broker_stub import BrokerStub
from tests.support.scripted_driver import ScriptedDriver
from tests.support.until import until_async
from tidegate.model.assignment import Assignment
from tidegate.model.workload import Training

ONE, TWO = packed(("train.py", b"one")), packed(("train.py", b"two"))


def names(folder: Path) -> dict[str, list[str]]:
    return dict(json.loads((folder / "cache" / "names.json").read_bytes()))


def of_code(digest: str, workload_id: str = "w-1") -> Assignment:
    return replace(assigned(training=Training("true", code_digest=digest)), workload_id=workload_id)


async def test_files_go_with_the_work_that_held_them(tmp_path: Path) -> None:
    broker, driver = await BrokerStub().start(), ScriptedDriver(TaskPhase.RUNNING)
    one, two = broker.keep(ONE), broker.keep(TWO)
    try:
        async with attached(tmp_path, broker, driver) as site:
            await broker.desire(of_code(one), of_code(one, "w-2"), of_code(two, "w-3"))
            await until_async(lambda: len(site.running) == 3)
            await broker.desire(of_code(one, "w-2"))
            await until_async(lambda: set(names(tmp_path)) == {"w-2"})
            left = sorted(path.name for path in (tmp_path / "cache").iterdir())
            assert left == sorted([one, f"{one}.d", "names.json"])
    finally:
        await broker.stop()


async def test_what_a_crash_left_goes_at_the_next_start(tmp_path: Path) -> None:
    broker, driver = await BrokerStub().start(), ScriptedDriver(TaskPhase.RUNNING)
    one, two = broker.keep(ONE), broker.keep(TWO)
    try:
        async with attached(tmp_path, broker, driver):
            await broker.desire(of_code(one))
            await until_async(lambda: phase(broker) == "running")
        (tmp_path / "cache" / "names.json").write_text(json.dumps({"w-1": [one], "w-0": [two]}))
        (tmp_path / "cache" / two).write_bytes(TWO)
        (tmp_path / "cache" / f"{'ab' * 32}.part").write_bytes(b"what was not wanted any more")
        async with attached(tmp_path, broker, driver):
            await until_async(lambda: set(names(tmp_path)) == {"w-1"})
            await until_async(lambda: len(list((tmp_path / "cache").iterdir())) == 3)
    finally:
        await broker.stop()
