"""Each effect to the one function that carries it out. Effects name things; the state says what they are now."""

import logging
from collections.abc import Callable
from typing import Any

from broker.core.effects import Effect, NotifyWatchers, RaiseAlarm, RefreshProbes, TellSite
from broker.core.state import State
from broker.runtime.bells import Bells
from broker.runtime.sessions import Sessions

logger = logging.getLogger(__name__)


class Executors:
    """Carries effects out, in the order they came. Nothing here waits or fails: messages go into bounded queues."""

    def __init__(self, state: State, sessions: Sessions, bells: Bells) -> None:
        self._state = state
        self._sessions = sessions
        self._bells = bells
        self._by_kind: dict[type, Callable[[Any], None]] = {
            TellSite: self._tell_site,
            NotifyWatchers: self._notify,
            RefreshProbes: self._refresh_probes,
            RaiseAlarm: self._alarm,
        }

    def start(self, effects: list[Effect]) -> None:
        """All of a run's effects; doubles were dropped before."""
        for effect in effects:
            self._by_kind[type(effect)](effect)

    def spoken(self, offset: int) -> None:
        """The log has grown."""
        self._bells.ring(Bells.LOG)

    def _tell_site(self, effect: TellSite) -> None:
        self._sessions.tell(self._state, effect.site)

    def _notify(self, effect: NotifyWatchers) -> None:
        self._bells.ring(effect.workload_id)

    def _refresh_probes(self, effect: RefreshProbes) -> None:
        self._sessions.refresh_probes(self._state)

    def _alarm(self, effect: RaiseAlarm) -> None:
        logger.error("alarm about=%s story=%s", effect.about, effect.story)
