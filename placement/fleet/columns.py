"""The fleet's columns: NumPy arrays over sites, offers and the units that are in use.

Shapes: `(sites,)`, sites by name; `(offers,)`, each site's offers side by side, `offer_site` giving the site's row;
`(units,)`, only units on which something stands, `unit_offer` giving the offer's row (an unused row says -1); see
`placement.fleet.units` for these and for their GPUs.
All numbers are int64. Words are interned: a `Words` column holds, for each row, the number of a distinct value, so
that a condition is tested once for each distinct value and not once for each site.

Not a store: every array follows from the facts of a `Fleet`, which alone changes them. A few lines longer than other
files, so that everything that may go stale with a declaration is seen at once.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from enum import StrEnum
from functools import cached_property
from itertools import takewhile
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from placement.fleet.facts import Copy, Measurement, SiteFacts
from placement.fleet.reach import Times
from placement.fleet.units import Units
from placement.gpu.division import Division, offer_divisions
from placement.quota.amounts import amounts
from placement.scoring.tie import Seeds, seeds
from tidegate.model.mig import MigTable, table_of
from tidegate.model.site import Engine, GpuSharing, Offer, Pricing, Site, Tier

Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]
Value = TypeVar("Value", bound=Hashable)
Kept = TypeVar("Kept")


class Part(StrEnum):
    """What of a fleet changes row by row, while its declarations stand. Words, since those are looked up fastest."""

    STATE = "state"
    LINKS = "links"
    TIMES = "times"
    UNITS = "units"
    """What is held: units, and so what each team holds."""
    UPLINKS = "uplinks"
    """What is sent over them."""


UNKNOWN = -1
"""In a column of times: nothing is known."""


GREATEST: int = np.iinfo(np.int64).max
"""The greatest number that a column can have."""

MOST_KEPT = 32
"""Of what is made once for columns: the oldest goes first."""


class Words(Generic[Value]):
    """A column of values that repeat: `values[codes[row]]` is the row's value."""

    def __init__(self, rows: Iterable[Value]) -> None:
        numbers: dict[Value, int] = {}
        self.codes: Numbers = np.array([numbers.setdefault(row, len(numbers)) for row in rows], dtype=np.int64)
        self.values: tuple[Value, ...] = tuple(numbers)

    @classmethod
    def same(cls, value: Value, rows: int) -> "Words[Value]":
        """A column of one value."""
        words = cls(())
        words.codes, words.values = np.zeros(rows, dtype=np.int64), (value,)
        return words

    def at(self, rows: Numbers) -> "Words[Value]":
        """The column read at those rows, in their order."""
        words = Words[Value](())
        words.codes, words.values = self.codes[rows], self.values
        return words

    def firsts(self) -> list[int]:
        """The first row of each value."""
        firsts: list[int] = np.unique(self.codes, return_index=True)[1].tolist()
        return firsts

    def where(self, answers: Iterable[bool]) -> Mask:
        """The rows whose value has a true answer; `answers` in the order of `values`."""
        return np.fromiter(answers, dtype=np.bool_, count=len(self.values)).take(self.codes)

    def numbers(self, answers: Iterable[int]) -> Numbers:
        """As `where`, for whole numbers."""
        return np.fromiter(answers, dtype=np.int64, count=len(self.values)).take(self.codes)


class Built:
    """What one unit of each of some offers is. One row for each."""

    def __init__(self, offers: tuple[Offer, ...]) -> None:
        self.gpus: Numbers = np.array([o.resources.gpus for o in offers], dtype=np.int64)
        self.gpu_memory: Numbers = np.array([o.resources.gpu_memory_bytes for o in offers], dtype=np.int64)
        self.cpus: Numbers = np.array([o.resources.cpus_milli for o in offers], dtype=np.int64)
        self.memory: Numbers = np.array([o.resources.memory_bytes for o in offers], dtype=np.int64)
        self.sharing: Words[tuple[GpuSharing, MigTable | None]] = Words(_sharing(o) for o in offers)
        self.gpu_divisions: Words[tuple[Division | None, ...]] = Words(_divisions(o) for o in offers)
        """For each GPU of a unit, how it divides; empty where the offer does not share by MIG."""
        self.whole_gpus: Numbers = self.gpus - self.gpu_divisions.numbers(
            sum(1 for one in divisions if one and one.standing) for divisions in self.gpu_divisions.values
        )
        """GPUs of an empty unit that can be given out whole."""
        self.gpu_model: Words[str] = Words(o.gpu_model for o in offers)


