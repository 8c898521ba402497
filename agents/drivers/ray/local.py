"""A real Ray cluster of processes on this machine: a head without CPUs, and workers as Ray's autoscaler wants them.

Before anything starts, a line in `state_dir/cluster.json` (mode 0600, replaced whole) says what is about to be made:
the cluster's id, which its namespace is named by, and its folder. So whatever happens to this process, the next one
finds the cluster again and either takes it over (the head lives and is the process that was started: same number, same
start tick) or clears it away.

    state_dir/cluster.json     Journal, as JSON
    /tmp/tg-ID/                mode 0700, short because a Unix socket's path ends at 107 bytes
        token                  the cluster's token, mode 0600
        home/                  HOME of all its processes: nothing is read from or written to the user's
        autoscaling.json       the autoscaler's configuration (JSON is YAML)
        head.log               what `ray start` said
        h/                     the head's folder: Ray opens it to everybody, so it lies one deeper
        wN/                    a worker's folder: raylet.log and its session

Isolation: a network namespace where we may make one (`namespace`), token authentication always. Ray's usage reports
are off. Memory: about 700 MB for the head, 200 MB for each worker.
"""

import asyncio
import contextlib
import json
import logging
import os
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from agents.drivers.ray import namespace, processes
from agents.drivers.ray.api import RayApi
from agents.drivers.ray.autoscaling import Ground, configuration
from agents.drivers.ray.namespace import Namespace
from agents.drivers.ray.provider import Cluster, WorkerShape
from agents.drivers.ray.raylets import HEAD
from tidegate.files import RealFiles, put
from tidegate.model.errors import Broken, Unavailable

log = logging.getLogger(__name__)

UP_SECONDS = 90.0
"""How long a head may take until its interface answers; 6 to 17 s were seen on two busy cores."""
HEAD_MEMORY_BYTES = 512 * 1024 * 1024
OBJECT_STORE_BYTES = 128 * 1024 * 1024
"""Of each node. Ray's least is 75 MB."""
GCS_PORT = 6379
DASHBOARD_PORT = 8265
RAY_WORKER_PORTS = range(10002, 20000)
"""Where Ray places its workers' ports; a head's port among them is refused."""
HEAD_FOLDER = "h"
PASSED_ON = ("LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH")
"""What jobs see of the agent's environment, apart from PATH."""
HOUSE = Path(__file__).resolve().parents[3]
"""Where the package `agents` lies: Ray's monitor loads `raylets` from there."""


@dataclass(frozen=True, slots=True)
class Journal:
    """What is needed to find a cluster again."""

    id: str
    temp_dir: str
    namespace: Namespace | None
    dashboard_url: str = ""
    head_address: str = ""
    head_pid: int = 0
    head_started: int = 0
    """The head's start tick; with the number it names one process for ever."""
    up_ms: int = 0
    """0 until it answered."""


