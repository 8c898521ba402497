"""An edge device, put together: an agent that can live alone. `python -m edge` takes the flags of `python -m agents`.

What it adds to an agent: the modes (`edge.core.modes`), the away window told as a span, and the sharing of a link that
has a backlog to carry (`edge.link.share`). That it serves from its own disk before it dials is the agent's own habit.
"""

from agents.clock import Clock
from agents.config import AgentConfig
from agents.main import LinkHooks
from agents.runtime.site import Site
from agents.spool import SpoolReader
from agents.telemetry import SpanRecorder, Timed
from edge.core.modes import Alone, Drained, EndWindow, LinkLost, LinkRestored, Modes, SetShare
from edge.link.share import telemetry_rate

AWAY = "away"


def hooks(config: AgentConfig, clock: Clock, site: Site, spans: SpanRecorder, spool: SpoolReader) -> LinkHooks:
    """The modes of this device, driven by the link; it starts alone, since the moment that it holds."""
    modes = Modes(Alone(site.held.away_since))
    returning = True

    def act(event: LinkLost | LinkRestored | Drained) -> None:
        nonlocal returning
        for effect in modes.happened(event):
            match effect:
                case EndWindow():
                    spans.record(Timed(AWAY, effect.since * 1_000_000, effect.until * 1_000_000))
                case SetShare():
                    returning = effect.returning

    def share(granted: int) -> int:
        waiting = sum(each.bytes for each in spool.backlog().values())
        if returning and not waiting:
            act(Drained(clock.now_ms()))
        return telemetry_rate(granted, returning=returning)

    return LinkHooks(
        joined=lambda: act(LinkRestored(clock.now_ms())), lost=lambda: act(LinkLost(clock.now_ms())), share=share
    )
