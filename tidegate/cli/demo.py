"""`tidegate demo`: the main job on this machine, with every promise checked."""

import shutil
import signal
import tempfile
import time
from pathlib import Path

import click

from tidegate.cli import render
from tidegate.cli.acts import crash, offline, service, training
from tidegate.cli.acts.stage import Stage, act, held_out, summary
from tidegate.cli.local.fleet import LocalFleet, wait_until
from tidegate.cli.local.survivors import left_behind, ray_cluster, ray_processes
from tidegate.cli.main import REFUSED_DECISION
from tidegate.client.client import Client
from tidegate.model.errors import TidegateError

PREDICTIONS = 1_000


@click.command("demo")
@click.option("--keep", is_flag=True, help="Leave everything running afterwards, and print where.")
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), help="Default: a new temporary folder.")
def command(keep: bool, data_dir: Path | None) -> int:
    """A factory: train in the cloud, serve on a device, cut the link, pull the plug, kill the broker.

    Exits 1 where a promise is broken.
    """
    began = time.monotonic()
    folder = (data_dir or Path(tempfile.mkdtemp(prefix="tidegate-demo-"))).resolve()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    fleet = LocalFleet(folder)
    stage: Stage | None = None
    try:
        stage = _perform(fleet)
    except TidegateError as error:
        render.error(error)
        render.line(f"logs are in {fleet.logs}", "dim")
    finally:
        if not (keep and stage):
            fleet.stop(render.progress)
    if stage is None:
        return REFUSED_DECISION
    if not keep:
        left = left_behind(folder)
        stage.promise("nothing is left behind", not left, f"{len(left)} processes")
    kept = summary(stage.promises)
    render.line(f"took {time.monotonic() - began:.0f} s", "dim")
    if keep:
        render.line(f"still running: export TIDEGATE_BROKER={fleet.broker_address}")
        render.line(f"data and logs in {folder}; Ctrl-C stops everything")
        _stay(fleet)
    elif kept and data_dir is None:
        shutil.rmtree(folder, ignore_errors=True)
    elif not kept:
        render.line(f"logs are in {fleet.logs}", "dim")
    return 0 if kept else REFUSED_DECISION


def _perform(fleet: LocalFleet) -> Stage:
    """The acts, in order."""
    act(1, "A fleet: broker, cloud (US), on-prem (DE), two edge devices in one plant (DE)")
    fleet.start(render.progress)
    images, labels = held_out()
    client = Client(fleet.broker_address)
    stage = Stage(fleet, client, images, labels)
    policies = client.policies()
    sites = client.sites()
    stage.promise(
        "sites, policy packs, teams and prices are declared; every agent has joined",
        all(view.state == "joined" for view in sites) and len(policies) >= 3,
        f"{len(sites)} sites, policies {', '.join(policy.ref for policy in policies)}",
    )
    act(2, "Training: to the cloud, on a Ray cluster that comes up for it")
    training.perform(stage)
    cluster = ray_cluster(fleet.folder / "cloud-us-east")
    act(3, "Serving: on the device, by law and by price; and a refusal that computes")
    site = service.place(stage)
    service.refuse(stage)
    act(4, f"{PREDICTIONS} predictions")
    service.predict(stage, PREDICTIONS)
    act(5, "The cable is out, then the power")
    runs = offline.alone(stage, site)
    act(6, "The cable is back")
    offline.returned(stage, site, runs)
    act(7, "The broker is killed under load")
    crash.perform(stage)
    stage.promise(
        "the cloud's cluster came up for the job and went down when it was idle",
        bool(cluster) and _down(cluster),
        f"{len(ray_processes(cluster))} Ray processes left",
    )
    return stage


def _down(cluster: str) -> bool:
    try:
        wait_until(lambda: not ray_processes(cluster), 45, "the cluster to go down")
    except TidegateError:
        return False
    return True


def _stay(fleet: LocalFleet) -> None:
    """Keeps relays and daemons until interrupted."""
    try:
        signal.pause()
    except KeyboardInterrupt:
        fleet.stop(render.progress)
