"""Tariff: a price book made ready to be asked. It answers for one thing at a time; `scoring.cost` asks for columns.

The most particular entry counts:
- a price for the instance type in the region, for the type anywhere, for its GPU model in the region (by the GPU), for
  its GPU model anywhere. What is owned is looked up as owned and then, so that a list price may stand in, on demand;
- availability for type and region, for the type, for the region, for all of that pricing;
- egress for both regions, from the one to anywhere, from anywhere to the other, for any move.

A bought unit that has no price is taken at the dearest in the book, since what is unknown is treated at its worst; the
rule `max-cost` does not accept such a guess. Without a book everything costs nothing.

Limits: whole micros per hour below 2**63; a unit's hourly price is rounded up to a micro, so that a month of it is at
most 730 micros over the exact amount.
"""

from dataclasses import dataclass

from tidegate.model.jurisdiction import GROUPS
from tidegate.model.money import Availability, PriceBook
from tidegate.model.site import Pricing
from tidegate.model.workload import STRICTEST

UNKNOWN = -1
ALWAYS = Availability()


@dataclass(frozen=True, slots=True)
class Unit:
    """What is priced: one unit of an instance type in a region, paid for in one way."""

    instance_type: str
    region: str
    pricing: Pricing
    gpu_model: str = ""
    gpus: int = 0


class Tariff:
    """One book, by key. Nothing changes it."""

    def __init__(self, book: PriceBook | None) -> None:
        book = book or PriceBook("", idle_owned_ppm=0)
        self.idle_owned_ppm = book.idle_owned_ppm
        self.by_type = {(p.instance_type, p.region, p.pricing): p for p in book.prices if p.instance_type}
        self.by_model = {(p.gpu_model, p.region, p.pricing): p for p in book.prices if not p.instance_type}
        self._dearest_type = max((price.hourly for price in self.by_type.values()), default=0)
        self._dearest_gpu = max((price.hourly for price in self.by_model.values()), default=0)
        self._availability = {(a.pricing, a.instance_type, a.region): a for a in book.availability}
        self._egress = {(e.source, e.destination): e.per_bytes for e in book.egress}
        self._uplifts = tuple({(u.jurisdiction, u.data_class): u for u in book.uplifts}.values())

    def hourly(self, unit: Unit) -> int:
        """Micros for one hour of a unit, or `UNKNOWN`."""
        kinds = (Pricing.OWNED, Pricing.ON_DEMAND) if unit.pricing is Pricing.OWNED else (unit.pricing,)
        for kind in kinds:
            for where in (unit.region, ""):
                price = self.by_type.get((unit.instance_type, where, kind))
                if price is not None:
                    return price.hourly
            if unit.gpu_model and unit.gpus:
                for where in (unit.region, ""):
                    price = self.by_model.get((unit.gpu_model, where, kind))
                    if price is not None:
                        return (price.rate * unit.gpus).over(1)
        return UNKNOWN

    def dearest(self, unit: Unit) -> int:
        """What a unit without a price is taken at."""
        return max(self._dearest_type, self._dearest_gpu * unit.gpus)

    def availability(self, unit: Unit) -> Availability:
        """How often such a unit is taken away, and how much it is there: never, and always, where nothing is said."""
        for kind in (unit.instance_type, ""):
            for where in (unit.region, ""):
                found = self._availability.get((unit.pricing, kind, where))
                if found is not None:
                    return found
        return ALWAYS

    def egress(self, source: str, destination: str) -> tuple[int, int]:
        """Micros, and for how many bytes; nothing where nothing is listed."""
        for pair in ((source, destination), (source, ""), ("", destination), ("", "")):
            found = self._egress.get(pair)
            if found is not None:
                return found
        return 0, 1

    def uplift_ppm(self, jurisdiction: str, classes: tuple[str, ...]) -> int:
        """What compliance adds to data of such classes at a place under such law, in millionths of compute."""
        return sum(
            uplift.ppm
            for uplift in self._uplifts
            if uplift.jurisdiction in ("", jurisdiction) or jurisdiction in GROUPS.get(uplift.jurisdiction, ())
            if not uplift.data_class or uplift.data_class in classes or STRICTEST in classes
        )
