"""The fleet: what is known of every site, and what is taken there. Facts go in by row; columns come out.

Facts are nouns, kept as they were put: a site with what its agent observed, measured round trips, measured service
times, and holdings (who took what). `columns` is the same knowledge as NumPy arrays, in one order: sites by name,
offers as their site lists them. Reachability, cordons, links and holdings change single rows of the arrays; a new or
changed declaration makes the next reader build them again.

Capacity is packed by unit (one node, one instance): GPUs and memory do not pool across units. `seats` says which unit,
and which of its GPUs, every copy of a workload would stand on, by the fleet's policy; a decision records it, and `take`
takes exactly that. The seats are kept in the holding, so a snapshot that keeps the holdings and gives them back with
`restore` is the same fleet, whatever came and went before. Decisions older than seats are taken first fit, as they were
made.

What is held outranks what is declared: a site that shrinks under its work keeps the holdings, and has no room left.
`take` is total for the same reason: a copy that no unit has room for is put on unit 0, whose room is then negative
and counts as none. The engine never asks for that, and the auditor would say so.

Limits: a million units an offer; whole numbers below 2**63. It is longer than other files because every fact goes in
here: whoever asks what follows from one finds it in one place.
"""

from collections.abc import Iterator, Mapping, Set
from dataclasses import replace
from itertools import chain, groupby
from operator import attrgetter
from types import MappingProxyType

from placement.fleet.columns import Columns, Part
from placement.fleet.facts import Carried, Copy, Holding, Measurement, SiteFacts
from placement.gpu import count
from placement.gpu.wanted import Wanted, variants, wanted_by
from placement.lazily import lazily
from placement.packing.room import eligible_for, may_stand
from placement.packing.seating import Apart, FirstFit, Policy, TightestFit, copy_at, seat_of, seat_slot, seats_for
from placement.quota.amounts import Amounts, add, amounts
from placement.quota.ledger import NO_RIGHT, Ledger, Right, Stake
from tidegate.model.decision import Seat, Slot
from tidegate.model.errors import Broken, Refused
from tidegate.model.quantity import Resources
from tidegate.model.site import Offer, Site
from tidegate.model.workload import Demand, Workload

MOST_UNITS = 1_000_000
"""The most units that one offer may have."""


