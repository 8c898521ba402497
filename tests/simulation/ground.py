"""What is declared before anybody asks for anything: sites of three shapes, prices, teams."""

from dataclasses import replace
from random import Random

from tests.simulation.swarm import Settings
from tests.support.builders import GIB, book, cloud, press, rack
from tidegate.model.money import Price, PriceBook, Team
from tidegate.model.quantity import Resources
from tidegate.model.site import Engine, GpuSharing, Offer, Pricing, Site

TEAMS = ("vision", "press")


def declarations(settings: Settings) -> tuple[Site | Team | PriceBook, ...]:
    """Everything, in one go."""
    sites = tuple(declared(settings, number) for number in range(len(settings.sites)))
    teams: tuple[Team, ...] = ()
    if "teams" in settings.habits:
        teams = (Team("vision", guaranteed=Resources(cpus_milli=6_000)), Team("press", borrowing=True))
    random = Random(f"ground/{settings.seed}")
    first = book(prices=prices(random)) if {"prices", "plans"} & set(settings.habits) else book()
    return (*sites, first, *teams)


def prices(random: Random) -> tuple[Price, ...]:
    """What the places cost, each of them something else, so that some are better than others."""
    owned = tuple(Price(kind, random.randint(1, 500_000), pricing=Pricing.OWNED) for kind in ("node", "box", "gpus"))
    return (Price("m5", random.randint(1, 500_000)), *owned[: random.randint(0, 3)])


def location(number: int) -> str:
    """Every second site stands where the requests come from."""
    return "plant" if number % 2 == 0 else f"site-{number}"


def declared(settings: Settings, number: int) -> Site:
    """The site as it is declared at first."""
    shapes = (press, rack, cloud)
    both = (Engine.PROCESS, Engine.RAY)
    site = shapes[number % 3](settings.sites[number], engines=both, location=location(number))
    offers = tuple(_scarce(offer) for offer in site.offers) if "tight" in settings.habits else site.offers
    if "gpus" in settings.habits:
        offers = (*offers, _with_gpus(number))
    return replace(site, offers=offers)


def _scarce(offer: Offer) -> Offer:
    return replace(offer, count=min(offer.count, 2) if offer.elastic else 1)


def _with_gpus(number: int) -> Offer:
    return Offer(
        "gpus",
        Resources(2, 16 * GIB, 8_000, 32 * GIB),
        count=1 + number % 2,
        pricing=Pricing.OWNED,
        gpu_model="l4",
        device_class="gpu-l4",
        gpu_sharing=GpuSharing.TIME_SLICING,
    )
