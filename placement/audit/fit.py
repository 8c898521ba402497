"""The auditor on fit: how often one need fits on offers, and which rules on amounts a place keeps.

What a unit has room for stands in `room`; here it is asked once for each kind of offer and remembered for the one
decision that is judged.
"""

from collections.abc import Iterable

from placement.audit.room import Need, Stand, gives, needs, profile_of
from tidegate.model.workload import Demand


class Rooms:
    """How often one need fits on offers: worked out once for each kind of offer."""

    def __init__(self, need: Need) -> None:
        self.need = need
        self._rooms: dict[int, tuple[int, int]] = {}
        self._each: dict[int, int] = {}

    def each(self, o: Stand) -> int:
        """Copies that fit on an empty unit."""
        kind = o.emptied.kind
        if kind not in self._each:
            self._each[kind] = o.whole.times(self.need)
        return self._each[kind]

    def of(self, o: Stand) -> tuple[int, int]:
        """Copies that fit on an offer, and units that can take one."""
        known = self._rooms.get(o.kind)
        if known is None:
            known = self._rooms[o.kind] = self._of(o)
        return known

    def _of(self, o: Stand) -> tuple[int, int]:
        if (self.need.models and o.offer.gpu_model not in self.need.models) or not gives(o.offer, self.need):
            return 0, 0
        each = self.each(o)
        on_used = [node.times(self.need) for node in o.used_units.values()]
        units = (o.empty if each else 0) + sum(1 for times in on_used if times)
        return o.empty * each + sum(on_used), units


class Traits:
    """What one copy finds on offers, as words; a place has what any of its offers has. Once for each kind of offer."""

    def __init__(self, demand: Demand) -> None:
        self.demand, self.need = demand, needs(demand)[0]
        self.part = bool(self.need.share or self.need.profile)
        self._known: dict[int, set[str]] = {}

    def of(self, offers: Iterable[Stand]) -> set[str]:
        """The words for a place with these offers."""
        found: set[str] = set()
        for o in offers:
            known = self._known.get(o.kind)
            if known is None:
                known = self._known[o.kind] = self._if_empty(o) | self._now(o)
            found |= known
        return found

    def _if_empty(self, o: Stand) -> set[str]:
        """On a unit on which nothing stands, of an offer that has any."""
        if o.offer.count <= 0:
            return set()
        need, asked, whole = self.need, self.need.resources, o.offer.resources
        profile = profile_of(o.offer, need.profile)
        memory = whole.gpu_memory_bytes if whole.gpus else 0
        if need.profile:
            memory = profile.memory_mib * 2**20 if profile else 0
        answers = {
            "gpus": (whole.gpus if self.part else o.whole.free_gpus()) >= (asked.gpus or 1),
            "gpu-model": o.offer.gpu_model in need.models,
            "gpu-memory": memory >= asked.gpu_memory_bytes,
            "gpu-sharing": whole.gpus > 0 and gives(o.offer, need, memory=False),
            "cpus": o.whole.cpus >= asked.cpus_milli,
            "memory": o.whole.memory >= asked.memory_bytes,
        }
        return {word for word, true in answers.items() if true}

    def _now(self, o: Stand) -> set[str]:
        """On some unit as it is, with "could" for what some empty unit would do."""
        need, asked, whole, nodes = self.need, self.need.resources, o.offer.resources, o.nodes
        large = whole.gpu_memory_bytes >= asked.gpu_memory_bytes
        answers = {
            "cpus-free": any(node.cpus >= asked.cpus_milli for node in nodes),
            "memory-free": any(node.memory >= asked.memory_bytes for node in nodes),
        }
        if need.share:
            shared, there = gives(o.offer, need, memory=False), o.offer.count > 0 and whole.gpus > 0
            milli = [max((node.milli(g) for g in node.gpus), default=0) for node in nodes]
            sizes = [max((node.bytes(g) for g in node.gpus), default=0) for node in nodes]
            answers |= {
                "gpus-free": shared and any(most >= need.share for most in milli),
                "gpus-could": shared and there,
                "gpu-memory-free": shared and any(size >= asked.gpu_memory_bytes for size in sizes),
                "gpu-memory-could": shared and there and large,
            }
        elif need.profile:
            having = gives(o.offer, need)
            answers |= {
                "gpus-free": having and any(node.on_gpus(need) > 0 for node in nodes),
                "gpus-could": having and o.offer.count > 0 and o.whole.on_gpus(need) > 0,
            }
        else:
            free, could = [node.free_gpus() for node in nodes], o.whole.free_gpus() if o.offer.count else -1
            answers |= {
                "gpus-free": any(gpus >= asked.gpus for gpus in free),
                "gpus-could": could >= asked.gpus,
                "gpu-memory-free": any(free) and large,
                "gpu-memory-could": could > 0 and large,
            }
        return {word for word, true in answers.items() if true}


def if_empty(traits: Traits, place: set[str]) -> dict[str, bool]:
    """The rules on what one copy needs of a unit, if nothing stood on it, at a place with these words."""
    need, fallback = traits.need, traits.demand.cpu_fallback
    asked, on_gpu = need.resources, need.on_gpu and not fallback
    return {
        "gpus": not on_gpu or "gpus" in place,
        "gpu-model": not need.models or fallback or "gpu-model" in place,
        "gpu-memory": fallback or not asked.gpu_memory_bytes or "gpu-memory" in place,
        "gpu-sharing": not (on_gpu and traits.part) or "gpu-sharing" in place,
        "cpus": not asked.cpus_milli or "cpus" in place,
        "memory": not asked.memory_bytes or "memory" in place,
    }


def as_it_is(traits: Traits, place: set[str], shape: dict[str, bool]) -> dict[str, bool]:
    """The rules on what one copy needs of a unit, as units are now: no "no" where an empty one would not do."""
    need, fallback = traits.need, traits.demand.cpu_fallback
    asked = need.resources
    size_asked = 0 if fallback or need.profile else asked.gpu_memory_bytes
    return {
        "gpus-free": fallback or not need.on_gpu or "gpus-free" in place or "gpus-could" not in place,
        "gpu-memory-free": not size_asked or "gpu-memory-free" in place or "gpu-memory-could" not in place,
        "cpus-free": not shape["cpus"] or not asked.cpus_milli or "cpus-free" in place,
        "memory-free": not shape["memory"] or not asked.memory_bytes or "memory-free" in place,
    }
