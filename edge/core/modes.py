"""The modes of a device: joined, alone, returning.

    mode        event          next        effects
    joined      LinkLost       alone       (the moment is kept: the window is open)
    alone       LinkRestored   returning   EndWindow, SetShare(returning)
    alone       LinkLost       alone       (a dial that failed; an open window stays open from where it was)
    returning   Drained        joined      SetShare(not returning)
    returning   LinkLost       alone       (what was not sent waits in the spool)

Anything else changes nothing. A mode says nothing about the work: a device serves the same in all three.
Moments are ms since the epoch. A device that starts has no window open (`since` 0) until a dial fails.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Joined:
    """The link is there and nothing waits but what just happened."""


@dataclass(frozen=True, slots=True)
class Alone:
    """No link since then."""

    since: int = 0


@dataclass(frozen=True, slots=True)
class Returning:
    """The link is back and the backlog is on its way."""


Mode = Joined | Alone | Returning


@dataclass(frozen=True, slots=True)
class LinkLost:
    at: int


@dataclass(frozen=True, slots=True)
class LinkRestored:
    at: int


@dataclass(frozen=True, slots=True)
class Drained:
    at: int


Event = LinkLost | LinkRestored | Drained


@dataclass(frozen=True, slots=True)
class EndWindow:
    """Tell that the device was away from `since` until `until`."""

    since: int
    until: int


@dataclass(frozen=True, slots=True)
class SetShare:
    """Divide the link: while returning, the backlog leaves room for what is live."""

    returning: bool


Effect = EndWindow | SetShare


class Modes:
    """One device's mode. All change enters through `happened`."""

    def __init__(self, mode: Mode) -> None:
        self.mode: Mode = mode

    def happened(self, event: Event) -> list[Effect]:
        """The table above."""
        match self.mode, event:
            case Alone(since), LinkRestored(at):
                self.mode = Returning()
                window: list[Effect] = [EndWindow(since, max(since, at))] if since else []
                return [*window, SetShare(returning=True)]
            case Returning(), Drained():
                self.mode = Joined()
                return [SetShare(returning=False)]
            case ((Joined() | Returning() | Alone(since=0)), LinkLost(at)):
                self.mode = Alone(at)
                return []
            case _:
                return []
