"""The life of a workload, as one table.

Rules:
1. A workload is placed or refused by its first decision, or waits where it would fit if what is taken came free;
   refused is the end (submit again when something has changed). What waits is placed or refused later, and what stands
   waits again where it makes room for another: it is decided anew and starts from its last checkpoint.
2. Sites report how far they are; a site may skip phases, and a running service may start again after a crash.
3. Ends (succeeded, failed, cancelled, refused) are final. Reports that come after them are stale and change nothing.
4. Only a request to cancel leads to stopping, and from there every end is possible: a job may finish before it hears.
   What waits is held by nobody, so that there the request leads straight to the end.
   A site that says it is stopping what is still wanted there does so by the work's own `disconnect` block, and starts
   it again once it is back: to the workload that is no more than placed.
5. The workload's phase is that of its least advanced site; a job fails with any site, a service when all have failed.

An event that breaks the table is `Broken`, with the story of that workload: either the log or this code is wrong.
"""

from collections.abc import Collection

from tidegate.model.assignment import Phase
from tidegate.model.errors import Broken

_WORKING = (Phase.PREPARING, Phase.STARTING, Phase.RUNNING)
_ENDS = (Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED)

TABLE: dict[Phase | None, frozenset[Phase]] = {
    None: frozenset({Phase.PLACED, Phase.REFUSED, Phase.WAITING}),
    Phase.WAITING: frozenset({Phase.WAITING, Phase.PLACED, Phase.REFUSED, Phase.CANCELLED}),
    Phase.PLACED: frozenset({Phase.PLACED, *_WORKING, Phase.WAITING, Phase.STOPPING, *_ENDS}),
    Phase.PREPARING: frozenset({Phase.PLACED, *_WORKING, Phase.WAITING, Phase.STOPPING, *_ENDS}),
    Phase.STARTING: frozenset({Phase.PLACED, *_WORKING, Phase.WAITING, Phase.STOPPING, *_ENDS}),
    Phase.RUNNING: frozenset({Phase.PLACED, *_WORKING, Phase.WAITING, Phase.STOPPING, *_ENDS}),
    Phase.STOPPING: frozenset({Phase.STOPPING, *_ENDS}),
    Phase.SUCCEEDED: frozenset(),
    Phase.FAILED: frozenset(),
    Phase.CANCELLED: frozenset(),
    Phase.REFUSED: frozenset(),
}
"""What may follow what. A workload whose row is empty has ended."""

REPORTED = frozenset({*_WORKING, Phase.STOPPING, *_ENDS})
"""What an agent may say of an assignment; placed, waiting and refused are the broker's words."""

_ADVANCE = (Phase.PLACED, Phase.PREPARING, Phase.STARTING, Phase.RUNNING, Phase.SUCCEEDED)


def step(workload_id: str, before: Phase | None, after: Phase, story: Collection[str] = ()) -> Phase:
    """`after`, if the table allows it. Raises `Broken` with the story otherwise."""
    if after not in TABLE[before]:
        told = "; ".join(story) or "no story kept"
        raise Broken(f"{workload_id} cannot go from {before or 'nothing'} to {after}: {told}", field=workload_id)
    return after


def together(phases: Collection[Phase], *, job: bool) -> Phase:
    """The phase of a workload whose sites are in these phases (at least one)."""
    failed = [phase for phase in phases if phase is Phase.FAILED]
    if failed and (job or len(failed) == len(phases)):
        return Phase.FAILED
    wanted = [Phase.PLACED if phase is Phase.STOPPING else phase for phase in phases]
    at_work = [phase for phase in wanted if phase in _ADVANCE]
    return min(at_work, key=_ADVANCE.index) if at_work else Phase.CANCELLED
