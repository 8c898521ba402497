"""What has been asked for, as the fold counts it, and how the fleet's units are chosen by it.

Every workload that is submitted counts once for each of its copies, whether or not it finds room, from its first
decision on, which is made without it; and counts fade (`placement.pool.popularity`). The ranking goes by the counts as
they were at the last *edition*, so that its tables are made anew only now and then: when an eighth as much has been
asked again, after `EDITION` asks at the latest. Counts and edition are in the state, so a replay and a restore seat
work where the live broker did.

Bid prices come from a solver, as an event, some time after the edition that they were made for, and hold until the next
ones come, whatever editions come in between: a class that they do not know is worth the GPUs that it asks for, which
is what classes are worth on average. Until the first prices come, the gradient ranks alone.

A class is named by its numbers, `cpus/memory/gpus/share/models`, since a snapshot keeps names and counts.
"""

from dataclasses import dataclass, field, replace

from placement.fleet.fleet import Fleet
from placement.packing.pooled import Pooled
from placement.packing.seating import Policy, TightestFit
from placement.pool.choosing import Chooser
from placement.pool.nouns import MOST_GPUS, WHOLE, Ask, Mix, Shape, mix_of
from placement.pool.popularity import count
from placement.pool.value import MICROS
from tidegate.model.event import BidPricesSet
from tidegate.model.workload import Demand, Workload

EDITION = 256
SHARE_OF_ALL = 8
COPIES_COUNTED = 64
"""Of one workload, so that one large gang is not the whole mix."""


@dataclass(frozen=True, slots=True)
class Demanded:
    """The counts by class. Replaced whole by the fold, so that a copy of the state stands still."""

    counts: dict[str, int] = field(default_factory=dict)
    """Sixteenths of an ask."""
    since_halved: int = 0
    since_edition: int = 0
    asks: int = 0
    edition: dict[str, int] = field(default_factory=dict)
    """The counts that the ranking goes by."""
    edition_at: int = 0
    """`asks` when the edition was made: its number."""
    prices: BidPricesSet | None = None
    """The newest; None until a solver has answered."""

    def counted(self, workload: Workload) -> "Demanded":
        """The workload was asked for; `edition` is the same object unless that made a new one."""
        ask = ask_of(workload.demand)
        if ask is None:
            return self
        copies, name = min(workload.copies, COPIES_COUNTED), name_of(ask)
        counts, since_halved = dict(self.counts), self.since_halved
        for _ in range(copies):
            since_halved = count(counts, name, since_halved)
        asks, since = self.asks + copies, self.since_edition + copies
        if since < min(EDITION, -(-asks // SHARE_OF_ALL)):
            return replace(self, counts=counts, since_halved=since_halved, since_edition=since, asks=asks)
        return Demanded(counts, since_halved, 0, asks, counts, asks, self.prices)

    def followed_by(self, workload: Workload, fleet: Fleet) -> "Demanded":
        """As `counted`, and the fleet chooses by the new edition if there is one."""
        after = self.counted(workload)
        if after.edition is not self.edition:
            fleet.policy = after.policy
        return after

    def priced_by(self, prices: BidPricesSet) -> "Demanded":
        """The ranking goes by these prices from here on. Sorted, since maps on the wire have no order."""
        worths, units = dict(sorted(prices.worths.items())), dict(sorted(prices.units.items()))
        return replace(self, prices=replace(prices, worths=worths, units=units))

    @property
    def mix(self) -> Mix:
        """The edition as the pool reads it."""
        return mix_of({asked_as(name): found for name, found in self.edition.items()})

    @property
    def policy(self) -> Policy:
        """How units are chosen under this edition."""
        if not self.edition:
            return TightestFit()
        return Pooled(Chooser(self.mix, self._worths))

    @property
    def _worths(self) -> dict[Ask, int] | None:
        if self.prices is None:
            return None
        known, asks = self.prices.worths, {name: asked_as(name) for name in self.edition}
        return {ask: known.get(name, ask.gpu_milli * MICROS // WHOLE) for name, ask in asks.items()}


def ask_of(demand: Demand) -> Ask | None:
    """One copy's class; None where it asks for more GPUs than a pool's node has. A MIG instance counts as its share."""
    resources, gpus = demand.resources, -(-demand.gpu_milli // WHOLE)
    if gpus > MOST_GPUS:
        return None
    models = tuple(sorted(set(demand.gpu_models))) if gpus else ()
    return Ask(resources.cpus_milli, resources.memory_bytes, gpus, demand.gpu_milli % WHOLE, models)


def name_of(ask: Ask) -> str:
    """The name of a class."""
    return f"{ask.cpus_milli}/{ask.memory_bytes}/{ask.gpus}/{ask.share_milli}/{'|'.join(ask.models)}"


def asked_as(name: str) -> Ask:
    """The class of that name."""
    cpus, memory, gpus, share, models = name.split("/", 4)
    return Ask(int(cpus), int(memory), int(gpus), int(share), tuple(models.split("|")) if models else ())


def name_of_shape(shape: Shape) -> str:
    """The name of a shape of unit."""
    return f"{shape.cpus_milli}/{shape.memory_bytes}/{shape.gpus}/{shape.gpu_model}"


def shaped_as(name: str) -> Shape:
    """The shape of that name."""
    cpus, memory, gpus, model = name.split("/", 3)
    return Shape(int(cpus), int(memory), int(gpus), model)
