"""The hands of Ray's autoscaler on this machine: a worker is a raylet that runs as a process.

Ray's monitor process loads `RayletProvider` by its name in the autoscaler's configuration (`type: external`) and
decides how many workers there are; this class starts and ends them. It runs inside Ray, so it imports Ray and the
standard library only and keeps nothing: the monitor never restarts by itself, and when it is gone so is its cluster.

Each raylet has a folder of its own in the cluster's. In one folder, two that start at once would choose the same names
for their sockets, and each would clear the others' unpacked code away.
"""

import json
import logging
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

from ray.autoscaler.node_provider import NodeProvider
from ray.autoscaler.tags import (
    NODE_KIND_HEAD,
    NODE_KIND_WORKER,
    STATUS_UP_TO_DATE,
    TAG_RAY_NODE_KIND,
    TAG_RAY_NODE_NAME,
    TAG_RAY_NODE_STATUS,
    TAG_RAY_USER_NODE_TYPE,
)

log = logging.getLogger(__name__)

HEAD = "head"
"""The head's id here and, through `RAY_CLOUD_INSTANCE_ID`, at Ray."""

STOP_SECONDS = 3.0


class RayletProvider(NodeProvider):
    """Raylets as processes. Its configuration is the fields of `autoscaling.Ground`."""

    def __init__(self, provider_config: dict[str, Any], cluster_name: str) -> None:
        """Called by Ray, once."""
        super().__init__(provider_config, cluster_name)
        self._lock = threading.RLock()
        self._tags: dict[str, dict[str, str]] = {HEAD: _tags(HEAD, NODE_KIND_HEAD, HEAD)}
        self._raylets: dict[str, subprocess.Popen[bytes]] = {}
        self._gpus: dict[str, tuple[str, ...]] = {}
        self._started = 0

    def non_terminated_nodes(self, tag_filters: dict[str, str]) -> list[str]:
        """The workers that live, and the head."""
        with self._lock:
            for node_id in [node_id for node_id, raylet in self._raylets.items() if raylet.poll() is not None]:
                log.warning("worker %s ended by itself with %s", node_id, self._raylets[node_id].returncode)
                self._forget(node_id)
            return [
                node_id
                for node_id, tags in self._tags.items()
                if all(tags.get(key) == value for key, value in tag_filters.items())
            ]

    def is_running(self, node_id: str) -> bool:
        """Whether it is one of ours and lives."""
        with self._lock:
            return node_id in self._tags

    def is_terminated(self, node_id: str) -> bool:
        """The opposite of `is_running`."""
        return not self.is_running(node_id)

    def node_tags(self, node_id: str) -> dict[str, str]:
        """Its tags."""
        with self._lock:
            return self._tags.get(node_id, {})

    def set_node_tags(self, node_id: str, tags: dict[str, str]) -> None:
        """Add to its tags."""
        with self._lock:
            self._tags[node_id].update(tags)

    def external_ip(self, node_id: str) -> str:
        """All workers share an address, so the id stands for it."""
        return node_id

    def internal_ip(self, node_id: str) -> str:
        """As `external_ip`."""
        return node_id

    def create_node_with_resources_and_labels(
        self,
        node_config: dict[str, Any],
        tags: dict[str, str],
        count: int,
        resources: dict[str, float],
        labels: dict[str, str],
    ) -> None:
        """Start `count` raylets of one shape."""
        with self._lock:
            for _ in range(count):
                self._started += 1
                node_id = f"w{self._started}"  # short: it is part of a Unix socket's path
                shape = tags[TAG_RAY_USER_NODE_TYPE]
                self._raylets[node_id] = self._start(node_id, shape, resources)
                self._tags[node_id] = {**tags, **_tags(node_id, NODE_KIND_WORKER, shape)}

    def terminate_node(self, node_id: str) -> None:
        """End one worker with all its processes; Ray has drained it before."""
        with self._lock:
            raylet = self._forget(node_id)
        if raylet is None:
            return
        _signal(raylet, signal.SIGTERM)
        try:
            raylet.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            log.warning("worker %s outlived SIGTERM", node_id)
        _signal(raylet, signal.SIGKILL)
        raylet.wait()

    @staticmethod
    def bootstrap_config(cluster_config: dict[str, Any]) -> dict[str, Any]:
        """Nothing to add."""
        return cluster_config

    def _start(self, node_id: str, shape: str, resources: dict[str, float]) -> subprocess.Popen[bytes]:
        custom = {name: amount for name, amount in resources.items() if name not in ("CPU", "GPU", "memory")}
        config = self.provider_config
        folder = Path(config["temp_dir"], node_id)
        command = [
            config["ray"],
            "start",
            f"--address={config['gcs_address']}",
            f"--node-ip-address={config['node_ip']}",
            "--block",
            f"--num-cpus={int(resources.get('CPU', 0))}",
            f"--num-gpus={int(resources.get('GPU', 0))}",
            f"--memory={int(resources['memory'])}",
            f"--object-store-memory={config['object_store_bytes']}",
            f"--resources={json.dumps(custom)}",
            f"--temp-dir={folder}",
            "--min-worker-port=0",
            "--max-worker-port=0",
            "--dashboard-agent-listen-port=0",
            "--disable-usage-stats",
        ]
        environment = dict(os.environ, RAY_CLOUD_INSTANCE_ID=node_id, RAY_NODE_TYPE_NAME=shape)
        environment.pop("PYTHONPATH", None)  # this house's packages are no business of the jobs'
        if config.get("gpus"):
            mine = self._free_gpus(int(resources.get("GPU", 0)))
            self._gpus[node_id] = mine
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(mine)  # Ray shares out what it sees among its workers
        folder.mkdir()
        with (folder / "raylet.log").open("wb") as output:
            return subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _free_gpus(self, count: int) -> tuple[str, ...]:
        """The first GPUs of this machine that no raylet has: two of them would otherwise both give out the first."""
        taken = {uuid for gpus in self._gpus.values() for uuid in gpus}
        free = [uuid for uuid in self.provider_config["gpus"] if uuid not in taken]
        return tuple(free[:count])

    def _forget(self, node_id: str) -> subprocess.Popen[bytes] | None:
        self._tags.pop(node_id, None)
        self._gpus.pop(node_id, None)
        return self._raylets.pop(node_id, None)


def _tags(node_id: str, kind: str, shape: str) -> dict[str, str]:
    return {
        TAG_RAY_NODE_KIND: kind,
        TAG_RAY_NODE_NAME: node_id,
        TAG_RAY_NODE_STATUS: STATUS_UP_TO_DATE,
        TAG_RAY_USER_NODE_TYPE: shape,
    }


def _signal(raylet: subprocess.Popen[bytes], number: int) -> None:
    """To the whole group that the raylet's command leads."""
    try:
        os.killpg(raylet.pid, number)
    except ProcessLookupError:
        return
