"""Where a process can die: `module:Class.method`, right before the call or right after it.

After means that the call did all it does and its caller never heard. A point says which daemon passes it, and how many
calls may go by before the one that is fatal: what is called rarely is fatal at once.
"""

from dataclasses import dataclass

BROKER, AGENT, RAY = "broker", "agent", "ray"
BEFORE, AFTER = "before", "after"


@dataclass(frozen=True)
class Point:
    """One place to die."""

    name: str
    daemon: str
    target: str
    when: str
    spared: int = 1
    """At most so many calls go by."""


def _both(name: str, daemon: str, target: str, spared: int = 1) -> tuple[Point, Point]:
    return tuple(Point(f"{when} {name}", daemon, target, when, spared) for when in (BEFORE, AFTER))  # type: ignore[return-value]


POINTS: tuple[Point, ...] = (
    *_both("an append to the log", BROKER, "broker.log.sqlite:SqliteLog.append", 12),
    *_both("the effects of a durable run", BROKER, "broker.runtime.executors:Executors.start", 12),
    *_both("an answer", BROKER, "broker.runtime.loop:_speak", 12),
    *_both("a word to an agent", BROKER, "broker.runtime.sessions:Session.say", 8),
    *_both("a snapshot", BROKER, "broker.log.snapshots:Snapshots.write"),
    Point("between a file's sync and its name", BROKER, "tidegate.files:RealFiles.rename", BEFORE),
    *_both("an artifact's adoption", BROKER, "broker.runtime.contents:Contents._adopt"),
    *_both("a batch of telemetry", BROKER, "broker.telemetry.store:TelemetryStore.receive", 4),
    Point("after the fold at a start", BROKER, "broker.assembly:restore", AFTER),
    *_both("the epoch at a start", BROKER, "broker.assembly:take_up"),
    *_both("an append to the spool", AGENT, "agents.spool.writer:SpoolWriter.append", 4),
    *_both("a new segment of the spool", AGENT, "agents.spool.writer:segment"),
    *_both("an acknowledgement in the spool", AGENT, "agents.spool.reader:SpoolReader.acknowledge", 2),
    *_both("what is held is written", AGENT, "agents.store:HeldStore.write", 3),
    Point("between a file's sync and its name (agent)", AGENT, "tidegate.files:RealFiles.rename", BEFORE, 4),
    Point("after a difference was taken", AGENT, "agents.runtime.site:Site.told", AFTER, 2),
    *_both("a word to the broker", AGENT, "agents.link.session:Link._say", 6),
    Point("after a piece of a model", AGENT, "agents.cache.cache:ContentCache.append", AFTER),
    *_both("a model's adoption", AGENT, "agents.cache.cache:ContentCache.finish"),
    *_both("a server's start", AGENT, "agents.drivers.process.server:ServerSlot.start"),
    Point("between a server's start and its record", AGENT, "agents.drivers.process.server:ServerSlot._record", BEFORE),
    *_both("a server's stop", AGENT, "agents.drivers.process.driver:ProcessDriver.stop"),
    *_both("a server's removal", AGENT, "agents.drivers.process.driver:ProcessDriver.remove"),
)

RAY_POINTS: tuple[Point, ...] = (
    *_both("a cluster's journal", RAY, "agents.drivers.ray.local:LocalProvider._write"),
    *_both("a cluster's network", RAY, "agents.drivers.ray.namespace:create", 0),
    *_both("a head's start", RAY, "agents.drivers.ray.local:LocalProvider._start_head", 0),
    Point("before a head answers", RAY, "agents.drivers.ray.local:LocalProvider._await_answer", BEFORE, 0),
    Point("after a cluster is up", RAY, "agents.drivers.ray.local:LocalProvider.up", AFTER, 0),
    *_both("a cluster goes down", RAY, "agents.drivers.ray.local:LocalProvider.down", 0),
    *_both("a package is sent", RAY, "agents.drivers.ray.api:RayApi.put_package"),
    *_both("a job's record", RAY, "agents.drivers.ray.record:save", 3),
    *_both("a job is submitted", RAY, "agents.drivers.ray.api:RayApi.submit"),
    *_both("a job is told to stop", RAY, "agents.drivers.ray.api:RayApi.stop", 0),
    *_both("a job's end is kept", RAY, "agents.drivers.ray.driver:RayDriver._conclude"),
    *_both("what a job made is collected", RAY, "agents.runtime.site:Site._collect"),
    *_both("a job's removal", RAY, "agents.drivers.ray.driver:RayDriver.remove"),
)
"""Where an agent can die that runs jobs on a Ray cluster (`training`)."""
