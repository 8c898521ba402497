"""Decisions on a small fleet, with the recorded answer of each."""

from dataclasses import replace

import pytest

from placement.audit.auditor import audit
from placement.engine import would_be_cheaper
from placement.fleet.fleet import Fleet
from placement.law.law import Law
from tests.placement.places import BOOK, CLOUD, GIB, HALL, LAW, PRESS, decided, fleet, job, misses, service
from tidegate.model.decision import Change, Outcome, Slot
from tidegate.model.errors import Refused
from tidegate.model.site import Reach, Tier
from tidegate.model.workload import Data, Latency, Prefer, Spread


def test_inference_stays_near_because_an_answer_must_come_soon() -> None:
    decision = decided(service(p99_us=50_000))
    assert decision.slots == (Slot("press-7", "device", 1),)
    miss = misses(decision, "us-east-1")["latency"]
    assert (miss.wanted_number, miss.found_number) == (50_000, 95_000)


def test_inference_stays_near_because_data_is_dear_to_move() -> None:
    work = replace(service(), data=Data(("public",), origin="plant", bytes_per_day=40 * GIB))
    decision = decided(work)
    assert [one.site for one in decision.ranked] == ["press-7", "hall", "us-east-1"]
    assert decision.ranked[-1].cost.egress == 40 * 90_000 // 24


def test_training_goes_where_ray_is_and_to_the_cheapest_offer() -> None:
    decision = decided(job(workers=4, gpus=1))
    assert decision.slots == (Slot("us-east-1", "g5", 4),)
    assert decision.cost.compute == 4 * 400_000
    assert set(misses(decision, "hall")) == {"engine"}


def test_workers_share_what_is_bought_by_the_whole_unit() -> None:
    assert decided(job(workers=8)).cost.compute == 340_000
    assert decided(job(workers=9)).cost.compute == 2 * 340_000


def test_owned_capacity_costs_a_share_of_the_share_it_takes() -> None:
    assert decided(service(), fleet(PRESS)).cost.idle == 100_000 * 5 // 100 // 4


def test_a_gang_is_placed_whole_or_not_at_all() -> None:
    decision = decided(job(workers=11, gpus=1))
    assert decision.outcome is Outcome.REFUSED
    assert misses(decision, "us-east-1")["copies"].found_number == 10
    assert decision.relaxations[0].changes == (Change("training.workers", "11", "10"),)


def test_one_site_may_need_several_offers() -> None:
    decision = decided(job(workers=81))
    assert decision.slots == (Slot("us-east-1", "c6", 80), Slot("us-east-1", "g5", 1))


def test_replicas_stand_on_different_nodes() -> None:
    decision = decided(service(copies=2, spread=Spread.NODE), fleet(PRESS, HALL))
    assert decision.slots == (Slot("hall", "node", 2),)
    assert misses(decision, "press-7")["spread"].found_number == 1


def test_replicas_stand_in_different_zones() -> None:
    decision = decided(service(copies=2, spread=Spread.ZONE))
    assert decision.slots == (Slot("us-east-1", "c6", 1), Slot("us-east-1", "g5", 1))


def test_replicas_stand_at_different_sites() -> None:
    decision = decided(service(copies=2, spread=Spread.SITE))
    assert decision.sites == ("press-7", "hall")
    refused = decided(service(copies=4, spread=Spread.SITE))
    assert refused.outcome is Outcome.REFUSED
    assert misses(refused, "hall")["spread"].found_number == 3


def test_gpu_memory_does_not_pool_across_devices() -> None:
    decision = decided(service(gpus=1, gpu_memory_bytes=24 * GIB), fleet(HALL))
    assert misses(decision, "hall")["gpu-memory"].found_number == 20 * GIB
    assert decision.relaxations[0].changes == (Change("demand.gpuMemory", "24Gi", "20Gi"),)


def test_a_place_without_gpus_will_do_where_the_workload_says_so() -> None:
    work = service(gpus=1)
    work = replace(work, demand=replace(work.demand, cpu_fallback=True))
    assert decided(work, fleet(PRESS)).outcome is Outcome.PLACED
    assert decided(work, fleet(HALL)).ranked[0].score.fragmentation == 1_000


def test_a_measured_round_trip_outranks_the_declared_one_and_says_when() -> None:
    places = fleet(HALL)
    places.put_link("plant", "hall", 61_000, 777)
    miss = misses(decided(service(p99_us=50_000), places), "hall")["latency"]
    assert (miss.found_number, miss.measured_at, miss.offer) == (61_000, 777, "node")


def test_a_measured_service_time_counts_on_its_class_of_device_alone() -> None:
    places = fleet(PRESS, HALL)
    places.put_service_time("abc", "cpu", 60_000, 1)
    decision = decided(service(p99_us=50_000), places, model_digest="abc")
    assert decision.sites == ("hall",)


def test_a_round_trip_that_nobody_knows_is_a_no() -> None:
    decision = decided(service(p99_us=50_000), fleet(replace(HALL, reach=(Reach("elsewhere", 1),))))
    assert misses(decision, "hall")["latency"].found == ("unknown",)
    assert decision.relaxations == ()


def test_a_stranger_class_of_data_is_the_strictest() -> None:
    decision = decided(replace(service(), data=Data()))
    assert set(misses(decision, "us-east-1")) == {"gdpr/residency"}


