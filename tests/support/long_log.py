"""A log of a million events, as years of use leave one: written through the real log, folded by the real state.

    90 % of the work are training jobs that ended, some badly; the rest services that were cancelled, and refusals
    some services stand at the end; round trips are measured and sites go silent and return all the while

The engine decides the first of each kind; later ones get the same decision under their own name and offset, since the
fold takes it as it takes any other and a million real decisions would take an hour. So the log's chain, its fold and
its snapshot are those of a real broker, and replaying its decisions is not what it is for.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from broker.core import freeze
from broker.core.commands import ApplyDeclarations, RegisterModel, SiteAttached, SubmitWorkload
from broker.core.decide import decide
from broker.core.state import State
from broker.log.disk import DiskDirectory
from broker.log.record import Record
from broker.log.snapshots import Snapshots
from broker.log.sqlite import SqliteLog
from broker.runtime.history import to_record
from tests.support.builders import book, cloud, job, model, press, rack, service, stay_home
from tidegate.model.assignment import Endpoint, Phase, Status
from tidegate.model.event import (
    Event,
    LinkMeasured,
    Recorded,
    SiteJoined,
    SiteLost,
    WorkloadCancelled,
    WorkloadDecided,
    WorkloadProgressed,
    WorkloadSubmitted,
)
from tidegate.model.quantity import Resources
from tidegate.model.session import Hello
from tidegate.model.site import Site
from tidegate.model.workload import Demand, Workload

BORN_MS = 1_700_000_000_000
PRESSES, RACKS, CLOUDS = 100, 15, 5
SERVICES = 300
AN_APPEND = 1_000
"""Events under one sync."""


@dataclass(frozen=True)
class Written:
    """What stands in the directory now."""

    events: int
    snapshot_at: int
    live: int
    payload_bytes: int


def write(directory: Path, events: int, *, tail: int, services: int = SERVICES) -> Written:
    """A broker's data directory with so many events, and a snapshot `tail` events before the last."""
    log = SqliteLog(directory)
    history, pending, payload = _History(services), list[Record](), 0
    snapshot_at = max(1, events - tail)
    try:
        for event in history.tell(events):
            pending.append(record := to_record(event))
            payload += len(record.payload)
            if len(pending) == AN_APPEND or history.state.offset in (snapshot_at, events):
                log.append(pending)
                pending.clear()
                log.tidy()
            if history.state.offset == snapshot_at:
                snapshots = Snapshots(DiskDirectory(directory / "snapshots"), freeze.FORMAT)
                snapshots.write(log.head, freeze.freeze(history.state))
    finally:
        log.close()
    live = sum(record.live for record in history.state.workloads.values())
    return Written(history.state.offset, snapshot_at, live, payload)


class _History:
    """The story that the log tells."""

    def __init__(self, services: int) -> None:
        self._services = services
        self.state = State()
        self._at = BORN_MS
        self._decided: dict[tuple[str, int], WorkloadDecided] = {}

    def tell(self, events: int) -> Iterator[Event]:
        """So many events, each folded when it is given."""
        for event in self._whole_story():
            self.state.apply(Recorded(self.state.offset + 1, event))
            yield event
            if self.state.offset == events:
                return

    def _whole_story(self) -> Iterator[Event]:
        sites = _sites()
        yield from self._ask(ApplyDeclarations(self._at, (*sites, book(), stay_home())))
        for site in sites:
            yield from self._ask(SiteAttached(self._at, Hello(site.name, "boot", 0, f"{site.name}.plant:7")))
        yield from self._ask(RegisterModel(self._at, model()))
        for number in range(self._services):
            yield from self._life(service(f"stays-{number}", demand=_small()), number % 4, ends=Phase.RUNNING)
        number = 0
        while True:
            number += 1
            self._at += 900
            if number % 10:
                ends = Phase.FAILED if number % 17 == 0 else Phase.SUCCEEDED
                yield from self._life(job(f"job-{number % 5_000}"), number % 8, ends=ends, number=number)
            else:
                yield from self._life(service(f"was-{number}", demand=_small()), number % 4, ends=Phase.CANCELLED)
            site = sites[number % len(sites)].name
            yield LinkMeasured(self._at, "plant", site, 300 + number % 900, 400, 300, 1_300, 600_000)
            if number % 50 == 0:
                yield SiteLost(self._at, site)
                yield SiteJoined(self._at + 700, site, "boot", self.state.sites[site].generation, f"{site}.plant:7")

    def _ask(self, command: object) -> Iterator[Event]:
        yield from decide(self.state, command)  # type: ignore[arg-type]

    def _life(self, workload: Workload, lane: int, *, ends: Phase, number: int = 0) -> Iterator[Event]:
        """From its submission to its end, one event after another."""
        key, at = f"{workload.name}:{number:027}", self._at
        made = self._decided.get((workload.kind, lane))
        if made is None or ends is Phase.RUNNING:
            for event in decide(self.state, SubmitWorkload(at, workload, key)):
                if isinstance(event, WorkloadDecided):
                    made = self._decided[(workload.kind, lane)] = event
                yield event
        else:
            found = self.state.models["digits"][0] if workload.inference else None
            yield WorkloadSubmitted(at, workload, key, f"00-{'1' * 32}-{number:016x}-01", found)
            decision = replace(made.decision, revision=self.state.offset - 1, decided_at=at)
            yield WorkloadDecided(at, f"w{self.state.offset}", decision)
        record = self.state.workloads[next(reversed(self.state.workloads))]
        for phase in (Phase.PREPARING, Phase.RUNNING, *(() if ends is Phase.RUNNING else (ends,))):
            if phase is Phase.CANCELLED:
                yield WorkloadCancelled(at, record.id, "no longer wanted", f"{key}/end")
            for site in record.sites:
                yield WorkloadProgressed(at, site, _status(record.id, record.decided_offset, phase, at))


def _sites() -> tuple[Site, ...]:
    presses = tuple(press(f"press-{number}") for number in range(PRESSES))
    racks = tuple(rack(f"rack-{number}") for number in range(RACKS))
    return (*presses, *racks, *(cloud(f"burst-{number}", jurisdiction="DE") for number in range(CLOUDS)))


def _small() -> Demand:
    demand = service().demand
    return replace(demand, resources=Resources(cpus_milli=500, memory_bytes=2**28))


def _status(workload_id: str, generation: int, phase: Phase, at: int) -> Status:
    endpoints = (Endpoint("http", "10.0.0.7:8500"), Endpoint("grpc", "10.0.0.7:8501"))
    metrics = {"gang_wait_ms": "812", "run_ms": "61234"} if phase.ended else {}
    failed = "exit code 3: no space left on device" if phase is Phase.FAILED else ""
    return Status(workload_id, generation, phase, failed, 3 if failed else 0, 1, endpoints, (), metrics, at)
