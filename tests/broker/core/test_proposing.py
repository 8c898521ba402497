"""Proposing plans: on a copy, each move as adopting it would decide it, and only what is worth its disruption."""

from dataclasses import replace

from broker.core.cold import Cold
from broker.core.commands import (
    AdoptPlan,
    ApplyDeclarations,
    CordonSite,
    ReportStatuses,
    SiteAttached,
    SiteSilent,
    SubmitWorkload,
)
from broker.core.decide.joint import jointly
from broker.core.decide.proposing import Wish, proposed
from broker.core.freeze import freeze, thaw
from broker.core.part import part, written
from broker.core.state import State
from placement.audit import auditor
from placement.batch.answer import answered
from tests.broker.core.test_conversations import at_work, fleet
from tests.support.builders import GIB, book, cloud, job, rack, service, stay_home
from tests.support.playbook import Playbook, like
from tidegate.model.assignment import Phase, Status
from tidegate.model.decision import Slot
from tidegate.model.event import PlanAdopted, WorkloadDecided
from tidegate.model.money import Price, PriceBook
from tidegate.model.plan import Goal, Manner, Plan, Stays
from tidegate.model.quantity import Resources
from tidegate.model.session import Hello
from tidegate.model.site import Engine, Offer, Pricing, Site

HOUR_MS = 3_600_000


def copy_of(state: State) -> State:
    """As the worker gets it."""
    return thaw(b"".join(written(part(state))))


def propose(play: Playbook, *goals: Goal, at: int = 20, **wish) -> Plan:
    """A plan made of a copy; the state itself is as it was."""
    before = freeze(play.state)
    plan = proposed(copy_of(play.state), Wish(goals or tuple(Goal), **wish), at, answered)
    assert freeze(play.state) == before
    return plan


def region(name: str, price: int, units: int = 10, **changes) -> Site:
    """A cloud region that runs services, on instances of a type of its own."""
    offer = Offer("vm", Resources(0, 0, 4_000, 16 * GIB), units, True, Pricing.ON_DEMAND, instance_type=f"vm-{name}")
    return cloud(name, region=name, location=name, engines=(Engine.PROCESS,), offers=(offer,), **changes)


def prices(**listed: int) -> PriceBook:
    """So many micros an hour for the instance type of each region."""
    return book(version=2, prices=tuple(Price(f"vm-{name}", micros) for name, micros in listed.items()))


def clouds(**listed: int) -> Playbook:
    """Regions at those prices, all attached, and the model that services serve."""
    play = fleet()
    sites = tuple(region(name, micros) for name, micros in listed.items())
    play.ask(ApplyDeclarations(4, (*sites, prices(**listed))))
    for site in sites:
        play.ask(SiteAttached(4, Hello(site.name, "boot-1", 0)))
    return play


def anywhere(name: str, **changes):
    """A service without a latency objective, too large for the plant."""
    big = replace(service().demand, resources=Resources(0, 0, 2_000, 9 * GIB))
    return service(name, **{"latency": None, "demand": big, **changes})


def test_what_got_cheaper_elsewhere_is_moved_and_the_plan_can_be_adopted():
    play = clouds(a=200_000, b=300_000)
    play.ask(CordonSite(4, "rack-de"))
    for name in ("one", "two"):
        play.ask(SubmitWorkload(5, anywhere(name)))
        at_work(play, play.state.find(name).id)
        assert play.state.find(name).sites == ("a",)
    assert propose(play).moves == ()
    play.ask(ApplyDeclarations(6, (replace(prices(a=200_000, b=100_000), version=3),)))
    plan = propose(play, Goal.CHEAPER)
    assert [(move.before[0].site, move.after[0].site) for move in plan.moves] == [("a", "b"), ("a", "b")]
    assert [move.gain_micros_per_hour for move in plan.moves] == [100_000, 100_000]
    assert (plan.cost_before_micros_per_hour, plan.cost_after_micros_per_hour) == (400_000, 200_000)
    assert plan.bound_micros_per_hour == 200_000 - 1 or plan.bound_micros_per_hour == 200_000
    assert all(move.disruption.manner is Manner.MAKE_BEFORE_BREAK for move in plan.moves)
    assert all(move.disruption.bytes_moved == 4_096 for move in plan.moves)
    play = play >> AdoptPlan(21, plan) << PlanAdopted
    assert play << like(WorkloadDecided, because="rebalance") << like(WorkloadDecided, because="rebalance")
    assert all(play.state.find(name).sites == ("b",) for name in ("one", "two"))
    assert propose(play).considered == 0, "what is on its way is not moved again"


