"""Act 7: the broker is killed under load; nothing acknowledged is lost, every decision comes out equal again."""

import threading
from dataclasses import replace
from typing import cast

from tidegate import manifests
from tidegate.cli.acts.stage import Stage
from tidegate.cli.local.fleet import EXAMPLE, wait_until
from tidegate.client.client import Client
from tidegate.model.errors import NotFound, TidegateError
from tidegate.model.workload import Workload

SUBMITTERS = 4
BEFORE_KILL = 200
"""Acknowledgements that are waited for before the kill, so that it comes in the middle of the load."""


def perform(stage: Stage) -> None:
    """Loads, kills, restarts, and asks for every id that was acknowledged."""
    acknowledged: list[tuple[str, str]] = []
    stopping = threading.Event()
    template = cast(Workload, manifests.load_files([EXAMPLE / "refused.yaml"])[0])

    def submit(number: int) -> None:
        with Client(stage.fleet.broker_address, retry_budget_s=0.1, deadline_s=2.0) as client:
            count = 0
            while not stopping.is_set():
                count += 1
                workload = replace(template, name=f"load-{number}-{count}")
                try:
                    acknowledged.append((client.submit(workload).workload_id, workload.name))
                except TidegateError:
                    continue  # never acknowledged, so never promised

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(SUBMITTERS)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: len(acknowledged) >= BEFORE_KILL, 30, "the load to build up")
        stage.fleet.daemons["broker"].kill()
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
    promised = list(acknowledged)
    stage.fleet.start_broker()
    lost = [name for identity, name in promised if not _known(stage, identity, name)]
    stage.promise(
        "the broker killed under load loses no acknowledged command",
        not lost and len(promised) >= BEFORE_KILL,
        f"{len(promised)} acknowledged, {len(lost)} lost",
    )
    replayed = stage.client.replay()
    stage.promise(
        "folding the log and deciding again gives every decision, byte for byte",
        replayed.decisions > 0 and replayed.equal == replayed.decisions,
        f"{replayed.equal} of {replayed.decisions} equal at offset {replayed.head_offset}",
    )


def _known(stage: Stage, identity: str, name: str) -> bool:
    try:
        return stage.client.get(identity).workload.name == name
    except NotFound:
        return False
