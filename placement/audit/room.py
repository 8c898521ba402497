"""The auditor's own idea of room: what stands on a unit, what is left there, and whether a seat is one.

It shares no code with `placement.gpu`, `placement.fleet.units` or the packing: a unit is the copies that stand on
it, and everything is worked out from them each time, GPU by GPU, MIG slice by MIG slice, as sets. (The tables of what
a GPU divides into are shared, as facts.)

What it holds seats to: a unit's CPUs and memory, and each GPU's compute and memory, are never exceeded; a whole GPU is
nobody else's; an instance is of a profile that the GPU has, lies where it may, and overlaps no other; where a layout
stands, it is one of that layout's; what is shared is shared in a way that the offer gives and the workload takes.
"""

from dataclasses import dataclass

from placement.fleet.facts import Copy
from placement.fleet.fleet import Fleet
from tidegate.model.decision import Seat
from tidegate.model.mig import MigProfile, table_of
from tidegate.model.quantity import Resources
from tidegate.model.site import GpuSharing, Offer
from tidegate.model.workload import Demand

ENDLESS = 1_000_000
"""How many copies of nothing are said to fit on a unit."""

Lying = frozenset[int | str]
"""Memory slices, and `media` for the extensions that only one instance of a GPU can have."""


@dataclass(frozen=True, slots=True)
class Need:
    """One copy's demand, with or without GPUs."""

    resources: Resources
    share: int = 0
    profile: str = ""
    time_slicing: bool = False
    models: tuple[str, ...] = ()

    @property
    def on_gpu(self) -> bool:
        return self.resources.gpus > 0 or self.share > 0 or self.profile != ""


def needs(demand: Demand) -> list[Need]:
    """With GPUs and, where the demand falls back, without."""
    first = Need(demand.resources, demand.gpu_share_milli, demand.mig_profile, demand.time_slicing, demand.gpu_models)
    bare = Need(Resources(0, 0, demand.resources.cpus_milli, demand.resources.memory_bytes))
    return [first, bare] if demand.cpu_fallback else [first]


def profile_of(offer: Offer, name: str) -> MigProfile | None:
    """The profile, if the offer divides its GPUs and they have it."""
    table = table_of(offer.gpu_model, offer.resources.gpu_memory_bytes)
    return table.profile(name) if table and offer.gpu_sharing is GpuSharing.MIG else None


def gives(offer: Offer, need: Need, *, memory: bool = True) -> bool:
    """Whether the offer's GPUs can be had in the way that is wanted, and of the model and memory."""
    if need.profile:
        profile = profile_of(offer, need.profile)
        return profile is not None and (
            not memory or profile.memory_mib * 1024 * 1024 >= need.resources.gpu_memory_bytes
        )
    if need.share:
        slices = offer.gpu_sharing is GpuSharing.TIME_SLICING and need.time_slicing
        return offer.gpu_sharing is GpuSharing.FRACTION or slices
    return not memory or offer.resources.gpu_memory_bytes >= need.resources.gpu_memory_bytes