def test_a_move_has_to_gain_more_than_it_costs_within_the_horizon():
    play = clouds(a=200_000, b=300_000)
    play.ask(CordonSite(4, "rack-de"))
    play.ask(SubmitWorkload(5, anywhere("one")))
    at_work(play, play.state.find("one").id)
    play.ask(ApplyDeclarations(6, (replace(prices(a=200_000, b=150_000), version=3),)))
    assert [stay.why for stay in propose(play, horizon_hours=2).staying] == [Stays.TOO_DEAR]
    assert len(propose(play, horizon_hours=4).moves) == 1
    play.ask(ApplyDeclarations(7, (replace(prices(a=200_000, b=199_000), version=4),)))
    assert propose(play, horizon_hours=8_760) == replace(propose(play, horizon_hours=8_760), moves=(), staying=())


def test_what_the_law_forbids_where_it_stands_is_moved_at_a_loss():
    play = clouds(a=200_000, b=300_000)
    play.ask(ApplyDeclarations(4, (replace(region("b", 300_000), jurisdiction="DE"),)))
    play.ask(CordonSite(4, "rack-de"))
    play.ask(SubmitWorkload(5, anywhere("one")))
    at_work(play, play.state.find("one").id)
    play.ask(ApplyDeclarations(6, (stay_home(),)))
    assert play.state.find("one").outlawed_by == ("plant/stays-home",)
    plan = propose(play, Goal.LEGAL)
    (move,) = plan.moves
    assert (move.goal, move.gain_micros_per_hour, move.outlawed_by) == (Goal.LEGAL, -100_000, ("plant/stays-home",))
    assert plan.bound_micros_per_hour <= plan.cost_before_micros_per_hour
    play.ask(AdoptPlan(21, plan))
    assert play.state.find("one").outlawed_by == ()
    assert play.state.find("one").sites == ("b",)


def test_what_lawfully_goes_nowhere_is_named():
    play = clouds(a=200_000)
    play.ask(CordonSite(4, "rack-de"))
    play.ask(SubmitWorkload(5, anywhere("one")))
    at_work(play, play.state.find("one").id)
    play.ask(ApplyDeclarations(6, (stay_home(jurisdiction="CH"),)))
    plan = propose(play, Goal.LEGAL)
    assert plan.moves == () and [(s.name, s.goal, s.why) for s in plan.staying] == [("one", Goal.LEGAL, Stays.NOWHERE)]


def test_what_needs_room_that_a_service_of_the_plan_still_holds_moves_in_a_later_wave():
    play = clouds(a=100_000, b=200_000, c=900_000)
    small = Offer("vm", Resources(0, 0, 4_000, 10 * GIB), 1, True, Pricing.ON_DEMAND, instance_type="vm-c")
    narrow = (region("a", 0, 1), region("b", 0, 1), replace(region("c", 0, 1), offers=(small,)))
    play.ask(ApplyDeclarations(4, narrow))
    play.ask(CordonSite(4, "rack-de"))
    large = replace(service().demand, resources=Resources(0, 0, 2_000, 12 * GIB))
    for workload in (anywhere("one"), anywhere("two", demand=large)):
        play.ask(SubmitWorkload(5, workload))
        at_work(play, play.state.find(workload.name).id)
    assert [play.state.find(name).sites for name in ("one", "two")] == [("a",), ("b",)]
    play.ask(ApplyDeclarations(6, (replace(prices(a=100_000, b=200_000, c=50_000), version=3),)))
    plan = propose(play, Goal.CHEAPER)
    assert [(move.name, move.after[0].site, move.wave) for move in plan.moves] == [("one", "c", 0), ("two", "a", 1)]
    assert plan.staying == () and plan.cost_after_micros_per_hour == 150_000 and plan.over_bound_ppm < 10
    adopted = play.ask(AdoptPlan(21, plan, "k"))
    assert [move.sites for move in adopted.moves] == [("c",), ()], "there is no room for the second one yet"
    at_work(play, play.state.find("one").id)
    let_go(play, "one", "a")
    adopted = play.ask(AdoptPlan(23, plan, "k"))
    assert [move.sites for move in adopted.moves] == [("c",), ("a",)]
    assert play.state.find("two").sites == ("a",)


def let_go(play: Playbook, name: str, site: str) -> None:
    """The old copy has stopped."""
    record = play.state.find(name)
    assert site not in record.sites
    if f"{record.id}@{site}" in play.state.fleet.holdings:
        generation = play.state.sites[site].generation
        play.ask(ReportStatuses(22, site, (Status(record.id, generation, Phase.CANCELLED, at=22),)))


def test_a_job_is_stopped_first_and_the_hours_it_has_run_are_paid_for():
    play = clouds(a=200_000, b=300_000)
    for name in ("a", "b"):
        known = play.state.sites[name].site
        play.ask(ApplyDeclarations(4, (replace(known, engines=(Engine.RAY,)),)))
    play.ask(CordonSite(4, "burst-us"))
    play.ask(SubmitWorkload(5, job()))
    assert play.state.find("train").sites == ("a",)
    at_work(play, play.state.find("train").id)
    play.ask(ApplyDeclarations(6, (replace(prices(a=200_000, b=100_000), version=3),)))
    soon, late = propose(play), propose(play, at=49 * HOUR_MS)
    assert [move.disruption.manner for move in soon.moves] == [Manner.STOP_FIRST]
    assert late.moves == () and [stay.why for stay in late.staying] == [Stays.TOO_DEAR]
    play.ask(AdoptPlan(21, soon))
    assert (play.state.find("train").sites, play.state.find("train").leaving) == (("b",), ())


