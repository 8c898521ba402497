"""The factory fleet on this machine: a broker, a cloud site, an on-prem site and two edge devices, all real processes.

The plant's devices reach the broker through one relay (the plant's uplink, which can be cut). Each remote site is
probed through a relay of its own that adds the delay of its distance, so that round trips are measured, not declared.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tidegate.cli.local.daemon import CHECKOUT, Daemon, require_checkout
from tidegate.cli.local.relay import Relay
from tidegate.client.client import Client
from tidegate.model.errors import Unavailable

EXAMPLE = CHECKOUT / "deploy" / "examples" / "factory"
POLICIES = CHECKOUT / "deploy" / "policies"
PACKS = ("gdpr.yaml", "hipaa.yaml", "sox.yaml")


@dataclass(frozen=True)
class Member:
    """One site of the fleet and how its agent is started."""

    site: str
    module: str
    engines: str
    options: tuple[str, ...] = ()
    in_plant: bool = False
    one_way_ms: float = 0.0
    """How far it is from the plant: half the round trip that a probe from there will measure."""
    measured: bool = True
    """Whether a probe is answered; where not, the round trip that is declared counts, however busy this machine is."""


_ONE_CPU_NODES = ("--ray-max-workers", "4", "--ray-worker-cpus", "1", "--ray-idle-seconds", "10")
"""Small nodes, so that a gang of two needs two of them, and an idle time that fits a visit."""
_PLANT = ("--location", "plant-leipzig")

MEMBERS = (
    Member("cloud-us-east", "agents", "ray", _ONE_CPU_NODES, one_way_ms=45.0),
    Member("on-prem-leipzig", "agents", "process", one_way_ms=3.0),
    Member("press-7", "edge", "process", _PLANT, in_plant=True),
    Member("press-8", "edge", "process", _PLANT, in_plant=True),
)


class LocalFleet:
    """Starts in order, stops in reverse, and leaves nothing behind."""

    def __init__(self, folder: Path, *, listen: str = "127.0.0.1:0", members: tuple[Member, ...] = MEMBERS) -> None:
        """`members` are the sites whose agents are started; every site is declared."""
        require_checkout()
        self.folder = folder
        self.members = members
        self.logs = folder / "logs"
        self.listen = listen
        self.broker_address = ""
        self.uplink = Relay()
        """Between the plant and everything else."""
        self._distances: dict[str, Relay] = {}
        self.daemons: dict[str, Daemon] = {}

    def start(self, say: Callable[[str], None]) -> None:
        """Brings everything up; `say` hears one line per step."""
        say("starting the broker")
        self.start_broker()
        say("applying sites, policies, teams and prices")
        with Client(self.broker_address) as client:
            client.apply(*manifests())
        for member in self.members:
            say(f"starting the agent of {member.site}")
            self.start_agent(member)
        for member in self.members:
            ready = self.daemons[member.site].wait_ready(60)
            if member.measured:
                self._distances[member.site].target = ready["address"]
        with Client(self.broker_address) as client:
            wait_until(lambda: self._all_joined(client), 30, "every site to join")

    def start_broker(self) -> None:
        """Starts the broker, or starts it again at the same address over the same data."""
        listen = self.broker_address or self.listen
        arguments = ["--listen", listen, "--data-dir", str(self.folder / "broker")]
        daemon = self.daemons.setdefault("broker", Daemon("broker", "broker", arguments, self.logs))
        daemon.arguments = arguments
        self.broker_address = daemon.start().wait_ready(30)["address"]
        self.uplink.target = self.broker_address

    def start_agent(self, member: Member) -> Daemon:
        """Starts a site's agent, or starts it again over the same data."""
        relay = self._distances.setdefault(member.site, Relay(delay_ms=member.one_way_ms))
        arguments = [
            *("--site", member.site),
            *("--broker", self.uplink.address if member.in_plant else self.broker_address),
            *("--data-dir", str(self.folder / member.site)),
            *("--engines", member.engines),
            *member.options,
            "--stop-services-on-exit",
        ]
        if not member.in_plant:
            arguments += ["--advertise", relay.address]
        daemon = self.daemons.setdefault(member.site, Daemon(member.site, member.module, arguments, self.logs))
        return daemon.start()

    def stop(self, say: Callable[[str], None]) -> None:
        """Agents first, then the broker; the cloud's cluster goes down with its agent."""
        for name, daemon in reversed(self.daemons.items()):
            if daemon.running:
                say(f"stopping {name}")
                daemon.stop(40)
        for relay in (self.uplink, *self._distances.values()):
            relay.close()

    def _all_joined(self, client: Client) -> bool:
        joined = {view.site.name for view in client.sites() if view.state == "joined"}
        return joined >= {one.site for one in self.members}


def manifests() -> list[Path]:
    """What the example's operator declares: sites, teams, prices, and the law."""
    declared = [EXAMPLE / name for name in ("sites.yaml", "teams.yaml", "prices.yaml", "policies.yaml")]
    return [path for path in declared if path.exists()] + [POLICIES / pack for pack in PACKS]


def member(site: str) -> Member:
    """The member of that name."""
    return next(one for one in MEMBERS if one.site == site)


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Polls until it holds. Raises `Unavailable` naming what was waited for."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Unavailable(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.05)
