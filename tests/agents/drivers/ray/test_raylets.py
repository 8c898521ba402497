"""Raylets share out a machine's GPUs: each sees its own, and a GPU that came back is given out again."""

from pathlib import Path
from typing import Any

import pytest

from agents.drivers.ray import raylets
from agents.drivers.ray.raylets import RayletProvider


class Started:
    """In a raylet's place: it remembers what it was started with."""

    def __init__(self, command: list[str], env: dict[str, str], **_: Any) -> None:
        self.env = env
        self.pid = 0
        self.returncode = None

    def poll(self) -> None:
        """It lives."""

    def wait(self, seconds: float = 0) -> int:
        """It is gone at once."""
        return 0


def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *gpus: str) -> RayletProvider:
    monkeypatch.setattr(raylets.subprocess, "Popen", Started)
    monkeypatch.setattr(raylets, "_signal", lambda raylet, number: None)
    config = {
        "ray": "ray",
        "gcs_address": "127.0.0.1:1",
        "node_ip": "127.0.0.1",
        "temp_dir": str(tmp_path),
        "object_store_bytes": 1,
        "gpus": list(gpus),
    }
    return RayletProvider(config, "c")


def start(cluster: RayletProvider, gpus: int) -> dict[str, str]:
    """The environment of one more raylet."""
    cluster.create_node_with_resources_and_labels(
        {}, {raylets.TAG_RAY_USER_NODE_TYPE: "gpu"}, 1, {"CPU": 1, "GPU": gpus, "memory": 1}, {}
    )
    newest = list(cluster._raylets.values())[-1]
    assert isinstance(newest, Started)
    return newest.env


def test_no_two_raylets_see_one_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = provider(tmp_path, monkeypatch, "GPU-a", "GPU-b", "GPU-c")
    assert start(cluster, 2)["CUDA_VISIBLE_DEVICES"] == "GPU-a,GPU-b"
    assert start(cluster, 1)["CUDA_VISIBLE_DEVICES"] == "GPU-c"
    assert start(cluster, 0)["CUDA_VISIBLE_DEVICES"] == ""
    cluster.terminate_node("w1")
    assert start(cluster, 1)["CUDA_VISIBLE_DEVICES"] == "GPU-a"


def test_where_no_gpus_are_named_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert "CUDA_VISIBLE_DEVICES" not in start(provider(tmp_path, monkeypatch), 0)