def test_work_at_a_silent_site_is_left_alone():
    play = clouds(a=200_000, b=300_000)
    play.ask(CordonSite(4, "rack-de"))
    play.ask(SubmitWorkload(5, anywhere("one")))
    at_work(play, play.state.find("one").id)
    play.ask(ApplyDeclarations(6, (replace(prices(a=200_000, b=100_000), version=3),)))
    play.ask(SiteSilent(7, "a"))
    assert propose(play).considered == 0


def test_a_unit_with_little_on_it_is_emptied_onto_units_in_use():
    play = fleet()
    for name in ("hall-1", "hall-2"):
        play.ask(ApplyDeclarations(4, (rack(name, location=name),)))
        play.ask(SiteAttached(4, Hello(name, "boot-1", 0)))
    play.ask(CordonSite(4, "press-7"))
    play.ask(CordonSite(4, "rack-de"))
    play.ask(CordonSite(4, "hall-2"))
    for number in range(3):
        play.ask(SubmitWorkload(5, service(f"full-{number}", latency=None)))
    play.ask(CordonSite(5, "hall-2", lift=True))
    play.ask(CordonSite(5, "hall-1"))
    play.ask(SubmitWorkload(6, service("alone", latency=None)))
    play.ask(CordonSite(6, "hall-1", lift=True))
    for workload_id in tuple(play.state.workloads):
        at_work(play, workload_id)
    assert play.state.find("alone").sites == ("hall-2",)
    plan = propose(play, Goal.CONSOLIDATE)
    assert [(move.name, move.goal, move.after[0].site) for move in plan.moves] == [
        ("alone", Goal.CONSOLIDATE, "hall-1")
    ]
    assert (plan.units_before, plan.units_after) == (2, 1)
    play.ask(AdoptPlan(21, plan))
    assert play.state.find("alone").sites == ("hall-1",)


def test_planned_together_nobody_takes_the_room_that_another_needs():
    play = clouds(a=100_000, b=300_000)
    play.ask(ApplyDeclarations(4, (region("a", 100_000, units=1),)))
    play.ask(CordonSite(4, "rack-de"))
    tight = replace(service().demand, resources=Resources(0, 0, 3_000, 9 * GIB))
    loose = anywhere("loose", demand=tight)
    bound_to_a = anywhere("strict", demand=tight, max_cost_micros_per_hour=150_000)
    plan = jointly(copy_of(play.state), (loose, bound_to_a), 20, answered)
    assert {move.name: move.after for move in plan.moves} == {
        "loose": (Slot("b", "vm", 1),),
        "strict": (Slot("a", "vm", 1),),
    }
    assert plan.cost_before_micros_per_hour == 0, "one at a time the second would have been refused"
    assert (plan.cost_after_micros_per_hour, plan.staying) == (400_000, ())
    # Cut in pieces, a third of the loose one would still find room at the cheap place.
    assert 330_000 < plan.bound_micros_per_hour <= 333_333


def test_a_part_is_what_a_snapshot_holds_without_what_has_ended():
    play = clouds(a=200_000)
    play.ask(CordonSite(4, "rack-de"))
    play.ask(SubmitWorkload(5, anywhere("one")))
    play.ask(SubmitWorkload(5, anywhere("none", max_cost_micros_per_hour=1)))
    kept = copy_of(play.state)
    whole = replace(play.state, answers=Cold(), ended={})
    gone = list(play.state.ended)
    whole.workloads = Cold({key: record for key, record in play.state.workloads.items() if key not in gone})
    whole.names = {name: key for name, key in play.state.names.items() if key not in gone}
    assert len(gone) == 1 and freeze(kept) == freeze(whole)


def test_what_the_auditor_does_not_pass_is_in_no_plan(monkeypatch):
    play = clouds(a=200_000, b=300_000)
    play.ask(CordonSite(4, "rack-de"))
    play.ask(SubmitWorkload(5, anywhere("one")))
    at_work(play, play.state.find("one").id)
    play.ask(ApplyDeclarations(6, (replace(prices(a=200_000, b=100_000), version=3),)))
    assert len(propose(play, Goal.CHEAPER).moves) == 1
    together = jointly(copy_of(play.state), (anywhere("two"),), 20, answered)
    assert [move.name for move in together.moves] == ["two"]

    def disagrees(*args, **kwargs) -> tuple[str, ...]:
        return ("no",)

    monkeypatch.setattr(auditor, "audit", disagrees)
    assert propose(play, Goal.CHEAPER).moves == ()
    together = jointly(copy_of(play.state), (anywhere("two"),), 20, answered)
    assert together.moves == () and [(one.name, one.why) for one in together.staying] == [("two", Stays.NOWHERE)]