class LocalProvider:
    """Clusters on this machine, one at a time. One provider per `state_dir`."""

    def __init__(
        self,
        state_dir: Path,
        shapes: Sequence[WorkerShape],
        *,
        worker_idle_s: float = 15.0,
        isolate: bool = True,
        python: str = sys.executable,
        gpus: tuple[str, ...] = (),
    ) -> None:
        """`python` is the interpreter of an environment with Ray; its folder leads the jobs' PATH.

        `gpus` are the UUIDs of this machine's GPUs or MIG instances that its workers share out.
        """
        self._state_dir = state_dir
        self._shapes = tuple(shapes)
        self._worker_idle_s = worker_idle_s
        self._isolate = isolate
        self._python = python
        self._gpus = gpus

    @property
    def shapes(self) -> tuple[WorkerShape, ...]:
        """As configured."""
        return self._shapes

    async def current(self) -> Cluster | None:
        """The cluster that the journal names, where its head is still the process that was started."""
        journal = self._read()
        if journal is None or not journal.up_ms or not _head_lives(journal):
            return None
        token = Path(journal.temp_dir, "token").read_text()
        return Cluster(
            journal.id, journal.dashboard_url, journal.head_address, token, self._python, up_ms=journal.up_ms
        )

    async def up(self) -> Cluster:
        """The current cluster, or a new one; remains of a dead one are cleared away first."""
        running = await self.current()
        if running is not None:
            return running
        await self.down()
        began = time.monotonic()
        journal = self._begun()
        try:
            journal = await self._start_head(journal)
            cluster = await self._await_answer(journal)
        except BaseException:
            await self.down()
            raise
        up_ms = max(1, int((time.monotonic() - began) * 1000))
        self._write(replace(journal, up_ms=up_ms))
        log.info("ray cluster %s is up at %s after %d ms", journal.id, journal.dashboard_url, up_ms)
        return replace(cluster, up_ms=up_ms)

    async def down(self) -> None:
        """Kill what the journal names, remove its namespace and folder, then the journal."""
        journal = self._read()
        if journal is None:
            return
        # By its name, not by what the journal holds: whoever made it may have been killed before writing that down.
        space = namespace.named(journal.id)
        inside = await space.pids()
        left = await processes.end_all(journal.id, inside)
        if left:
            raise Broken(f"processes of ray cluster {journal.id} outlived SIGKILL", found=sorted(left))
        await space.delete()
        shutil.rmtree(journal.temp_dir, ignore_errors=True)
        self._journal_path.unlink(missing_ok=True)
        log.info("ray cluster %s is down", journal.id)

    def _begun(self) -> Journal:
        """A new cluster's journal, and then its folder: one that is not on record would be left behind by a crash."""
        identity = secrets.token_hex(4)
        journal = Journal(identity, f"/tmp/tg-{identity}", None)
        self._write(journal)
        try:
            Path(journal.temp_dir).mkdir(0o700)
        except OSError as error:  # somebody else's, perhaps: it is not ours to clear away
            self._journal_path.unlink()
            raise Unavailable(f"no folder can be made for a ray cluster: {error}", field=journal.temp_dir) from error
        return journal

    async def _start_head(self, journal: Journal) -> Journal:
        space = await namespace.create(journal.id) if self._isolate else None
        if space:
            node_ip, gcs_port, dashboard_port = space.inside, GCS_PORT, DASHBOARD_PORT
        else:
            node_ip, gcs_port, dashboard_port = "127.0.0.1", _free_port(), _free_port()
        journal = Journal(
            journal.id,
            journal.temp_dir,
            space,
            dashboard_url=f"http://{node_ip}:{dashboard_port}",
            head_address=f"{node_ip}:{gcs_port}",
        )
        self._write(journal)
        folder = Path(journal.temp_dir)
        ray = str(Path(self._python).parent / "ray")
        ground = Ground(ray, journal.head_address, node_ip, journal.temp_dir, OBJECT_STORE_BYTES, self._gpus)
        document = configuration(f"tidegate-{journal.id}", self._shapes, self._worker_idle_s, ground)
        (folder / "autoscaling.json").write_text(json.dumps(document, indent=1))
        (folder / "home").mkdir()
        token = folder / "token"
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32))
        command = [
            *(space.enter if space else ()),
            ray,
            "start",
            "--head",
            "--block",
            f"--node-ip-address={node_ip}",
            f"--port={gcs_port}",
            f"--dashboard-host={node_ip}",
            f"--dashboard-port={dashboard_port}",
            "--dashboard-agent-listen-port=0",
            *(() if space else (f"--ray-client-server-port={_free_port()}",)),
            "--min-worker-port=0",
            "--max-worker-port=0",
            "--num-cpus=0",
            "--num-gpus=0",
            f"--memory={HEAD_MEMORY_BYTES}",
            f"--object-store-memory={OBJECT_STORE_BYTES}",
            f"--temp-dir={folder / HEAD_FOLDER}",
            f"--autoscaling-config={folder / 'autoscaling.json'}",
            "--disable-usage-stats",
        ]
        with (folder / "head.log").open("wb") as output:
            try:
                head = await asyncio.create_subprocess_exec(
                    *command,
                    env=self._environment(journal),
                    cwd=folder,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=asyncio.subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise Unavailable(f"ray cannot be started: {error}", wanted=f"ray[default] beside {ray}") from error
        started = processes.started_at(head.pid)
        journal = replace(journal, head_pid=head.pid, head_started=started)
        self._write(journal)
        return journal

    def _environment(self, journal: Journal) -> dict[str, str]:
        """A small one of our own: nothing of the agent's reaches the jobs, and no Ray setting comes from outside."""
        folder = journal.temp_dir
        passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        return {
            **passed_on,
            processes.MARK: journal.id,
            "PATH": os.pathsep.join((str(Path(self._python).parent), os.environ.get("PATH", os.defpath))),
            "HOME": f"{folder}/home",
            "PYTHONPATH": str(HOUSE),
            "TIDEGATE_HOUSE": str(HOUSE),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": f"{folder}/token",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_SCHEDULER_EVENTS": "0",
            "RAY_TMPDIR": f"{folder}/{HEAD_FOLDER}",
            "RAY_enable_autoscaler_v2": "1",
            "AUTOSCALER_UPDATE_INTERVAL_S": "1",
            "RAY_CLOUD_INSTANCE_ID": HEAD,
            "RAY_NODE_TYPE_NAME": HEAD,
        }

    async def _await_answer(self, journal: Journal) -> Cluster:
        token = Path(journal.temp_dir, "token").read_text()
        cluster = Cluster(journal.id, journal.dashboard_url, journal.head_address, token, self._python)
        api = RayApi(cluster)
        try:
            async with asyncio.timeout(UP_SECONDS):
                while True:
                    if not _head_lives(journal):
                        raise Unavailable("the ray head ended before it answered", found=_tail(journal))
                    try:
                        if any(node.head and node.alive for node in await api.nodes()):
                            return cluster
                    except Unavailable:
                        log.debug("ray cluster %s does not answer yet", journal.id)
                    await asyncio.sleep(0.1)
        except TimeoutError as error:
            raise Unavailable(f"the ray head did not answer within {UP_SECONDS:g} s", found=_tail(journal)) from error
        finally:
            await api.close()

    @property
    def _journal_path(self) -> Path:
        return self._state_dir / "cluster.json"

    def _read(self) -> Journal | None:
        try:
            told = json.loads(self._journal_path.read_bytes())
            space = told.pop("namespace")
            return Journal(**told, namespace=Namespace(**space) if space else None)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Broken(
                "the journal of the ray cluster is damaged",
                field=str(self._journal_path),
                found=repr(error),
                wanted=f"no such file, once no process carries {processes.MARK}",
            ) from error

    def _write(self, journal: Journal) -> None:
        files = RealFiles()
        files.make_directory(str(self._state_dir))
        put(files, str(self._journal_path), [json.dumps(asdict(journal)).encode()])


def _head_lives(journal: Journal) -> bool:
    return journal.head_pid != 0 and processes.started_at(journal.head_pid) == journal.head_started != 0


def _tail(journal: Journal) -> str:
    with contextlib.suppress(OSError):
        return Path(journal.temp_dir, "head.log").read_text(errors="replace")[-800:]
    return ""


def _free_port() -> int:
    """A port that nobody has now, outside the range where Ray places its workers."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in RAY_WORKER_PORTS:
            return port
