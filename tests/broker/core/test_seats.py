"""Seats as conversations: what the site is told, what stays where it is, and what an old log means without them."""

from dataclasses import replace

from broker.core.commands import ApplyDeclarations, CancelWorkload, RegisterModel, SiteAttached, SubmitWorkload
from broker.core.state import State
from tests.support.builders import GIB, book, model, press, service
from tests.support.playbook import Playbook
from tidegate.model.decision import Seat
from tidegate.model.errors import Refused
from tidegate.model.event import WorkloadDecided
from tidegate.model.quantity import Resources
from tidegate.model.session import Hello
from tidegate.model.site import GpuSharing, MigInstance, Offer
from tidegate.model.workload import Demand

DIVIDED = Offer(
    "box", Resources(1, 40 * GIB, 64_000, 256 * GIB), gpu_model="A100", gpu_sharing=GpuSharing.MIG, device_class="gpu"
)


def fleet(offer: Offer = DIVIDED) -> Playbook:
    """A press with one GPU that divides."""
    play = Playbook()
    play.ask(ApplyDeclarations(1, (press(offers=(offer,)), book())))
    play.ask(RegisterModel(2, model()))
    play.ask(SiteAttached(2, Hello("press-7", "b", 0)))
    return play


def sliced(name: str, profile: str = "1g.5gb"):
    """A service on one MIG instance."""
    return replace(service(name), demand=Demand(Resources(0, 0, 500, GIB), mig_profile=profile))


def told(play: Playbook, workload_id: str) -> tuple[Seat, ...]:
    """The seats that the site was told."""
    return play.state.sites["press-7"].desired[workload_id].seats


def test_a_site_is_told_the_seats_that_were_decided():
    play = fleet()
    first = play.ask(SubmitWorkload(3, sliced("a"))).workload_id
    second = play.ask(SubmitWorkload(4, sliced("b", "4g.20gb"))).workload_id
    assert (told(play, first), told(play, second)) == ((Seat(0, (0,), 6),), (Seat(0, (0,), 0),))
    play.ask(CancelWorkload(5, first))
    assert f"{first}@press-7" not in play.state.fleet.holdings
    third = play.ask(SubmitWorkload(6, sliced("c", "3g.20gb"))).workload_id
    assert told(play, third) == (Seat(0, (0,), 4),)
    assert play


def test_what_an_agent_finds_standing_is_what_there_is_to_give():
    play = fleet()
    found = replace(DIVIDED, mig_layout=(MigInstance(0, "1g.5gb", 2),))
    play.ask(SiteAttached(3, Hello("press-7", "b2", 0, offers=(found,))))
    first = play.ask(SubmitWorkload(4, sliced("a"))).workload_id
    assert told(play, first) == (Seat(0, (0,), 2),)
    rejected = play.ask(SubmitWorkload(5, sliced("b")))
    assert "press-7" not in play.state.workloads[rejected.workload_id].sites
    assert play


def test_a_log_from_before_seats_folds_first_fit():
    play = fleet(replace(DIVIDED, resources=Resources(2, 40 * GIB, 64_000, 256 * GIB), gpu_sharing=GpuSharing.NONE))
    for name in ("a", "b"):
        play.ask(SubmitWorkload(3, replace(service(name), demand=Demand(Resources(1, 0, 500, GIB)))))
    old = State()
    for recorded in play.recorded:
        event = recorded.event
        if isinstance(event, WorkloadDecided):
            event = replace(event, decision=replace(event.decision, seats=()))
        old.apply(replace(recorded, event=event))
    held = [copy.gpus for holding in old.fleet.holdings.values() for copy in holding.copies]
    assert sorted(held) == [(0,), (1,)]
    assert all(not one.seats for one in old.sites["press-7"].desired.values())


def test_an_agent_that_claims_gpus_without_end_harms_only_itself():
    endless = replace(DIVIDED, resources=replace(DIVIDED.resources, gpus=10**9))
    crowded = replace(DIVIDED, mig_layout=(MigInstance(0, "1g.5gb", 0),) * 9)
    play = (
        fleet()
        >> SiteAttached(3, Hello("press-7", "b", 0, offers=(endless,)))
        << Refused
        >> SiteAttached(3, Hello("press-7", "b", 0, offers=(crowded,)))
        << Refused
    )
    nonsense = replace(DIVIDED, mig_layout=(MigInstance(-1, "1g.5gb", 0), MigInstance(7, "x", 99)))
    play.ask(SiteAttached(4, Hello("press-7", "b", 0, offers=(nonsense,))))
    assert told(play, play.ask(SubmitWorkload(5, sliced("a"))).workload_id) == (Seat(0, (0,), 6),)
    assert play
