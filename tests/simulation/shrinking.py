"""The same finding in a smaller history: fewer faults, a shorter run, fewer sites and people, fewer requests.

Each step tries to leave something out, in halves and then one by one, and keeps what still finds something. That it is
the same thing is believed where the finding begins with the same words (numbers left out).

Limits: `TRIES` runs.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from tests.simulation.swarm import Settings
from tests.simulation.world import Outcome, run

TRIES = 300
Thing = TypeVar("Thing")


class Shrinking:
    """One finding's."""

    def __init__(self, outcome: Outcome, run: Callable[[Settings], Outcome] = run) -> None:
        """`run` lives through settings; a test may have another."""
        self.smallest, self.tries = outcome, 0
        self._run = run
        self._kind = kind_of(outcome.found[0])

    def shrink(self) -> Outcome:
        """The smallest that was found."""
        while True:
            before = self.smallest
            self._faults()
            self._time()
            self._sites()
            self._requests()
            self._habits()
            if self.smallest is before or self.tries >= TRIES:
                return self.smallest

    def _keeps(self, settings: Settings) -> bool:
        if self.tries >= TRIES:
            return False
        self.tries += 1
        outcome = self._run(settings)
        if any(kind_of(found) == self._kind for found in outcome.found):
            self.smallest = outcome
            return True
        return False

    def _faults(self) -> None:
        for part in _parts(self.smallest.settings.plan):
            settings = self.smallest.settings
            self._keeps(replace(settings, plan=tuple(fault for fault in settings.plan if fault not in part)))

    def _time(self) -> None:
        settings = self.smallest.settings
        for share in (0.25, 0.5, 0.75):
            lasts_s = settings.lasts_s * share
            plan = tuple(fault for fault in settings.plan if fault.at < lasts_s)
            if self._keeps(replace(settings, lasts_s=lasts_s, plan=plan)):
                return

    def _sites(self) -> None:
        """The last site first: those before it stay what they were."""
        while len(self.smallest.settings.sites) > 1:
            settings = self.smallest.settings
            sites, gone = settings.sites[:-1], settings.sites[-1]
            core = tuple(name for name in settings.core if name != gone) or sites
            plan = tuple(fault for fault in settings.plan if fault.whom != gone)
            if not self._keeps(replace(settings, sites=sites, core=core, plan=plan)):
                break
        for name in self.smallest.settings.people:
            settings = self.smallest.settings
            people = tuple(each for each in settings.people if each != name)
            plan = tuple(fault for fault in settings.plan if fault.whom != name)
            self._keeps(replace(settings, people=people, plan=plan))

    def _requests(self) -> None:
        asked = tuple(line.split()[2] for line in self.smallest.story if " asks to " in line)
        for part in _parts(asked):
            settings = self.smallest.settings
            if not settings.skipped.issuperset(part):
                self._keeps(replace(settings, skipped=settings.skipped | set(part)))

    def _habits(self) -> None:
        for habit in self.smallest.settings.habits:
            settings = self.smallest.settings
            self._keeps(replace(settings, habits=tuple(each for each in settings.habits if each != habit)))


def kind_of(finding: str) -> str:
    """What it is about, whoever it is about."""
    return re.sub(r"\d+", "0", finding)[:24]


def _parts(things: Sequence[Thing]) -> Iterator[tuple[Thing, ...]]:
    """Halves, quarters and so on, down to single ones."""
    size = (len(things) + 1) // 2
    while size:
        for start in range(0, len(things), size):
            yield tuple(things[start : start + size])
        size //= 2