def test_a_leaning_outweighs_money_but_no_rule() -> None:
    lean = Prefer(tiers=(Tier.CLOUD,))
    assert decided(replace(service(), prefer=lean)).sites == ("us-east-1",)
    assert decided(replace(service(p99_us=50_000), prefer=lean)).sites == ("press-7",)


def test_a_ceiling_on_cost_needs_a_price() -> None:
    work = replace(job(gpus=1), max_cost_micros_per_hour=500_000)
    assert decided(work).outcome is Outcome.PLACED
    assert misses(decided(work, law=replace(LAW, price_book=None)), "us-east-1")["max-cost"].found == ("unknown",)
    dear = decided(replace(work, max_cost_micros_per_hour=1))
    assert dear.relaxations[0].changes == (Change("maxCost", "0.000001", "0.4"),)


def test_what_the_law_costs_is_told() -> None:
    dear = replace(BOOK, idle_owned_ppm=1_000_000)
    places = fleet(replace(PRESS, offers=HALL.offers), CLOUD)
    decision = decided(replace(service(gpus=2), data=Data(("pii",))), places, replace(LAW, price_book=dear))
    assert decision.rule_prices == ()
    decision = decided(replace(service(gpus=1), data=Data(("pii",))), places, replace(LAW, price_book=dear))
    (price,) = decision.rule_prices
    assert (price.rule, price.cheaper_site, price.micros_per_hour) == ("gdpr/residency", "us-east-1", 600_000)


def test_what_would_satisfy_the_law_is_proposed_and_never_its_breach() -> None:
    work = replace(job(), data=Data(("pii",)))
    decision = decided(work, fleet(CLOUD))
    assert decision.relaxations[0].changes == (Change("site.agreements", "", "scc"),)
    only_home = replace(LAW.policies[0].rules[0], require_any=LAW.policies[0].rules[0].require_any[:1])
    law = replace(LAW, policies=(replace(LAW.policies[0], rules=(only_home,)),))
    assert decided(work, fleet(CLOUD), law).relaxations[0].changes == (
        Change("data.deidentified", "false", "true"),
        Change("data.attestation", "", "required"),
    )


def test_a_proposed_change_really_fits() -> None:
    work = service(p99_us=50_000, gpus=1, gpu_memory_bytes=24 * GIB)
    refused = decided(work)
    assert refused.outcome is Outcome.REFUSED
    (first, *_) = refused.relaxations
    assert (first.site, first.changes) == ("hall", (Change("demand.gpuMemory", "24Gi", "20Gi"),))
    again = decided(service(p99_us=50_000, gpus=1, gpu_memory_bytes=20 * GIB))
    assert again.sites == ("hall",)
    assert again.cost.total == first.cost_micros_per_hour


def test_excluded_cordoned_and_unreachable_places_get_nothing_new() -> None:
    places = fleet(PRESS)
    places.put_site(HALL, reachable=False, cordoned=True)
    decision = decided(service(), places, exclude=frozenset({"press-7", "nowhere"}))
    assert misses(decision, "press-7")["available"].found == ("excluded",)
    assert misses(decision, "hall")["available"].found == ("unreachable", "cordoned")
    assert audit(service(), decision, places, LAW, exclude=frozenset({"press-7", "nowhere"})) == ()
    assert "among: not who the caller asked about" in audit(service(), decision, places, LAW)
    assert audit(service(), replace(decision, among=b""), places, LAW, exclude=frozenset({"press-7"}))


def test_nothing_fits_an_empty_fleet_and_that_is_a_decision() -> None:
    decision = decided(service(), Fleet())
    assert (decision.outcome, decision.candidates) == (Outcome.REFUSED, ())


def test_each_step_is_watched_in_order() -> None:
    steps: list[str] = []
    decided(service(), watch=lambda step, counts: steps.append(step))
    assert steps == ["admit", "law", "reach", "fit", "price", "choose", "explain"]


def test_a_workload_that_makes_no_sense_is_refused_by_field() -> None:
    with pytest.raises(Refused) as refused:
        decided(job(workers=0))
    assert refused.value.field == "training.workers"


def test_without_origins_only_the_service_time_counts() -> None:
    work = replace(service(), latency=Latency(10_000, (), service_time_us=11_000))
    assert all(miss.rule == "latency" for miss in decided(work).misses)


def test_what_would_be_cheaper_was_tried_and_is() -> None:
    work = service(p99_us=50_000)
    placed = decided(work)
    (first, *_) = would_be_cheaper(work, fleet(), LAW, replace(placed.cost, compute=placed.cost.compute + 10**9), now=5)
    assert first.cost_micros_per_hour < placed.cost.total + 10**9
    assert first.site not in placed.sites


def test_work_spread_over_more_sites_than_there_are_may_give_way_in_their_number_or_stand_at_one() -> None:
    work = service(copies=3, spread=Spread.SITE)
    places = fleet(PRESS, HALL)
    refused = decided(work, places, law=Law())
    assert refused.outcome is Outcome.REFUSED
    changes = {one.changes[0].field: one for one in refused.relaxations}
    assert changes["replicas.min"].changes == (Change("replicas.min", "3", "2"),)
    fewer = decided(service(copies=2, spread=Spread.SITE), places, law=Law())
    assert fewer.cost.total == changes["replicas.min"].cost_micros_per_hour
    assert ", ".join(sorted(fewer.sites)) == changes["replicas.min"].site