@dataclass(frozen=True, slots=True)
class Node:
    """One unit of an offer and the copies on it."""

    offer: Offer
    copies: tuple[Copy, ...] = ()

    @property
    def cpus(self) -> int:
        return self.offer.resources.cpus_milli - sum(copy.resources.cpus_milli for copy in self.copies)

    @property
    def memory(self) -> int:
        return self.offer.resources.memory_bytes - sum(copy.resources.memory_bytes for copy in self.copies)

    @property
    def gpus(self) -> range:
        return range(self.offer.resources.gpus)

    def on(self, gpu: int) -> list[Copy]:
        return [copy for copy in self.copies if gpu in copy.gpus]

    def layout(self, gpu: int) -> set[tuple[str, int]]:
        """The instances that stand on a GPU for good; those that cannot be there are none."""
        lying: list[Lying] = []
        kept: set[tuple[str, int]] = set()
        for one in self.offer.mig_layout:
            profile = profile_of(self.offer, one.profile)
            if one.gpu != gpu or profile is None or one.start not in profile.starts:
                continue
            slices = lies(self.offer, profile, one.start)
            if not any(slices & other for other in lying):
                lying.append(slices)
                kept.add((one.profile, one.start))
        return kept

    def free_gpus(self) -> int:
        """GPUs on which nothing is, and which are not divided for good."""
        return sum(1 for gpu in self.gpus if not self.on(gpu) and not self.layout(gpu))

    def milli(self, gpu: int) -> int:
        """Compute left of a GPU; all is gone where it is given out whole."""
        return 1000 - sum(copy.gpu_share_milli for copy in self.on(gpu)) - 1000 * len(self.whole(gpu))

    def bytes(self, gpu: int) -> int:
        """Memory left of a GPU."""
        size = self.offer.resources.gpu_memory_bytes
        shares = sum(copy.resources.gpu_memory_bytes for copy in self.on(gpu) if copy.gpu_share_milli)
        return size - shares - size * len(self.whole(gpu))

    def whole(self, gpu: int) -> list[Copy]:
        """The copies that have the GPU to themselves."""
        return [copy for copy in self.on(gpu) if copy.resources.gpus]

    def taken(self, gpu: int) -> Lying:
        """Slices taken of a GPU; every one where a copy has it whole, or an instance that cannot be there."""
        found: set[int | str] = set()
        for copy in self.on(gpu):
            profile = profile_of(self.offer, copy.mig_profile) if copy.mig_profile else None
            if profile is None or copy.mig_start not in profile.starts:
                return frozenset((*range(8), "media"))
            if self.layout(gpu) and (copy.mig_profile, copy.mig_start) not in self.layout(gpu):
                return frozenset((*range(8), "media"))
            found |= lies(self.offer, profile, copy.mig_start)
        return frozenset(found)

    def starts(self, gpu: int, name: str) -> list[int]:
        """Where one more instance could lie."""
        profile = profile_of(self.offer, name)
        if profile is None:
            return []
        layout, taken = self.layout(gpu), self.taken(gpu)
        return [
            start
            for start in profile.starts
            if not lies(self.offer, profile, start) & taken and (not layout or (name, start) in layout)
        ]

    def on_gpus(self, need: Need) -> int:
        """How many copies the GPUs have room for."""
        if need.profile:
            one = need.profile.endswith("+me")
            return sum(min(len(self.starts(gpu, need.profile)), 1 if one else 8) for gpu in self.gpus)
        if need.share:
            memory = need.resources.gpu_memory_bytes
            counts = [
                min(self.milli(gpu) // need.share, self.bytes(gpu) // memory if memory else ENDLESS)
                for gpu in self.gpus
            ]
            return sum(max(0, count) for count in counts)
        return self.free_gpus() // need.resources.gpus

    def times(self, need: Need) -> int:
        """How many more copies the unit has room for, of an offer that gives what is needed."""
        wanted = need.resources
        have = [self.on_gpus(need)] if need.on_gpu else []
        have += [self.cpus // wanted.cpus_milli] if wanted.cpus_milli else []
        have += [self.memory // wanted.memory_bytes] if wanted.memory_bytes else []
        return max(0, min(have, default=ENDLESS))

    def refuses(self, copy: Copy, need: Need) -> str:
        """Why the copy cannot sit there beside the others, in a word; empty where it can."""
        if self.cpus < need.resources.cpus_milli:
            return "no CPUs"
        if self.memory < need.resources.memory_bytes:
            return "no memory"
        if len(set(copy.gpus)) < len(copy.gpus) or any(gpu not in self.gpus for gpu in copy.gpus):
            return "GPUs that are not there, once each"
        if len(copy.gpus) != (need.resources.gpus or int(need.on_gpu)):
            return "not as many GPUs as wanted"
        for gpu in copy.gpus:
            if need.profile:
                if copy.mig_start not in self.starts(gpu, need.profile):
                    return f"no place for {need.profile} at {copy.mig_start} of GPU {gpu}"
            elif need.share:
                if self.milli(gpu) < need.share or self.bytes(gpu) < need.resources.gpu_memory_bytes:
                    return f"GPU {gpu} has less left"
            elif self.on(gpu) or self.layout(gpu):
                return f"GPU {gpu} is not free"
        return ""


def lies(offer: Offer, profile: MigProfile, start: int) -> Lying:
    """What an instance takes of its GPU."""
    table = table_of(offer.gpu_model, offer.resources.gpu_memory_bytes)
    everything = table is not None and profile.size == table.size
    media = ("media",) if profile.name.endswith("+me") or everything else ()
    return frozenset((*range(start, start + profile.size), *media))


@dataclass(frozen=True, slots=True)
class Stand:
    """An offer with what is free on each of its units; equal empty units are counted, not listed."""

    offer: Offer
    used_units: dict[int, Node]
    empty: int
    kind: int
    """The same for offers whose units, and what is on them, are the same."""
    price: int
    """The same for offers whose units are the same, and cost the same at one place."""
    bare: "Stand | None" = None
    """The same if nothing stood there, where something does."""

    @property
    def emptied(self) -> "Stand":
        """The same if nothing stood there."""
        return self.bare or self

    @property
    def nodes(self) -> list[Node]:
        """Each unit in use, and one empty unit where there is any."""
        return [*self.used_units.values(), *([Node(self.offer)] if self.empty > 0 else [])]

    @property
    def whole(self) -> Node:
        """An empty unit."""
        return Node(self.offer)


def wrong_seats(
    nodes: dict[int, Node], offer: Offer, site: str, need: Need, seats: tuple[Seat, ...], *, alone: bool
) -> list[str]:
    """What is wrong with the seats of one slot, taken one after the other. `nodes`: the units in use, by number."""
    found: list[str] = []
    nodes, where = dict(nodes), f"{site}/{offer.name}"
    if alone and len({seat.unit for seat in seats}) < len(seats):
        found.append(f"{where}: two copies sit on one unit")
    for seat in seats:
        if not 0 <= seat.unit < offer.count:
            found.append(f"{where}: there is no unit {seat.unit}")
            continue
        node = nodes.get(seat.unit, Node(offer))
        copy = Copy(site, offer.name, seat.unit, need.resources, seat.gpus, need.share, need.profile, seat.mig_start)
        why = node.refuses(copy, need)
        if why:
            found.append(f"{where}: unit {seat.unit} is no seat: {why}")
        nodes[seat.unit] = Node(offer, (*node.copies, copy))
    return found


def wrong_holdings(fleet: Fleet) -> list[str]:
    """Where more is held than there is: every copy is seated again beside those that came before it.

    For tests and for `tidegate audit`: a site that shrank under its work holds more than it has, and that is told too.
    """
    found: list[str] = []
    standing: dict[tuple[str, str, int], Node] = {}
    sites = dict(fleet.sites)
    for held in fleet.holdings.values():
        for copy in held.copies:
            facts = sites.get(copy.site)
            offer = next((offer for offer in facts.offers if offer.name == copy.offer), None) if facts else None
            where = f"{held.workload_id} at {copy.site}/{copy.offer}/{copy.unit}"
            if offer is None or not 0 <= copy.unit < offer.count:
                found.append(f"{where}: there is no such unit")
                continue
            node = standing.get((copy.site, copy.offer, copy.unit), Node(offer))
            need = Need(copy.resources, copy.gpu_share_milli, copy.mig_profile)
            if why := node.refuses(copy, need):
                found.append(f"{where}: {why}")
            standing[copy.site, copy.offer, copy.unit] = Node(offer, (*node.copies, copy))
    return found
