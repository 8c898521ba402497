"""What an agent and the broker say to each other on the one stream that the agent dials out.

State is last-value-wins and level-triggered: the agent says which generation it holds and gets the difference, and
each difference names the generation it applies to. Facts (telemetry) never travel here; they have a numbered spool.
"""

from dataclasses import dataclass

from tidegate.model.assignment import Assignment, Status
from tidegate.model.site import Offer
from tidegate.model.sketch import NOTHING, Sketch


@dataclass(frozen=True, slots=True)
class Hello:
    """The agent's first message."""

    site: str
    boot: str
    held_generation: int
    address: str = ""
    offers: tuple[Offer, ...] = ()
    running: tuple[str, ...] = ()
    """Workload ids that run there now, whatever generation they came from."""
    away_since: int = 0
    """When the agent noticed that the link was gone, ms since the epoch; 0 where it never had one."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Still here. `sent_at` is echoed, so that the agent can measure the round trip."""

    sent_at: int
    held_generation: int


@dataclass(frozen=True, slots=True)
class Report:
    """The newest status of each assignment that changed; kept and sent again until acknowledged by `Reported`."""

    sequence: int
    statuses: tuple[Status, ...]


@dataclass(frozen=True, slots=True)
class Probed:
    """Round trips that an agent, or a client of a service, measured from where it stands."""

    origin: str
    site: str
    rtt_us: int
    """The 99th percentile; from agents without a sketch, the least of a few."""
    samples: int
    p50_us: int = 0
    bound_us: int = 0
    """The upper confidence bound of `rtt_us`; 0 where nobody worked it out."""
    window_ms: int = 0
    """How long the samples took to gather."""
    sketch: Sketch = NOTHING
    """All samples of the window; last value wins, so what is lost is sent again with the next."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Probe results and service times, newest of each."""

    links: tuple[Probed, ...] = ()


@dataclass(frozen=True, slots=True)
class LogLines:
    """A piece of a workload's log, asked for by `LogRequest`."""

    request: int
    text: str
    next_offset: int
    complete: bool = False
    error: str = ""


AgentSays = Hello | Heartbeat | Report | Measured | LogLines


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """A place whose round trip the broker wants to know."""

    site: str
    address: str


@dataclass(frozen=True, slots=True)
class Welcome:
    """The broker accepts the agent. Rates are the broker's to grant."""

    session: int
    epoch: int
    heartbeat_ms: int
    telemetry_bytes_per_s: int = 0
    """0 means as fast as it likes."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Turns the desired state at `base` into the one at `generation`. `base` 0 with `whole` replaces everything."""

    base: int
    generation: int
    whole: bool
    upserts: tuple[Assignment, ...] = ()
    removals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HeartbeatSeen:
    """The echo."""

    sent_at: int


@dataclass(frozen=True, slots=True)
class Reported:
    """All reports up to this sequence are durable."""

    sequence: int


@dataclass(frozen=True, slots=True)
class Probes:
    """What to measure from now on; replaces the list before."""

    targets: tuple[ProbeTarget, ...]


@dataclass(frozen=True, slots=True)
class LogRequest:
    """Send what the workload has logged from an offset on."""

    request: int
    workload_id: str
    offset: int


@dataclass(frozen=True, slots=True)
class ComeBack:
    """Too many at once: close, and dial again after this long (the agent adds its own jitter)."""

    after_ms: int


BrokerSays = Welcome | Difference | HeartbeatSeen | Reported | Probes | LogRequest | ComeBack


@dataclass(frozen=True, slots=True)
class Chunk:
    """One record of a spool on the wire; `payload` is stored bytes, forwarded unparsed."""

    seq: int
    kind: str
    """`spans` (OTLP request), `predictions` (PredictionBatch) or `gap`."""
    at: int
    count: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the broker has made durable of one stream: everything up to `high_water`."""

    high_water: int
    accepted: int = 0
    duplicates: int = 0
    retry_after_ms: int = 0
