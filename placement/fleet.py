"""The fleet: what is known of every site, and what is taken there. Facts go in by row; columns come out.

Facts are nouns, kept as they were put: a site with what its agent observed, measured round trips, measured service
times, and holdings (who took what). `columns` is the same knowledge as NumPy arrays, in one order: sites by name,
offers as their site lists them. Reachability, cordons, links and holdings change single rows of the arrays; a new or
changed declaration makes the next reader build them again.

Capacity is packed by unit (one node, one instance): GPUs and memory do not pool across units. `take` puts every copy
of a workload on the first unit of its offer that has room. The units are recorded in the holding, so a snapshot that
keeps the holdings and gives them back with `restore` is the same fleet, whatever came and went before.

What is held outranks what is declared: a site that shrinks under its work keeps the holdings, and has no room left.
`take` is total for the same reason: a copy that no unit has room for is put on unit 0, whose room is then negative
and counts as none. The engine never asks for that, and the auditor would say so.

Limits: a million units an offer; whole numbers below 2**63.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from placement.columns import Columns, Part
from placement.facts import Carried, Copy, Holding, Measurement, SiteFacts, without_gpus
from tidegate.model.decision import Slot
from tidegate.model.errors import Refused
from tidegate.model.quantity import Resources
from tidegate.model.site import Offer, Site
from tidegate.model.workload import Demand

MOST_UNITS = 1_000_000
"""The most units that one offer may have."""


class Fleet:
    """Everything that placement knows of the world. Only the holder of a fleet changes it; reading never does."""

    def __init__(self) -> None:
        self._sites: dict[str, SiteFacts] = {}
        self._links: dict[tuple[str, str], Measurement] = {}
        self._service_times: dict[tuple[str, str], Measurement] = {}
        self._holdings: dict[str, Holding] = {}
        self._teams: dict[str, Resources] = {}
        self._uplinks: dict[str, int] = {}
        self._units: dict[tuple[str, str], dict[int, Resources]] = {}
        self._columns: Columns | None = None

    # What is known, as nouns.

    @property
    def sites(self) -> Mapping[str, SiteFacts]:
        """By name, in the order of `columns`."""
        return MappingProxyType({name: self._sites[name] for name in sorted(self._sites)})

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

    def used_by_team(self, team: str) -> Resources:
        """What the team's workloads hold together. GPU memory is per device and does not add up: it is 0."""
        return self._teams.get(team, Resources())

    def uplink_used(self, site: str) -> int:
        """Bytes a day that what stands at a site sends over its uplink, together."""
        return self._uplinks.get(site, 0)

    @property
    def columns(self) -> Columns:
        """The same as arrays; valid until the next change of this fleet."""
        if self._columns is None:
            self._columns = Columns(self.sites, self._links, self._units)
            for site, bytes_per_day in self._uplinks.items():
                self._columns.put_uplink(site, bytes_per_day)
        return self._columns

    # What changes it.

    def put_site(self, site: Site, *, reachable: bool, cordoned: bool, observed: tuple[Offer, ...] = ()) -> None:
        """Declare a site or change what is known of it. Refused where two of its offers have one name."""
        facts = SiteFacts(site, reachable, cordoned, observed)
        _check_offers(facts.offers)
        before = self._sites.get(site.name)
        self._sites[site.name] = facts
        if self._columns is None:
            return
        if before is not None and before.site == site and before.offers == facts.offers:
            self._columns.put_state(site.name, reachable, cordoned)
        else:
            self._columns = None

    def put_link(self, origin: str, site: str, us: int, measured_at: int, samples: int = 1, p99_us: int = 0) -> None:
        """The newest measured round trip between an origin and a site, as in `Measurement`."""
        measurement = Measurement(us, measured_at, samples, p99_us)
        self._links[origin, site] = measurement
        if self._columns is not None:
            self._columns.put_link(origin, site, measurement)

    def put_service_time(
        self, model_digest: str, device_class: str, us: int, measured_at: int, samples: int = 1, p99_us: int = 0
    ) -> None:
        """How long a model takes on a class of device, as in `Measurement`."""
        self._service_times[model_digest, device_class] = Measurement(us, measured_at, samples, p99_us)
        self._touch(Part.TIMES)

    def take(
        self,
        workload_id: str,
        slots: tuple[Slot, ...],
        demand: Demand,
        team: str = "",
        *,
        carried: tuple[Carried, ...] = (),
    ) -> Holding:
        """Take what `slots` say, copy by copy, from the first units with room; replaces what the workload held.

        `carried` is what it sends over the uplinks of the sites where it stands (`rules.volume.carried`).
        With `demand.cpu_fallback`, a slot whose offer has no room for all its copies with GPUs is taken without.
        """
        self.release(workload_id)
        copies: list[Copy] = []
        for slot in slots:
            wanted = demand.resources
            units = self._first_fit(slot, wanted)
            if units is None and demand.cpu_fallback:
                wanted = without_gpus(wanted)
                units = self._first_fit(slot, wanted)
            taken = [Copy(slot.site, slot.offer, unit, wanted) for unit in units or [0] * slot.count]
            for copy in taken:
                self._occupy(copy)
            copies.extend(taken)
        return self._hold(Holding(workload_id, team, tuple(copies), carried))

    def restore(self, holding: Holding) -> None:
        """Give back a holding as `take` returned it, units and all."""
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
        for copy in holding.copies:
            self._vacate(copy)
        for one in holding.carried:
            self._carry(one.site, -one.bytes_per_day)
        left = self.used_by_team(holding.team) - holding.resources
        if _is_nothing(left):
            self._teams.pop(holding.team, None)
        else:
            self._teams[holding.team] = left

    def only(self, site: Site) -> "Fleet":
        """A fleet of this one site, with the facts and holdings that this fleet has of the site of that name.

        For asking what would be if the site were declared so; the other sites' regions are not known in it.
        """
        fleet = Fleet()
        known = self._sites.get(site.name, SiteFacts(site))
        fleet._sites[site.name] = replace(known, site=site)
        fleet._links = {(origin, name): seen for (origin, name), seen in self._links.items() if name == site.name}
        fleet._service_times = self._service_times
        fleet._teams = dict(self._teams)
        fleet._uplinks = {site.name: self.uplink_used(site.name)}
        fleet._units = {(name, offer): dict(u) for (name, offer), u in self._units.items() if name == site.name}
        return fleet

    # How copies stand on units.

    def _first_fit(self, slot: Slot, wanted: Resources) -> list[int] | None:
        """Unit numbers for every copy of a slot, or None where they do not all fit."""
        facts = self._sites.get(slot.site)
        offer = next((o for o in facts.offers if o.name == slot.offer), None) if facts else None
        if offer is None or wanted.gpu_memory_bytes > offer.resources.gpu_memory_bytes:
            return None
        used = dict(self._units.get((slot.site, slot.offer), {}))
        room = replace(offer.resources, gpu_memory_bytes=2**63 - 1)  # per device, so it does not add up
        chosen: list[int] = []
        unit = 0
        while len(chosen) < slot.count and unit < offer.count:
            taken = used.get(unit, Resources())
            if (taken + wanted).fits(room):
                used[unit] = taken + wanted
                chosen.append(unit)
            else:
                unit += 1
        return chosen if len(chosen) == slot.count else None

    def _occupy(self, copy: Copy) -> None:
        if _is_nothing(copy.resources):
            return
        units = self._units.setdefault((copy.site, copy.offer), {})
        units[copy.unit] = units.get(copy.unit, Resources()) + copy.resources
        if self._columns is not None:
            self._columns.put_units(copy.site, copy.offer, units)

    def _vacate(self, copy: Copy) -> None:
        if _is_nothing(copy.resources):
            return
        units = self._units[copy.site, copy.offer]
        left = units[copy.unit] - copy.resources
        if _is_nothing(left):
            del units[copy.unit]
        else:
            units[copy.unit] = left
        if self._columns is not None:
            self._columns.put_units(copy.site, copy.offer, units)
        if not units:
            del self._units[copy.site, copy.offer]

    def _touch(self, part: Part) -> None:
        if self._columns is not None:
            self._columns.touch(part)

    def _carry(self, site: str, bytes_per_day: int) -> None:
        self._uplinks[site] = self._uplinks.get(site, 0) + bytes_per_day
        if self._uplinks[site] == 0:
            del self._uplinks[site]
        if self._columns is not None:
            self._columns.put_uplink(site, self.uplink_used(site))

    def _hold(self, holding: Holding) -> Holding:
        self._touch(Part.UNITS)
        self._holdings[holding.workload_id] = holding
        for one in holding.carried:
            self._carry(one.site, one.bytes_per_day)
        taken = replace(holding.resources, gpu_memory_bytes=0)
        if not _is_nothing(taken):
            self._teams[holding.team] = self.used_by_team(holding.team) + taken
        return holding


def _is_nothing(taken: Resources) -> bool:
    """Whether a unit that only this is taken from is as good as empty."""
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
