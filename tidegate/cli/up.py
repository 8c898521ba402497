"""`tidegate up`: a three-tier fleet on this machine, in the foreground."""

import signal
import threading
from pathlib import Path

import click

from tidegate.cli import render
from tidegate.cli.local.fleet import MEMBERS, LocalFleet
from tidegate.wire.channel import DEFAULT_BROKER


@click.command("up")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".tidegate/up"),
    show_default=True,
    help="Where everything is kept; a fleet that was stopped goes on from here.",
)
@click.option("--listen", default=DEFAULT_BROKER, show_default=True, help="The broker's address.")
def command(data_dir: Path, listen: str) -> None:
    """Start a broker, a cloud site, an on-prem site and two edge devices here; Ctrl-C stops them all.

    Sites, policies and prices come from deploy/examples/factory. In another terminal:
    tidegate sites, tidegate plan deploy/examples/factory/service.yaml
    """
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    fleet = LocalFleet(data_dir.resolve(), listen=listen)
    try:
        fleet.start(render.progress)
        render.line(f"broker at {fleet.broker_address}; logs in {fleet.logs}")
        render.line(f"sites {', '.join(member.site for member in MEMBERS)}; Ctrl-C stops everything")
        while not stopping.wait(0.5):
            for daemon in fleet.daemons.values():
                if not daemon.running:
                    render.progress(f"{daemon.name} ended; starting it again. Its last words:\n{daemon.log_tail(3)}")
                    daemon.start().wait_ready(30)
    finally:
        fleet.stop(render.progress)
