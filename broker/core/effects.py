"""What is to be done about events: the closed union of effects. Each maps to one function of `runtime/executors.py`.

Effects carry names, never state: whoever carries one out reads the state as it is then. So an effect carried out
twice, or late, does no harm, and none has to survive a crash: on start every site that attaches is told what it lacks.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TellSite:
    """The site's desired state has changed: send the difference if it is attached."""

    site: str


@dataclass(frozen=True, slots=True)
class NotifyWatchers:
    """Something about the workload has changed."""

    workload_id: str


@dataclass(frozen=True, slots=True)
class RefreshProbes:
    """A site or an address has come or changed: tell the agents what to measure."""


@dataclass(frozen=True, slots=True)
class RaiseAlarm:
    """Something that a person must know: a law that forbids standing work, an auditor that disagrees."""

    about: str
    story: str


Effect = TellSite | NotifyWatchers | RefreshProbes | RaiseAlarm
