"""The auditor's own arithmetic of money: what slots at one site cost per hour, by cause, and whether that is known.

It shares no code with `placement.scoring`, nor with the choice of books and prices in `placement.money`: it reads
the books' own lists, works in whole numbers of any size, and is read beside `PriceBook` alone.
"""

from copy import copy
from dataclasses import dataclass
from functools import cache

from placement.law.law import Law
from tidegate.model.decision import Cost, Decision
from tidegate.model.jurisdiction import GROUPS
from tidegate.model.money import Availability, Price, PriceBook
from tidegate.model.site import Offer, Pricing, Site
from tidegate.model.workload import Workload

WHOLE = 1_000_000
"""Millionths in the whole."""
MOST_LOST = 100 * WHOLE
"""The bound on a loss, as a share of what is paid."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Copies on one offer: how many, on how many units, and how many would go on an empty one."""

    offer: Offer
    copies: int
    units: int
    each: int


class Bill:
    """Prices at the moment of one decision, for one workload."""

    def __init__(self, law: Law, now: int, workload: Workload) -> None:
        self.found: dict[tuple[str, Pricing, str, int, str], int | None] = {}
        self.books = self.believed(law, now)
        self.by_type: dict[tuple[str, str, Pricing], Price] = {}
        self.by_gpu: dict[tuple[str, str, Pricing], Price] = {}
        for price in self.every_price():
            self.by_type.setdefault((price.instance_type, price.region, price.pricing), price)
            if not price.instance_type:
                self.by_gpu.setdefault((price.gpu_model, price.region, price.pricing), price)
        # What the books say is looked for once for all places and offers that it goes by.
        self.idle_owned_ppm = cache(self._idle_owned_ppm)
        self.dearest = cache(self._dearest)
        self.availability = cache(self._availability)
        self._hear(workload)

    def about(self, workload: Workload) -> "Bill":
        """The same prices for the workload with something in it changed."""
        other = copy(self)
        other._hear(workload)
        return other

    def _hear(self, workload: Workload) -> None:
        self.workload = workload
        self.egress = cache(self._egress)
        self.uplift_ppm = cache(self._uplift_ppm)

    def believed(self, law: Law, now: int) -> list[PriceBook]:
        """The books that hold, the one that is believed first of all first."""
        if not law.books:
            return [law.price_book] if law.price_book else []
        begun = [book for book in law.books if book.effective_from <= now]
        top = {book.name: max(b.version for b in begun if b.name == book.name) for book in begun}
        held = {book.name: book for book in begun if book.version == top[book.name]}
        by_name = sorted(held.values(), key=lambda book: book.name)
        return sorted(by_name, key=lambda book: (book.precedence, book.effective_from), reverse=True)

    def findings(self, decision: Decision) -> list[str]:
        """What is wrong with the books that are cited."""
        found: list[str] = []
        if decision.price_book != ", ".join(book.ref for book in self.books):
            found.append("price book: not those in force")
        return found

    def cost(self, site: Site, standing: list[Standing], origin_region: str) -> tuple[Cost, bool]:
        """The cost of what stands at a site, and whether every bought unit in it has a listed price."""
        if not self.books:
            return Cost(), False
        known = True
        compute = idle = spot_loss = availability = stalls = 0
        for one in standing:
            price = self.price(one.offer, site)
            bought = paid = 0
            if one.offer.pricing is Pricing.OWNED:
                paid = _up((price or 0) * one.copies * self.idle_owned_ppm(), one.each * WHOLE)
                idle += paid
            else:
                known = known and price is not None
                bought = paid = (self.dearest(one.offer.resources.gpus) if price is None else price) * one.units
                compute += bought
            said = self.availability(one.offer.pricing, one.offer.instance_type or one.offer.name, site.region)
            lost = min(_up(said.interruptions_ppm_per_hour * self.lost_ms(said), 3_600_000), MOST_LOST)
            still = min(lost * one.units, MOST_LOST) if self.workload.training else lost
            stalls += still
            spot_loss += _up(paid * still, WHOLE)
            there = min(max(said.available_ppm, 1), WHOLE)
            availability += _up(paid * min(_up((WHOLE - there) * WHOLE, there), MOST_LOST), WHOLE)
        if self.workload.training and len(standing) > 1:
            spot_loss = _up((compute + idle) * min(stalls, MOST_LOST), WHOLE)
        uplift = _up((compute + idle) * self.uplift_ppm(site.jurisdiction), WHOLE)
        return Cost(
            compute, self.egress(site.location, site.region, origin_region), uplift, idle, spot_loss, availability
        ), known

    def interruptions_ppm(self, site: Site, standing: list[Standing]) -> int:
        """How often an hour one of the units is expected to be taken away, in millionths."""
        found = 0
        for one in standing if self.books else ():
            said = self.availability(one.offer.pricing, one.offer.instance_type or one.offer.name, site.region)
            found += said.interruptions_ppm_per_hour * one.units
        return found

    def lost_ms(self, said: Availability) -> int:
        """What one interruption costs in time."""
        training = self.workload.training
        if training is None:
            return said.restart_ms
        every = training.checkpoint_every_ms
        return said.restart_ms + (_up(every, 2) if every else said.lost_work_ms)

    def price(self, offer: Offer, site: Site) -> int | None:
        """Micros for one hour of one unit; None where no book says. Looked for once for all offers that it goes by."""
        key = (offer.instance_type or offer.name, offer.pricing, offer.gpu_model, offer.resources.gpus, site.region)
        if key not in self.found:
            self.found[key] = self._price(offer, site)
        return self.found[key]

    def knows(self, offer: Offer, site: Site) -> bool:
        """Whether a book lists what is bought; what is owned costs nothing where none does."""
        return bool(self.books) and (offer.pricing is Pricing.OWNED or self.price(offer, site) is not None)

    def _price(self, offer: Offer, site: Site) -> int | None:
        kinds = [offer.pricing, Pricing.ON_DEMAND] if offer.pricing is Pricing.OWNED else [offer.pricing]
        name, gpus = offer.instance_type or offer.name, offer.resources.gpus
        for kind in kinds:
            for where in (site.region, ""):
                if (name, where, kind) in self.by_type:
                    return _hourly(self.by_type[name, where, kind], 1)
            for where in (site.region, ""):
                if offer.gpu_model and gpus and (offer.gpu_model, where, kind) in self.by_gpu:
                    return _hourly(self.by_gpu[offer.gpu_model, where, kind], gpus)
        return None

    def _dearest(self, gpus: int) -> int:
        """The dearest unit that any book in force knows; a price by the GPU is taken for all so many."""
        counted = {_price_key(price): price for price in reversed(list(self.every_price()))}
        return max(
            (_hourly(price, 1) * (1 if price.instance_type else gpus) for price in counted.values()),
            default=0,
        )

    def every_price(self) -> list[Price]:
        """All prices, those that count before those that do not: by book, and within a book the last one first."""
        return [price for book in self.books for price in reversed(book.prices)]

    def _idle_owned_ppm(self) -> int:
        owning = [book for book in self.books if any(price.pricing is Pricing.OWNED for price in book.prices)]
        return (owning or self.books)[0].idle_owned_ppm

    def _availability(self, pricing: Pricing, name: str, region: str) -> Availability:
        every = [one for book in self.books for one in reversed(book.availability)]
        for kind, where in ((name, region), (name, ""), ("", region), ("", "")):
            for one in every:
                if (one.pricing, one.instance_type, one.region) == (pricing, kind, where):
                    return one
        return Availability()

    def _egress(self, location: str, destination: str, region: str) -> int:
        data = self.workload.data
        if not data.origin or location == data.origin or (region and region == destination):
            return 0
        source = region or data.origin
        every = [one for book in self.books for one in reversed(book.egress)]
        for pair in ((source, destination), (source, ""), ("", destination), ("", "")):
            for one in every:
                if (one.source, one.destination) == pair:
                    minute, day = 60_000, 24 * 3_600_000
                    training, once = self.workload.training, 730 * 3_600_000
                    if training is not None:
                        once = max(training.schedule.run_ms or training.timeout_ms or day, minute)
                    micros, unit = (one.micros_per_gb, 10**9) if one.micros_per_gb else (one.micros_per_gib, 2**30)
                    moved = data.bytes_per_day * once + data.size_bytes * day
                    return min(_up(moved * micros, unit * 24 * once), 10**17)
        return 0

    def _uplift_ppm(self, jurisdiction: str) -> int:
        counted: dict[tuple[str, str], int] = {}
        for book in self.books:
            for one in reversed(book.uplifts):
                counted.setdefault((one.jurisdiction, one.data_class), one.ppm)
        classes = {"", *self.workload.data.classes}
        return sum(
            ppm
            for (law, data_class), ppm in counted.items()
            if not law or jurisdiction == law or jurisdiction in GROUPS.get(law, ())
            if data_class in classes or "unknown" in classes
        )


def _price_key(price: Price) -> tuple[str, str, str, str]:
    return price.instance_type, "" if price.instance_type else price.gpu_model, price.region, price.pricing.value


def _hourly(price: Price, count: int) -> int:
    """So many of what is priced for one hour, rounded up once."""
    if price.micros_per_hour:
        return price.micros_per_hour * count
    if price.micros_per_month:
        return _up(price.micros_per_month * count, 730)
    own = price.owned
    if own is None:
        return 0
    life = own.lifetime_hours or 1
    purchase = own.purchase_micros if own.lifetime_hours else 0
    power = own.watts * own.pue_milli * own.micros_per_kwh
    over_all = purchase * 1_000_000 * 730 + power * life * 730 + own.hosting_micros_per_month * 1_000_000 * life
    return _up(over_all * count, life * 1_000_000 * 730)


def _up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