class Described(Built):
    """The same, and what its price goes by."""

    def __init__(self, offers: tuple[Offer, ...], regions: list[str]) -> None:
        super().__init__(offers)
        self.owned: Mask = np.array([o.pricing is Pricing.OWNED for o in offers], dtype=np.bool_)
        self.price_key: Words[tuple[str, str, Pricing, str, int]] = Words(
            (o.instance_type or o.name, region, o.pricing, o.gpu_model, o.resources.gpus)
            for o, region in zip(offers, regions, strict=True)
        )


class Columns(Described):
    """Every column of one fleet. See the module for shapes."""

    def __init__(
        self,
        sites: Mapping[str, SiteFacts],
        links: Mapping[tuple[str, str], Measurement],
        copies: Iterable[Copy],
    ) -> None:
        facts = tuple(sites.values())
        rows = [(row, offer) for row, known in enumerate(facts) for offer in known.offers]
        super().__init__(tuple(offer for _, offer in rows), [facts[row].site.region for row, _ in rows])
        self.stamps: dict[Part, int] = dict.fromkeys(Part, 0)
        """How often each part has changed."""
        self._kept: dict[Hashable, Any] = {}
        self.silent: dict[str, Any] = {}
        """The column of each rule that refuses nobody, by its name (`placement.rules.rule`)."""
        self.names: tuple[str, ...] = tuple(sites)
        self.row_of: dict[str, int] = {name: row for row, name in enumerate(self.names)}
        self.sites: tuple[Site, ...] = tuple(known.site for known in facts)
        self.reachable: Mask = np.array([known.reachable for known in facts], dtype=np.bool_)
        self.cordoned: Mask = np.array([known.cordoned for known in facts], dtype=np.bool_)
        self.uplink: Numbers = np.array([s.uplink_bytes_per_day for s in self.sites], dtype=np.int64)
        self._uplinks_changed: dict[int, int] = {}
        """By site, the stamp of its last change; the last changed is last."""
        self.uplink_used: Numbers = np.zeros(len(facts), dtype=np.int64)
        self.tier: Words[Tier] = Words(s.tier for s in self.sites)
        self.region: Words[str] = Words(s.region for s in self.sites)
        self.location: Words[str] = Words(s.location for s in self.sites)
        self.jurisdiction: Words[str] = Words(s.jurisdiction for s in self.sites)
        self.engines: Words[tuple[Engine, ...]] = Words(s.engines for s in self.sites)
        self._attributes: dict[str, Words[tuple[str, ...]]] = {}
        self.gpu_models: Words[tuple[str, ...]] = Words(
            tuple(dict.fromkeys(offer.gpu_model for offer in known.offers if offer.gpu_model)) for known in facts
        )
        self.gpu_sharings: Words[tuple[str, ...]] = Words(_sharings(known.offers) for known in facts)
        self._put_offers(rows)
        self.units = Units(self.offers)
        for copy in copies:
            self.occupy(copy)
        self._round_trips: dict[str, Times] = {}
        self._links = links

    def __len__(self) -> int:
        return len(self.names)

    def touch(self, part: Part) -> None:
        """Something of that part has changed."""
        self.stamps[part] += 1

    def kept(self, key: Hashable, make: Callable[[], Kept]) -> Kept:
        """What was made of these columns under that key; made now where it was not. It goes when they go."""
        found: Kept | None = self._kept.get(key)
        if found is None:
            if len(self._kept) >= MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            found = self._kept[key] = make()
        return found

    def attribute(self, key: str, rows: Iterable[tuple[str, ...]]) -> Words[tuple[str, ...]]:
        """The interned column of one site attribute; `rows` are read only the first time a key is asked for."""
        column = self._attributes.get(key)
        if column is None:
            column = self._attributes[key] = Words(rows)
        return column

    @cached_property
    def seeds(self) -> Seeds:
        """Shape (sites,): what ties are broken by."""
        return seeds(self.names)

    def region_of_location(self, location: str) -> str:
        """The region of the first site that stands at a location; empty where none does."""
        return self.regions_by_location.get(location, "")

    # Round trips, columns of their own for each origin that was ever asked about.

    def round_trips(self, origin: str) -> Times:
        """Round trips from an origin to every site.

        What is declared for the site stands for a declaration, or else 0 where the origin stands there.
        """
        known = self._round_trips.get(origin)
        if known is None:
            declared = np.full(len(self), UNKNOWN, dtype=np.int64)
            for row, site in enumerate(self.sites):
                if site.location == origin:
                    declared[row] = 0
                for reach in site.reach:
                    if reach.origin == origin:
                        declared[row] = reach.rtt_us
            measured = (
                (self.row_of[name], seen)
                for (source, name), seen in self._links.items()
                if source == origin and name in self.row_of
            )
            known = self._round_trips[origin] = Times(declared, measured)
        return known

    def put_link(self, origin: str, site: str, measurement: Measurement) -> None:
        """A new measurement: one row of the origin's columns, where anybody asked for them before."""
        known = self._round_trips.get(origin)
        row = self.row_of.get(site)
        if known is not None and row is not None:
            known.put(row, measurement)
            self.touch(Part.LINKS)

    def put_uplink(self, site: str, bytes_per_day: int) -> None:
        """What is sent over the uplink of a site now, in sum: one row."""
        row = self.row_of.get(site)
        if row is not None:
            self.uplink_used[row] = min(bytes_per_day, 2**62)  # a sum may be beyond any link, and beyond 64 bits
            self.touch(Part.UPLINKS)
            self._uplinks_changed.pop(row, None)
            self._uplinks_changed[row] = self.stamps[Part.UPLINKS]

    def uplinks_since(self, stamp: int) -> list[int]:
        """The sites of which more or less was sent since `Part.UPLINKS` bore a stamp."""
        return [row for row, _ in takewhile(lambda one: one[1] > stamp, reversed(self._uplinks_changed.items()))]

    def put_state(self, site: str, reachable: bool, cordoned: bool) -> None:
        """A site that came, went or was cordoned: one row."""
        row = self.row_of[site]
        if (self.reachable[row], self.cordoned[row]) != (reachable, cordoned):
            self.reachable[row], self.cordoned[row] = reachable, cordoned
            self.touch(Part.STATE)

    # Offers, and the units of them that are in use.

    def _put_offers(self, rows: list[tuple[int, Offer]]) -> None:
        self.offers: tuple[Offer, ...] = tuple(offer for _, offer in rows)
        self.offer_site: Numbers = np.array([row for row, _ in rows], dtype=np.int64)
        self.offer_row: dict[tuple[str, str], int] = {
            (self.names[row], offer.name): index for index, (row, offer) in enumerate(rows)
        }
        self._filled, self._starts = np.unique(self.offer_site, return_index=True)
        self.stops: list[int] = np.searchsorted(self.offer_site, np.arange(len(self) + 1)).tolist()
        """Where each site's offers begin, and where the last one's end."""
        self.bounds: Numbers = np.array(self.stops, dtype=np.int64)
        """Shape (sites + 1,): the same as an array."""
        self.many: Numbers = self.bounds[1:] - self.bounds[:-1]
        """Shape (sites,): how many offers each has."""
        self.count: Numbers = np.array([o.count for o in self.offers], dtype=np.int64)
        self.device_class: Words[str] = Words(o.device_class for o in self.offers)
        self.offer_name: Words[str] = Words((*(o.name for o in self.offers), ""))
        """Shape (offers + 1,): no offer has no name."""
        self.zone: Words[str] = Words(o.zone for o in self.offers)
        regions = [self.sites[row].region for row, _ in rows]
        shapes = Words(
            (_build(offer), offer.pricing, offer.instance_type or offer.name, region)
            for offer, region in zip(self.offers, regions, strict=True)
        )
        self.shape: Numbers = shapes.codes
        """Shape (offers,): the offer's row in `shapes`."""
        firsts = shapes.firsts()
        of_shapes = tuple([self.offers[row] for row in firsts])
        self.shapes = Described(of_shapes, [regions[row] for row in firsts])
        """What differs among offers but for name, zone, device class, number and site; each once. Shapes (shapes,)."""
        builds = Words(_build(offer) for offer in of_shapes)
        self.build_of_shape: Numbers = builds.codes
        self.build: Numbers = builds.codes.take(self.shape)
        """Shape (offers,): the offer's row in `builds`."""
        self.builds = Built(tuple([of_shapes[row] for row in builds.firsts()]))
        """What differs among these but for price: how many copies an empty unit holds goes by it. Shapes (builds,)."""

    def names_of(self, offers: Numbers) -> tuple[tuple[str, ...], Numbers]:
        """Every name of an offer, in the order of the fleet, and which of them each of these has.

        The last is empty: that of no offer, which is `UNKNOWN`.
        """
        return self.offer_name.values, self.offer_name.codes.take(offers, mode="wrap")

    @cached_property
    def every_offer(self) -> Numbers:
        """Shape (offers,): their rows."""
        return np.arange(len(self.offers), dtype=np.int64)

    @cached_property
    def nothing(self) -> Numbers:
        """Shape (sites,): zeros, not to be written to. A column that is nothing everywhere is this very one."""
        zeros = np.zeros(len(self), dtype=np.int64)
        zeros.flags.writeable = False
        return zeros

    @cached_property
    def place_bits(self) -> int:
        """How many bits the place of an offer among those of its site takes, at most."""
        return int(self.many.max(initial=1) - 1).bit_length()

    @cached_property
    def regions_by_location(self) -> dict[str, str]:
        """The region of the first site that stands at each location."""
        found: dict[str, str] = {}
        for site in self.sites:
            found.setdefault(site.location, site.region)
        return found

    @property
    def fresh(self) -> Numbers:
        """Shape (offers,): units on which nothing stands."""
        return self.units.fresh

    @property
    def unit_offer(self) -> Numbers:
        """Shape (units,): the offer's row of every unit in use; -1 where the row is spare."""
        return self.units.offer

    @property
    def unit_gpus(self) -> Numbers:
        """Shape (units,): GPUs wholly free on every unit in use."""
        return self.units.gpus

    @property
    def unit_cpus(self) -> Numbers:
        """Shape (units,): thousandths of a CPU left on every unit in use."""
        return self.units.cpus

    @property
    def unit_memory(self) -> Numbers:
        """Shape (units,): bytes left on every unit in use."""
        return self.units.memory

    def occupy(self, copy: Copy) -> None:
        """A copy comes: the rows of one unit. Nothing where the offer is not known."""
        row = self.offer_row.get((copy.site, copy.offer))
        if row is not None:
            self.units.occupy(row, copy)

    def vacate(self, copy: Copy) -> None:
        """A copy that came before goes."""
        row = self.offer_row.get((copy.site, copy.offer))
        if row is not None:
            self.units.vacate(row, copy)

    @cached_property
    def capacity(self) -> dict[str, int]:
        """Everything that is declared or observed, all in use or not, by the names of `placement.quota.amounts`."""
        found = amounts(
            int((self.count * self.gpus).sum()) * 1000,
            int((self.count * self.cpus).sum()),
            int((self.count * self.memory).sum()),
        )
        for code, model in enumerate(self.gpu_model.values):
            gpus = int((self.count * self.gpus)[self.gpu_model.codes == code].sum())
            if model and gpus:
                found[f"gpus/{model}"] = gpus * 1000
        return found

    # From offers to their sites, and back.

    def at_offers(self, sites: Mask) -> Mask:
        """Shape (offers,): what is said of their site."""
        return np.repeat(sites, self.many)

    def site_any(self, offers: Mask) -> Mask:
        """Shape (sites,): whether any offer of the site is marked."""
        answer = np.zeros(len(self), dtype=np.bool_)
        answer[self.offer_site[offers]] = True
        return answer

    def site_max(self, offers: Numbers, default: int = 0) -> Numbers:
        """Shape (sites,): the greatest number among the site's offers, at least `default`."""
        return np.maximum(self._reduce(np.maximum, offers, default), default)

    def site_min(self, offers: Numbers) -> Numbers:
        """Shape (sites,): the least number among the site's offers; the greatest there is where it has none."""
        return self._reduce(np.minimum, offers, GREATEST)

    def first_offer(self, offers: Mask) -> Numbers:
        """Shape (sites,): the row of the first of the site's offers that is marked; `UNKNOWN` where none is."""
        answer = np.full(len(self), UNKNOWN, dtype=np.int64)
        marked = np.flatnonzero(offers)[::-1]
        answer[self.offer_site[marked]] = marked  # the last that is written stays: the first
        return answer

    def _reduce(self, how: np.ufunc, offers: Numbers, default: int) -> Numbers:
        answer = np.full(len(self), default, dtype=np.int64)
        if len(self._filled):
            answer[self._filled] = how.reduceat(offers, self._starts)
        return answer

    def offers_of(self, row: int) -> range:
        """The offer rows of one site."""
        return range(self.stops[row], self.stops[row + 1])


def _build(offer: Offer) -> Hashable:
    return offer.resources, offer.gpu_model, offer.gpu_sharing, offer.mig_layout


def _sharings(offers: tuple[Offer, ...]) -> tuple[str, ...]:
    """How a site's GPUs are shared, each way once, as misses tell it: `fraction`, `mig a100-80gb`."""
    ways = (_sharing(offer) for offer in offers if offer.resources.gpus)
    return tuple(dict.fromkeys(f"{way.value} {table.name}" if table else way.value for way, table in ways))


def _sharing(offer: Offer) -> tuple[GpuSharing, MigTable | None]:
    """How an offer shares its GPUs and, where that is by MIG, into what."""
    if offer.gpu_sharing is not GpuSharing.MIG:
        return offer.gpu_sharing, None
    return offer.gpu_sharing, table_of(offer.gpu_model, offer.resources.gpu_memory_bytes)


def _divisions(offer: Offer) -> tuple[Division | None, ...]:
    return offer_divisions(offer) if offer.gpu_sharing is GpuSharing.MIG else ()
