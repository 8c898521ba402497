"""What an agent holds of the broker's word: pure, and small enough to be written whole each time it changes.

News is taken only when it is newer: a (epoch, generation) below the held one is refused, so a broker that was restored
from an old copy can not wind a site back. A difference names the generation it applies to; one for another generation
is refused as a `Conflict`, and the session then asks for the whole.
"""

import re
from dataclasses import dataclass, field, replace

from tidegate.model.assignment import Assignment, Desired, Status
from tidegate.model.errors import Conflict, Refused
from tidegate.model.session import Difference

_ID = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_]{0,62}")


def is_id(text: str) -> bool:
    """Whether a workload may be called so here: its folder, and what a driver keeps of it, are called by its id."""
    return _ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Held:
    """What survives a restart of the agent and of the machine."""

    site: str
    epoch: int = 0
    generation: int = 0
    assignments: dict[str, Assignment] = field(default_factory=dict)
    """By workload id."""
    ended: dict[str, Status] = field(default_factory=dict)
    """The last word on assignments that ended; kept until they are no longer desired, so that nothing runs twice."""
    leaving: dict[str, Assignment] = field(default_factory=dict)
    """No longer desired, not wound down yet: without them a crash in between would leave work that nobody ends."""
    away_since: int = 0
    """When the link was lost, ms since the epoch; 0 while the broker is there. For people: clocks are set."""
    away_ms: int = 0
    """So much of the absence was counted, by a clock that is never set, when this was written."""

    @property
    def desired(self) -> Desired:
        """The held assignments as the broker's noun."""
        return Desired(self.site, self.generation, tuple(self.assignments[key] for key in sorted(self.assignments)))

    def greeted(self, epoch: int) -> "Held":
        """Taken in by a broker of that epoch. Refused when it is an older one than was known."""
        if epoch < self.epoch:
            raise Refused(
                "the broker is older than what this site holds", field="epoch", found=epoch, wanted=f">= {self.epoch}"
            )
        return replace(self, epoch=epoch)

    def told(self, difference: Difference) -> "Held":
        """After the difference. Refused when it goes back, Conflict when it applies to something else than is held."""
        if difference.generation < self.generation:
            raise Refused("goes back", field="generation", found=difference.generation, wanted=f">= {self.generation}")
        if not difference.whole and difference.base != self.generation:
            raise Conflict("applies to another state", field="base", found=difference.base, wanted=str(self.generation))
        for index, each in enumerate(difference.upserts):
            if not is_id(each.workload_id):
                wanted = "a plain word, since a folder is called so"
                raise Refused("is no id", field=f"upserts[{index}].workload_id", found=each.workload_id, wanted=wanted)
        kept = {} if difference.whole else dict(self.assignments)
        for gone in difference.removals:
            kept.pop(gone, None)
        kept.update({each.workload_id: each for each in difference.upserts})
        ended = {
            key: status
            for key, status in self.ended.items()
            if key in kept and status.generation == kept[key].generation
        }
        gone_now = {**self.leaving, **self.assignments}
        leaving = {key: each for key, each in gone_now.items() if key not in kept}
        return replace(self, generation=difference.generation, assignments=kept, ended=ended, leaving=leaving)

    def left(self, workload_id: str) -> "Held":
        """With one assignment wound down."""
        return replace(self, leaving={key: each for key, each in self.leaving.items() if key != workload_id})

    def finished(self, status: Status) -> "Held":
        """With the last word on one assignment."""
        return replace(self, ended={**self.ended, status.workload_id: status})
