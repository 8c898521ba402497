"""What copies cost at a site, by cause, with exact fractions rounded up once for each cause."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from tidegate.model.decision import Cost
from tidegate.model.jurisdiction import GROUPS
from tidegate.model.money import Availability, Price, PriceBook
from tidegate.model.site import Offer, Pricing, Site
from tidegate.model.workload import Workload

MILLION = 1_000_000
HUNDREDFOLD = 100 * MILLION
Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Part:
    """Copies on one offer: how many, on how many units, and how many an empty unit takes."""

    offer: Offer
    copies: int
    units: int
    each: int


def up(amount: Fraction | int) -> int:
    return -((-Fraction(amount)).__floor__())


def share(amount: int, ppm: int) -> int:
    return up(Fraction(amount * min(ppm, HUNDREDFOLD), MILLION))


class Money:
    """The books that hold at a moment, the one that is believed first of all first."""

    def __init__(self, books: Iterable[PriceBook], now: int) -> None:
        come = [book for book in books if book.effective_from <= now]
        names = {book.name for book in come}
        newest = [max((b for b in come if b.name == name), key=lambda b: b.version) for name in names]
        self.books = sorted(newest, key=lambda b: (-b.precedence, -b.effective_from, b.name))

    def idle_ppm(self) -> int:
        owning = [b for b in self.books if any(p.pricing is Pricing.OWNED for p in b.prices)]
        return (owning or self.books)[0].idle_owned_ppm if self.books else 0

    def _entries(
        self, of: Callable[[PriceBook], tuple[Entry, ...]], key: Callable[[Entry], Hashable]
    ) -> dict[Hashable, Entry]:
        """For each key the entry that counts: the last one of the first book that has it."""
        found: dict[Hashable, Entry] = {}
        for book in self.books:
            here = {key(entry): entry for entry in of(book)}
            found = {**here, **found}
        return found

    def prices(self) -> dict[Hashable, Price]:
        return self._entries(
            lambda b: b.prices,
            lambda p: (p.instance_type, "" if p.instance_type else p.gpu_model, p.region, p.pricing),
        )

    def hourly(self, offer: Offer, region: str) -> int | None:
        """One unit for one hour, None where nobody lists it."""
        listed, gpus = self.prices(), offer.resources.gpus
        kinds = [offer.pricing, Pricing.ON_DEMAND] if offer.pricing is Pricing.OWNED else [offer.pricing]
        for kind in kinds:
            for where in (region, ""):
                if price := listed.get((offer.instance_type or offer.name, "", where, kind)):
                    return up(exact(price))
            for where in (region, "") if offer.gpu_model and gpus else ():
                if price := listed.get(("", offer.gpu_model, where, kind)):
                    return up(exact(price) * gpus)
        return None

    def dearest(self, offer: Offer) -> int:
        typed = [up(exact(p)) for p in self.prices().values() if p.instance_type]
        by_gpu = [up(exact(p)) for p in self.prices().values() if not p.instance_type]
        return max(max(typed, default=0), max(by_gpu, default=0) * offer.resources.gpus)

    def availability(self, offer: Offer, region: str) -> Availability:
        listed = self._entries(lambda b: b.availability, lambda a: (a.pricing, a.instance_type, a.region))
        for kind in (offer.instance_type or offer.name, ""):
            for where in (region, ""):
                if found := listed.get((offer.pricing, kind, where)):
                    return found
        return Availability()

    def cost(self, work: Workload, site: Site, parts: list[Part], origin_region: str) -> tuple[Cost, bool]:
        """By cause, and whether every unit that is bought has a listed price."""
        gang = work.training is not None
        compute = idle = lost = absent = stalled = 0
        known = True
        for part in parts:
            owned = part.offer.pricing is Pricing.OWNED
            price = self.hourly(part.offer, site.region)
            known = known and (price is not None or owned)
            price = price if price is not None else 0 if owned else self.dearest(part.offer)
            paid = 0 if owned else price * part.units
            used = up(Fraction(price * part.copies * self.idle_ppm(), part.each * MILLION)) if owned else 0
            there = self.availability(part.offer, site.region)
            redo_ms = there.restart_ms
            if work.training:
                saved = work.training.checkpoint_every_ms
                redo_ms += up(Fraction(saved, 2)) if saved else there.lost_work_ms
            loss = min(up(Fraction(there.interruptions_ppm_per_hour * redo_ms, 3_600_000)), HUNDREDFOLD)
            loss *= part.units if gang else 1
            present = min(max(there.available_ppm, 1), MILLION)
            gone = min(up(Fraction((MILLION - present) * MILLION, present)), HUNDREDFOLD)
            compute, idle = compute + paid, idle + used
            lost += share(paid + used, loss)
            absent += share(paid + used, gone)
            stalled += min(loss, HUNDREDFOLD)
        if gang and len(parts) > 1:
            lost = share(compute + idle, stalled)
        ppm = self.uplift_ppm(site, work.data.classes)
        return (
            Cost(
                compute=compute,
                idle=idle,
                spot_loss=lost,
                availability=absent,
                egress=self.egress(work, site, origin_region),
                uplift=share(compute + idle, ppm),
            ),
            known,
        )

    def uplift_ppm(self, site: Site, classes: tuple[str, ...]) -> int:
        total = 0
        for one in self._entries(lambda b: b.uplifts, lambda u: (u.jurisdiction, u.data_class)).values():
            where = one.jurisdiction in ("", site.jurisdiction) or site.jurisdiction in GROUPS.get(one.jurisdiction, ())
            what = one.data_class in ("", *classes) or "unknown" in classes
            total += one.ppm if where and what else 0
        return total

    def egress(self, work: Workload, site: Site, origin_region: str) -> int:
        data = work.data
        if not data.origin or site.location == data.origin or (origin_region and origin_region == site.region):
            return 0
        listed = self._entries(lambda b: b.egress, lambda e: (e.source, e.destination))
        source = origin_region or data.origin
        for pair in ((source, site.region), (source, ""), ("", site.region), ("", "")):
            if found := listed.get(pair):
                gib, gb = Fraction(found.micros_per_gib, 2**30), Fraction(found.micros_per_gb, 10**9)
                per = gb or gib
                hourly = (Fraction(data.bytes_per_day, 24) + Fraction(data.size_bytes) / hours(work)) * per
                return up(hourly)
        return 0


def hours(work: Workload) -> Fraction:
    """Over how long the data's size is spread, since it moves once: a run, or a month of service."""
    if work.training is None:
        return Fraction(730)
    run_ms = work.training.schedule.run_ms or work.training.timeout_ms or 24 * 3_600_000
    return Fraction(max(run_ms, 60_000), 3_600_000)


def exact(price: Price) -> Fraction:
    """Micros for an hour."""
    if price.micros_per_hour:
        return Fraction(price.micros_per_hour)
    if price.micros_per_month:
        return Fraction(price.micros_per_month, 730)
    if price.owned is None:
        return Fraction(0)
    owned = price.owned
    rate = Fraction(owned.watts * owned.pue_milli * owned.micros_per_kwh, 10**6)
    rate += Fraction(owned.hosting_micros_per_month, 730)
    return rate + (Fraction(owned.purchase_micros, owned.lifetime_hours) if owned.lifetime_hours else 0)
