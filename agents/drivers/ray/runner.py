"""What runs in front of a training job, on the cluster: gets the gang together, runs the job's command, tells how it
went.

It travels with the job's code and imports Ray and the standard library only. In order:

1. Reserve the gang: one placement group of `workers` bundles, by the name in `TIDEGATE_PLACEMENT_GROUP`. If it is not
   whole within `gang_timeout_s`, say what was wanted and end with `GANG_EXIT`; nothing of the job has run.
2. Run the entrypoint under `/bin/sh` with the environment it was submitted with. The job is plain Ray:
   `ray.init(namespace=os.environ["TIDEGATE_RAY_NAMESPACE"])`, then
   `ray.util.get_placement_group(os.environ["TIDEGATE_PLACEMENT_GROUP"])`, to place its actors in the gang.
   Past `timeout_s` its process group is killed and we end with `TIMEOUT_EXIT`.
3. End as the entrypoint ended (128 + n for a death by signal n). The gang is given back by ending.

The driver is told through a file (`report`), replaced whole at each step: JSON with `step` (`gathering`, `running`,
`ended`), `began_ns`, `gang_ns`, `ended_ns` (ns since the epoch), `exit_code`, `cpu_ms`, `max_rss_bytes` (of the
entrypoint's processes on this machine; what actors use elsewhere is not in it), `nodes` and `why`.

Its input is one JSON object in `TIDEGATE_RUN`: `entrypoint`, `bundle`, `workers`, `strategy`, `group`, `ray_namespace`,
`gang_timeout_s`, `timeout_s` (0: none), `report`.
"""

import json
import logging
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

GANG_EXIT = 125
TIMEOUT_EXIT = 124


def main() -> int:
    """Run one job; gives back the exit code."""
    run = json.loads(os.environ.pop("TIDEGATE_RUN"))
    report = Report(Path(run["report"]))
    report.tell(step="gathering", began_ns=time.time_ns())
    nodes = gather(run)
    if nodes is None:
        why = f"the gang of {run['workers']} x {run['bundle']} was not whole within {run['gang_timeout_s']:g} s"
        print(f"tidegate: {why}", flush=True)  # noqa: T201 - the job's log
        report.tell(step="ended", ended_ns=time.time_ns(), exit_code=GANG_EXIT, why=why)
        return GANG_EXIT
    report.tell(step="running", gang_ns=time.time_ns(), nodes=nodes)
    code, why = execute(run["entrypoint"], environment(os.environ), run["timeout_s"])
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    report.tell(
        step="ended",
        ended_ns=time.time_ns(),
        exit_code=code,
        cpu_ms=int((used.ru_utime + used.ru_stime) * 1000),
        max_rss_bytes=used.ru_maxrss * 1024,
        why=why,
    )
    return code


class Report:
    """The file through which the driver is told."""

    def __init__(self, path: Path) -> None:
        """`path` is replaced at each `tell`; its folder is there."""
        self._path = path
        self._told: dict[str, Any] = {}

    def tell(self, **news: object) -> None:
        """Add to what was told and write all of it anew."""
        self._told.update(news)
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(self._told))
        fresh.replace(self._path)


def gather(run: dict[str, Any]) -> int | None:
    """Reserve the gang; the number of machines it lies on, None where it did not become whole in time."""
    import ray  # only on the cluster, and only here: the rest is testable without
    from ray.util.placement_group import placement_group, placement_group_table

    ray.init(namespace=run["ray_namespace"], log_to_driver=False, logging_level=logging.WARNING)
    group = placement_group([run["bundle"]] * run["workers"], strategy=run["strategy"], name=run["group"])
    if not group.wait(run["gang_timeout_s"]):
        return None
    return len(set(placement_group_table(group)["bundles_to_node_id"].values()))


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """The entrypoint's environment: this process's own, without the house's folder on the path."""
    ours = dict(given)
    house = ours.pop("TIDEGATE_HOUSE", "")
    paths = [path for path in ours.get("PYTHONPATH", "").split(os.pathsep) if path and path != house]
    ours["PYTHONPATH"] = os.pathsep.join(paths)
    return ours


def execute(entrypoint: str, env: dict[str, str], timeout_s: float) -> tuple[int, str]:
    """Run the command to its end or to the timeout; gives back its exit code and, where it has one, the reason."""
    child = subprocess.Popen(["/bin/sh", "-c", entrypoint], env=env, start_new_session=True)

    def pass_on(number: int, _frame: object) -> None:
        os.killpg(child.pid, number)

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGINT, pass_on)
    try:
        code = child.wait(timeout_s or None)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        why = f"the job ran longer than {timeout_s:g} s"
        print(f"tidegate: {why}", flush=True)  # noqa: T201 - the job's log
        return TIMEOUT_EXIT, why
    if code < 0:
        return 128 - code, f"killed by signal {-code}"
    return code, ""


if __name__ == "__main__":
    sys.exit(main())
