"""Conversations with the broker's core: `>> command << event << event`, with every promise checked in between.

    assert (
        Playbook()
        >> ApplyDeclarations(at=1, declarations=(press(),))
        << SiteApplied
        >> SiteSilent(at=2, site="press-7")
        << NOTHING
        >> CancelWorkload(at=3, workload="w9")
        << NotFound
    )

After `<<` stands a kind of event, `like(kind, field=value, ...)` for some of its fields, NOTHING, or a family of
refusals. An event that nobody asserted fails the conversation. After each event the invariants must hold and no site's
generation may have gone back; at the end a replay of the log's bytes, and a snapshot read back, must give the live
state byte for byte.
"""

from dataclasses import dataclass, replace
from typing import Any

from broker.core.decide import decide
from broker.core.freeze import freeze, thaw
from broker.core.invariants import violations
from broker.core.state import State
from tidegate.model.errors import Refused
from tidegate.model.event import Event, Recorded, WorkloadDecided, WorkloadQueued
from tidegate.wire.codec import decode_event, encode_event


class NOTHING:
    """The command leads to no event."""


@dataclass(frozen=True)
class Like:
    """An event of that kind with these fields."""

    kind: type
    fields: dict[str, Any]

    def __eq__(self, event: object) -> bool:
        return isinstance(event, self.kind) and all(getattr(event, n) == v for n, v in self.fields.items())


def like(kind: type, **fields: Any) -> Like:
    """For `<<`: an event of that kind with these fields, whatever the others hold."""
    return Like(kind, fields)


class Playbook:
    """One conversation. `reply` is the last command's reply, `state` the live state."""

    def __init__(self) -> None:
        self.state = State()
        self.reply: Any = None
        self.recorded: list[Recorded] = []
        self._unasserted: list[Event] = []
        self._refused: Refused | None = None

    def ask(self, command: Any) -> Any:
        """Decide and apply, with every promise checked; the reply. Raises what the decision raised."""
        deciding = decide(self.state, command)
        while True:
            try:
                event = next(deciding)
            except StopIteration as end:
                return end.value
            before = {name: site.generation for name, site in self.state.sites.items()}
            recorded = Recorded(self.state.offset + 1, event)
            self.state.apply(recorded)
            self.recorded.append(recorded)
            if not _in_between(event, self.state):
                assert violations(self.state) == []
            for name, generation in before.items():
                assert self.state.sites[name].generation >= generation, f"{name} went back"

    def __rshift__(self, command: Any) -> "Playbook":
        self._all_asserted()
        since = len(self.recorded)
        self.reply = None
        try:
            self.reply = self.ask(command)
        except Refused as error:
            assert len(self.recorded) == since, "a refusal came after an event"
            self._refused = error
        self._unasserted = [recorded.event for recorded in self.recorded[since:]]
        return self

    def __lshift__(self, expected: Any) -> "Playbook":
        if expected is NOTHING:
            assert self._unasserted == [] and self._refused is None, self._left()
        elif isinstance(expected, type) and issubclass(expected, Refused):
            assert type(self._refused) is expected, self._left()
            self._refused = None
        else:
            assert self._unasserted, f"nothing more happened; wanted {expected}"
            event = self._unasserted.pop(0)
            matches = isinstance(event, expected) if isinstance(expected, type) else expected == event
            assert matches, f"wanted {expected}, got {event}"
        return self

    def __bool__(self) -> bool:
        self._all_asserted()
        replayed = State()
        for recorded in self.recorded:
            replayed.apply(replace(recorded, event=decode_event(encode_event(recorded.event))))
        assert freeze(replayed) == freeze(self.state)
        assert freeze(thaw(freeze(self.state))) == freeze(self.state)
        return True

    def _all_asserted(self) -> None:
        assert not self._unasserted and self._refused is None, self._left()

    def _left(self) -> str:
        return f"left unasserted: {self._unasserted or repr(self._refused)}"


def _in_between(event: Event, state: State) -> bool:
    """Between a predecessor's cancellation and the decision in its place nothing is checked, nor is it spoken."""
    return not isinstance(event, WorkloadDecided | WorkloadQueued) and any(
        record.phase is None for record in state.workloads.values()
    )