class Fleet:
    """Everything that placement knows of the world. Only the holder of a fleet changes it; reading never does."""

    def __init__(self, policy: Policy | None = None) -> None:
        """`policy` chooses the units that copies are seated on; without one, the unit that has the least left."""
        self.policy: Policy = policy or TightestFit()
        self._sites: dict[str, SiteFacts] = {}
        self._in_order: dict[str, SiteFacts] | None = None
        self._links: dict[tuple[str, str], Measurement] = {}
        self._links_of: dict[str, dict[tuple[str, str], Measurement]] = {}
        """The same, by site."""
        self._service_times: dict[tuple[str, str], Measurement] = {}
        self._holdings: dict[str, Holding] = {}
        self._teams: dict[str, Resources] = {}
        self._uplinks: dict[str, int] = {}
        self._by_site: dict[str, dict[str, Holding]] = {}
        self.ledger = Ledger()
        """The holdings by team, for the rules on quotas. Follows them; not to be changed by others."""
        self._aside: set[str] = set()
        self._whole: Fleet | None = None
        """The fleet that this is one site of (`only`)."""
        self._homes: dict[str, Site] = {}
        """Of that, the homes which would be declared otherwise."""

    # What is known, as nouns.

    @property
    def sites(self) -> Mapping[str, SiteFacts]:
        """By name, in the order of `columns`."""
        if self._in_order is None:
            self._in_order = {name: self._sites[name] for name in sorted(self._sites)}
        return MappingProxyType(self._in_order)

    @property
    def links(self) -> Mapping[tuple[str, str], Measurement]:
        """Measured round trips by (origin, site)."""
        return MappingProxyType(self._links)

    @property
    def service_times(self) -> Mapping[tuple[str, str], Measurement]:
        """Measured service times, 99th percentile, by (model digest, device class)."""
        return MappingProxyType(self._service_times)

    @property
    def holdings(self) -> Mapping[str, Holding]:
        """What each workload holds, by its id."""
        return MappingProxyType(self._holdings)

    @property
    def aside(self) -> Set[str]:
        """Whose holdings count for no team."""
        return self._aside

    def used_by_team(self, team: str) -> Resources:
        """What the team's workloads hold together. GPU memory is per device and does not add up: it is 0."""
        return self._teams.get(team, Resources())

    def uplink_used(self, site: str) -> int:
        """Bytes a day that what stands at a site sends over its uplink, together."""
        return self._uplinks.get(site, 0)

    @lazily
    def columns(self) -> Columns:
        """The same as arrays; valid until the next change of this fleet."""
        columns = Columns(self.sites, self._links, self._standing())
        for site, bytes_per_day in self._uplinks.items():
            columns.put_uplink(site, bytes_per_day)
        return columns

    @property
    def _built(self) -> Columns | None:
        """The columns, if somebody has asked for them since the last declaration."""
        return self.__dict__.get("columns")

    @property
    def capacity(self) -> Mapping[str, int]:
        """Everything that is declared or observed, by the names of `placement.quota.amounts`; the whole fleet's."""
        return (self._whole or self).columns.capacity

    @property
    def homes(self) -> tuple[Site, ...]:
        """The sites where the broker's stores stand; found once for a fleet's declarations."""
        columns = (self._whole or self).columns
        found: tuple[Site, ...] = columns.kept("homes", lambda: tuple(site for site in columns.sites if site.home))
        if self._whole is None:
            return found
        known = self._homes | {name: facts.site for name, facts in self._sites.items()}
        return tuple(known.get(site.name, site) for site in found)

    # What changes it.

    def put_site(self, site: Site, *, reachable: bool, cordoned: bool, observed: tuple[Offer, ...] = ()) -> None:
        """Declare a site or change what is known of it. Refused where two of its offers have one name."""
        facts = SiteFacts(site, reachable, cordoned, observed)
        _check_offers(facts.offers)
        before = self._sites.get(site.name)
        self._sites[site.name] = facts
        self._in_order = None
        if before is not None and before.offers != facts.offers:
            for holding in self._holdings.values():
                if any(copy.site == site.name for copy in holding.copies):
                    self._count(holding)
        if self._built is None:
            return
        if before is not None and before.site == site and before.offers == facts.offers:
            self._built.put_state(site.name, reachable, cordoned)
        else:
            del self.columns

    def put_link(self, origin: str, site: str, us: int, measured_at: int, samples: int = 1, p99_us: int = 0) -> None:
        """The newest measured round trip between an origin and a site, as in `Measurement`."""
        measurement = Measurement(us, measured_at, samples, p99_us)
        self._links[origin, site] = measurement
        self._links_of.setdefault(site, {})[origin, site] = measurement
        if self._built is not None:
            self._built.put_link(origin, site, measurement)

    def put_service_time(
        self, model_digest: str, device_class: str, us: int, measured_at: int, samples: int = 1, p99_us: int = 0
    ) -> None:
        """How long a model takes on a class of device, as in `Measurement`."""
        self._service_times[model_digest, device_class] = Measurement(us, measured_at, samples, p99_us)
        self._touch(Part.TIMES)

    def seats(self, workload: Workload, slots: tuple[Slot, ...]) -> tuple[Seat, ...]:
        """Where each copy would stand, slot by slot, by the fleet's policy; afterwards nothing has changed.

        `slots` are such as the packing finds room for. Where the demand falls back on CPUs, a site whose slots have no
        room for all their copies with GPUs is seated without. Broken where there is no room either way.
        """
        columns = self.columns
        place = columns.units.journal.end
        seated: list[Seat] = []
        for _, slots_there in groupby(slots, key=attrgetter("site")):
            seated += self._seat_site(workload, tuple(slots_there))
        columns.units.journal.undo(place)
        return tuple(seated)

    def seats_kept(self, workload_id: str, slots: tuple[Slot, ...], seats: tuple[Seat, ...]) -> tuple[Seat, ...]:
        """The seats that a workload has already, where it stands on these very slots; else `seats`.

        Work that is decided again and stays where it is also stays on its GPUs.
        """
        holding = self._holdings.get(workload_id)
        if holding is None or not seats:
            return seats
        had = tuple(seat_of(copy) for copy in holding.copies)
        stands = [(copy.site, copy.offer) for copy in holding.copies]
        same = stands == [(slot.site, slot.offer) for slot in slots for _ in range(slot.count)]
        return had if same and [len(seat.gpus) for seat in had] == [len(seat.gpus) for seat in seats] else seats

    def take(
        self,
        workload_id: str,
        slots: tuple[Slot, ...],
        demand: Demand,
        team: str = "",
        seats: tuple[Seat, ...] = (),
        *,
        carried: tuple[Carried, ...] = (),
        right: Right = NO_RIGHT,
    ) -> Holding:
        """Take what `slots` and `seats` say, copy by copy; replaces what the workload held.

        Without seats, first fit: the lowest unit with room, and the lowest GPUs. With `demand.cpu_fallback`, a slot
        whose offer has no room for all its copies with GPUs is taken without then. `carried` is what it sends over the
        uplinks of the sites where it stands (`rules.volume.carried`).
        """
        self.release(workload_id)
        copies: list[Copy] = []
        if seats:
            stands = chain.from_iterable((slot,) * slot.count for slot in slots)
            wanted = wanted_by(demand)
            for slot, seat in zip(stands, seats, strict=True):
                copies.append(copy_at(slot, wanted if seat.gpus else wanted.without_gpus(), seat))
                self._occupy(copies[-1])
        for slot in () if seats else slots:
            copies += self._first_fit(slot, demand)
        return self._hold(Holding(workload_id, team, tuple(copies), carried, right))

    def restore(self, holding: Holding) -> None:
        """Give back a holding as `take` returned it, seats and all."""
        self.release(holding.workload_id)
        for copy in holding.copies:
            self._occupy(copy)
        self._hold(holding)

    def release(self, workload_id: str) -> None:
        """Give everything back that the workload holds; nothing happens where it holds nothing."""
        holding = self._holdings.pop(workload_id, None)
        if holding is None:
            return
        self._touch(Part.UNITS)
        self.ledger.drop(workload_id)
        self._aside.discard(workload_id)
        for copy in holding.copies:
            self._vacate(copy)
        for one in holding.carried:
            self._carry(one.site, -one.bytes_per_day)
        for site in dict.fromkeys(copy.site for copy in holding.copies):
            del self._by_site[site][workload_id]
        left = self.used_by_team(holding.team) - holding.resources
        if _is_nothing(left):
            self._teams.pop(holding.team, None)
        else:
            self._teams[holding.team] = left

    def set_aside(self, workload_id: str) -> None:
        """It keeps its room and counts for no team: its work stands, or would stand, elsewhere, and leaves it then.

        Until it is counted again, released, or taken anew. Nothing happens where nothing is held.
        """
        if workload_id in self._holdings and workload_id not in self._aside:
            self._aside.add(workload_id)
            self.ledger.drop(workload_id)
            self._touch(Part.UNITS)

    def count_again(self, workload_id: str) -> None:
        """The inverse of `set_aside`."""
        if workload_id in self._aside:
            self._aside.discard(workload_id)
            self._count(self._holdings[workload_id])
            self._touch(Part.UNITS)

    def only(self, site: Site, *homes: Site) -> "Fleet":
        """A fleet of this one site, with the facts and holdings that this fleet has of the site of that name.

        For asking what would be if the site were declared so; of the other sites it knows what they have in sum, and
        where the stores stand. `homes`: those that would be declared otherwise too.
        """
        fleet = Fleet(self.policy)
        fleet._whole, fleet._homes = self, {home.name: home for home in homes}
        known = self._sites.get(site.name, SiteFacts(site))
        fleet._sites[site.name] = replace(known, site=site)
        fleet._links = self._links_of.get(site.name, {})
        fleet._service_times = self._service_times
        fleet._teams = dict(self._teams)
        fleet._uplinks = {site.name: self.uplink_used(site.name)}
        fleet._holdings = {
            name: replace(held, copies=tuple(copy for copy in held.copies if copy.site == site.name))
            for name, held in self._by_site.get(site.name, {}).items()
        }
        fleet._aside = self._aside
        fleet.ledger = self.ledger  # to be read, as all of this
        return fleet

    # How copies stand on units.

    def _seat_site(self, workload: Workload, slots: tuple[Slot, ...]) -> list[Seat]:
        """Where the copies of one site's slots would sit; each slot is on an offer of its own, in nobody's way."""
        columns, demand = self.columns, workload.demand
        apart = Apart.of(workload)
        for wanted, models in variants(demand):
            in_part = bool(wanted.share_milli or wanted.mig_profile)
            eligible = eligible_for(columns.shapes, wanted, models, demand) if in_part else None
            seated: list[Seat] = []
            for slot in slots:
                row = columns.offer_row.get((slot.site, slot.offer))
                if row is None:
                    break
                offer = columns.offers[row]
                if not (may_stand(offer, wanted, models, demand) if eligible is None else eligible[columns.shape[row]]):
                    break
                there = seats_for(columns, row, slot, wanted, apart, self.policy)
                if there is None:
                    break
                seated += there
            else:
                return seated
        raise Broken("copies that were found room for have none", field=workload.name, found=slots)

    def _first_fit(self, slot: Slot, demand: Demand) -> list[Copy]:
        """As decisions older than seats were carried out, all copies of a slot alike."""
        row = self.columns.offer_row.get((slot.site, slot.offer))
        wanted: Wanted = wanted_by(demand)
        for wanted, _ in variants(demand):
            if row is None:
                break
            shapes, shape = self.columns.shapes, self.columns.shape[row]
            if count.accepts(shapes, wanted, demand.time_slicing)[shape]:
                copies = seat_slot(self.columns, row, slot, wanted, Apart.ANYHOW, FirstFit())
                if copies is not None:
                    return copies
        astray = copy_at(slot, wanted, Seat(0, tuple(range(wanted.gpus or int(wanted.on_gpu)))))
        for _ in range(slot.count):
            self._occupy(astray)
        return [astray] * slot.count

    def _occupy(self, copy: Copy) -> None:
        if self._built is not None and not copy.nothing:
            self._built.occupy(copy)

    def _vacate(self, copy: Copy) -> None:
        if self._built is not None and not copy.nothing:
            self._built.vacate(copy)

    def _standing(self) -> Iterator[Copy]:
        return (copy for held in self._holdings.values() for copy in held.copies if not copy.nothing)

    def _touch(self, part: Part) -> None:
        if self._built is not None:
            self._built.touch(part)

    def _carry(self, site: str, bytes_per_day: int) -> None:
        self._uplinks[site] = self._uplinks.get(site, 0) + bytes_per_day
        if self._uplinks[site] == 0:
            del self._uplinks[site]
        if self._built is not None:
            self._built.put_uplink(site, self.uplink_used(site))

    def _hold(self, holding: Holding) -> Holding:
        self._touch(Part.UNITS)
        self._holdings[holding.workload_id] = holding
        for one in holding.carried:
            self._carry(one.site, one.bytes_per_day)
        for site in dict.fromkeys(copy.site for copy in holding.copies):
            self._by_site.setdefault(site, {})[holding.workload_id] = holding
        self._count(holding)
        taken = replace(holding.resources, gpu_memory_bytes=0)
        if not _is_nothing(taken):
            self._teams[holding.team] = self.used_by_team(holding.team) + taken
        return holding

    def _count(self, holding: Holding) -> None:
        if holding.workload_id not in self._aside:
            self.ledger.put(self._stake(holding))

    def _stake(self, holding: Holding) -> Stake:
        """What the holding counts in its team's quota, on the GPU models of its offers as they are known now."""
        found: Amounts = {}
        for copy in holding.copies:
            facts = self._sites.get(copy.site)
            offer = next((one for one in facts.offers if one.name == copy.offer), None) if facts else None
            took, model = copy.resources, offer.gpu_model if offer else ""
            add(found, amounts(copy.gpu_milli, took.cpus_milli, took.memory_bytes, model))
        return Stake(holding.workload_id, holding.team, found, holding.right)


def _is_nothing(taken: Resources) -> bool:
    return not (taken.gpus or taken.cpus_milli or taken.memory_bytes)


def _check_offers(offers: tuple[Offer, ...]) -> None:
    names = [offer.name for offer in offers]
    for index, offer in enumerate(offers):
        if names.index(offer.name) < index:
            raise Refused("two offers have one name", field=f"offers[{index}].name", found=offer.name)
        if not 0 <= offer.count <= MOST_UNITS:
            wanted = f"0 to {MOST_UNITS} units"
            raise Refused(
                "an offer has too many units", field=f"offers[{index}].count", found=offer.count, wanted=wanted
            )
