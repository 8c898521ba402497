"""What turns the desired state that an agent holds into the one that it should run."""

from broker.core.records import SiteRecord
from tidegate.model.session import Difference


def difference(site: SiteRecord, held: int) -> Difference:
    """From generation `held` to the site's own. Whole where the removals since then are no longer known.

    An agent that holds more than the log knows of has met another log; it is told everything, and `whole` says so.
    Removals are named in either case, since the agent answers for each that it does not have.
    """
    if held < max(site.floor, 1) or held > site.generation:
        upserts, removals = tuple(site.desired.values()), tuple(site.removed)
        return Difference(0, site.generation, whole=True, upserts=upserts, removals=removals)
    return Difference(
        base=held,
        generation=site.generation,
        whole=False,
        upserts=tuple(a for a in site.desired.values() if a.generation > held),
        removals=tuple(workload_id for workload_id, at in site.removed.items() if at > held),
    )
