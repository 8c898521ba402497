"""A real Ray cluster: started by an agent that is killed, found by the next one, used, and gone without a trace."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import onnxruntime
import pytest
from sklearn.datasets import load_digits

from agents.drivers.base import Task, TaskKind, TaskPhase, TrainingSpec
from agents.drivers.ray import namespace, processes
from agents.drivers.ray.api import RayApi
from agents.drivers.ray.driver import RayDriver
from agents.drivers.ray.local import LocalProvider
from agents.drivers.ray.provider import WorkerShape
from tests.support.until import until_async
from tidegate.model.quantity import Resources

EXAMPLE = Path(__file__).resolve().parents[4] / "deploy/examples/factory/training"
WORKER = Resources(cpus_milli=1000, memory_bytes=512 << 20)
SHAPES = [WorkerShape("one-worker", Resources(cpus_milli=1000, memory_bytes=1 << 30), max_workers=3)]
IDLE_SECONDS = 7.0

AGENT = """
import asyncio, sys
from pathlib import Path
from tests.agents.drivers.ray.test_cluster import provider

async def main():
    print((await provider(Path(sys.argv[1])).up()).id, flush=True)
    sys.stdin.read()

asyncio.run(main())
"""


def provider(state_dir: Path) -> LocalProvider:
    return LocalProvider(state_dir, SHAPES, worker_idle_s=2)


def start_and_kill_an_agent(state_dir: Path) -> str:
    """An agent that brings a cluster up and dies of SIGKILL; gives back the cluster's id."""
    agent = subprocess.Popen(
        [sys.executable, "-c", AGENT, str(state_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert agent.stdout is not None
    cluster_id = agent.stdout.readline().strip()
    agent.kill()
    agent.wait()
    agent.stdout.close()
    return cluster_id


@pytest.mark.timeout(150)
async def test_a_cluster_outlives_its_agent_trains_and_leaves_nothing_behind(tmp_path):
    cluster_id = start_and_kill_an_agent(tmp_path / "state")
    spans: list[str] = []
    cloud = provider(tmp_path / "state")
    driver = RayDriver(cloud, now_ns=time.time_ns, idle_s=IDLE_SECONDS, on_span=lambda name, *_: spans.append(name))
    spec = TrainingSpec("python train.py", EXAMPLE, WORKER, workers=2, env={"TRAIN_ROUNDS": "12"})
    task = Task("digits-1", "digits", TaskKind.TRAINING, 1, spec, tmp_path / "task")
    try:
        found = await cloud.current()
        assert found is not None
        assert found.id == cluster_id
        journal = json.loads((tmp_path / "state/cluster.json").read_text())
        assert (tmp_path / "state/cluster.json").stat().st_mode & 0o777 == 0o600
        if os.geteuid() == 0 and shutil.which("ip"):
            assert journal["namespace"]["name"] == f"tidegate-{cluster_id}"

        async with httpx.AsyncClient(trust_env=False) as stranger:
            assert (await stranger.get(f"{found.dashboard_url}/api/jobs/")).status_code == 401
        api = RayApi(found)
        assert [node.head for node in await api.nodes() if node.alive] == [True]  # no worker before there is work

        await driver.prepare(task)
        await driver.start(task)

        async def ended() -> bool:
            return (await driver.observe(task)).phase.ended

        await until_async(ended, 90, "the training job")
        seen = await driver.observe(task)
        assert seen.phase == TaskPhase.SUCCEEDED, "\n".join(seen.error_tail)
        assert seen.exit_code == 0
        assert seen.measurements["nodes"] == 2
        assert {"queued_ms", "gang_wait_ms", "run_ms", "cpu_ms", "max_rss_bytes"} <= seen.measurements.keys()
        check_model(await driver.outputs(task))

        async def workers() -> int:
            return sum(node.alive and not node.head for node in await api.nodes())

        assert await workers() == 2
        assert [(job.submission_id, job.status) for job in await api.jobs()] == [("digits-1-1-1", "SUCCEEDED")]

        async def none_left() -> bool:
            return await workers() == 0

        await until_async(none_left, 30, "the workers to leave")  # by Ray's autoscaler, while the head stays
        await api.close()

        async def is_down() -> bool:
            return await cloud.current() is None

        await until_async(is_down, IDLE_SECONDS + 20, "the idle cluster to go down")
        await until_async(lambda: not (tmp_path / "state/cluster.json").exists(), 10)
        assert (await driver.logs(task, 0)).complete  # its log outlives the cluster
        assert "accuracy" in (await driver.logs(task, 0)).text
        assert {"ray.package.upload", "ray.job.queued", "ray.gang.wait", "ray.job.run", "ray.cluster.down"} <= set(
            spans
        )
    finally:
        await driver.close()
        await cloud.down()
    assert processes.marked(cluster_id) == set()
    assert not Path(journal["temp_dir"]).exists()
    assert not Path(f"/run/netns/tidegate-{cluster_id}").exists()


def check_model(outputs: list[Path]) -> None:
    """The exported model answers by itself as its metrics say."""
    assert [path.name for path in outputs] == ["metrics.json", "model.onnx"]
    metrics = json.loads(outputs[0].read_text())
    assert metrics["accuracy"] >= 0.95
    assert metrics["workers"] == metrics["nodes"] == 2
    session = onnxruntime.InferenceSession(outputs[1].read_bytes(), providers=["CPUExecutionProvider"])
    images, labels = load_digits(return_X_y=True)
    answers, probabilities = session.run(["label", "probabilities"], {"image": images.astype(np.float32)})
    assert (answers == labels).mean() >= 0.95
    assert probabilities.shape == (len(labels), 10)


@pytest.mark.timeout(90)
async def test_what_a_dead_head_left_is_cleared_away(tmp_path):
    cluster_id = start_and_kill_an_agent(tmp_path)
    journal = json.loads((tmp_path / "cluster.json").read_text())
    os.kill(journal["head_pid"], 9)
    cloud = provider(tmp_path)

    async def nobody_answers() -> bool:
        return await cloud.current() is None

    await until_async(nobody_answers, 5)
    await cloud.down()
    assert processes.marked(cluster_id) == set()
    assert not Path(journal["temp_dir"]).exists()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.timeout(60)
async def test_a_namespace_made_just_before_its_maker_died_is_cleared_away(tmp_path):
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("needs root and iproute2")
    cloud = provider(tmp_path)
    begun = cloud._begun()
    space = await namespace.create(begun.id)
    assert space is not None
    await cloud.down()
    assert not Path(f"/run/netns/{space.name}").exists()
    assert not Path(begun.temp_dir).exists()


async def test_a_cluster_that_nobody_claims_after_a_restart_goes_down(tmp_path):
    class LeftRunning:
        shapes = ()
        downs = 0

        async def current(self) -> None:
            return None

        async def down(self) -> None:
            self.downs += 1

    cloud = LeftRunning()
    driver = RayDriver(cloud, now_ns=time.time_ns, idle_s=0.01)
    await until_async(lambda: cloud.downs == 1, 5, "the remains to be cleared away")
    await driver.close()
