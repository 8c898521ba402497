"""Work that is spread over more sites than will do."""

from dataclasses import replace

from placement.audit.auditor import audit
from placement.law.law import Law
from tests.placement.places import GIB, HALL, decided, fleet, service
from tidegate.model.decision import Outcome
from tidegate.model.money import Price, PriceBook, Team
from tidegate.model.quantity import Resources
from tidegate.model.site import Offer, Pricing, Site
from tidegate.model.workload import Spread, Workload

LAW = Law((), PriceBook("b", 1, prices=(Price("node", 100_000, pricing=Pricing.RESERVED),)))


def halls(count: int) -> list[Site]:
    node = Offer("node", Resources(0, 0, 8_000, 16 * GIB), pricing=Pricing.RESERVED)
    return [replace(HALL, name=f"h{number}", offers=(node,)) for number in range(count)]


def told(work: Workload, sites: int, law: Law = LAW) -> list[tuple[str, str]]:
    """The sites and the changes."""
    places = fleet(*halls(sites))
    decision = decided(work, places, law)
    assert decision.outcome is Outcome.REFUSED
    assert audit(work, decision, places, law) == ()
    return [(one.site, f"{c.field} {c.before} -> {c.after}") for one in decision.relaxations for c in one.changes]


def test_as_many_copies_as_there_are_sites_or_all_at_one() -> None:
    work = service(copies=9, spread=Spread.SITE, cpus_milli=500)
    assert told(work, 3) == [("h0", "replicas.spread site -> none"), ("h0, h1, h2", "replicas.min 9 -> 3")]


def test_each_site_is_held_to_its_share_of_the_ceiling() -> None:
    """Each was too dear for a third of it, so that no site was left to be counted and nothing was proposed."""
    work = replace(service(copies=3, spread=Spread.SITE, cpus_milli=8_000), max_cost_micros_per_hour=250_000)
    assert told(work, 3) == [("h0, h1", "replicas.min 3 -> 2")]


def test_where_teams_lend_fewer_copies_are_tried_one_by_one() -> None:
    """One CPU is within what `lab` is guaranteed, all of which `press` keeps; two are beyond it, and are borrowed."""
    teams = (
        Team("lab", guaranteed=Resources(cpus_milli=1_000)),
        Team("vision", parent="lab"),
        Team("press", guaranteed=Resources(cpus_milli=1_000), parent="lab", lends_nothing=True),
    )
    work = replace(service(copies=3, spread=Spread.SITE), team="vision")
    assert ("h0, h1", "replicas.min 3 -> 2") in told(work, 2, replace(LAW, teams=teams))
