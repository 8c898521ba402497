"""Bid prices as conversations: when they are wanted, what is taken, and that what follows from them is replayed."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.commands import ApplyDeclarations, CordonSite, SetBidPrices, SiteAttached, SubmitWorkload
from broker.core.decide.pricing import LEAST_ASKS, MOST_WORTH, standing_units, wanted
from broker.core.demanded import Demanded, name_of_shape, shaped_as
from broker.core.freeze import freeze, thaw
from placement.pool.nouns import Ask, Shape
from tests.support.builders import GIB, job, rack
from tests.support.playbook import NOTHING, Playbook, like
from tidegate.model.errors import Refused
from tidegate.model.event import BidPricesSet, WorkloadSubmitted
from tidegate.model.quantity import Resources
from tidegate.model.session import Hello
from tidegate.model.site import Engine, GpuSharing, Offer
from tidegate.model.workload import Demand, Training

BIG = Offer("big", Resources(8, 40 * GIB, 64_000, 256 * GIB), 4, gpu_model="A100", gpu_sharing=GpuSharing.FRACTION)
SMALL = replace(BIG, name="small", resources=Resources(2, 40 * GIB, 32_000, 64 * GIB), count=6)
UNITS = {"64000/274877906944/8/A100": 4, "32000/68719476736/2/A100": 6}
CLASS = "1000/1073741824/1/0/"


def asking(name: str, gpus: int = 1, share: int = 0, cpus: int = 1_000):
    """A job of one worker on GPUs."""
    resources = Resources(0 if share else gpus, 10 * GIB if share else 0, cpus, GIB)
    return job(name, demand=Demand(resources, gpu_share_milli=share), training=Training("train.py"))


def pool(*offers: Offer) -> Playbook:
    """One joined site with a few GPU nodes."""
    play = Playbook()
    play.ask(ApplyDeclarations(1, (rack(engines=(Engine.RAY, Engine.PROCESS), offers=offers or (BIG, SMALL)),)))
    play.ask(SiteAttached(2, Hello("rack-de", "boot-1", 0, "127.0.0.1:9")))
    return play


def asked_often(play: Playbook, cpus: int = 1_000) -> Playbook:
    """As often as prices take; most of it finds no room."""
    for number in range(LEAST_ASKS + 16):
        play.ask(SubmitWorkload(3, asking(f"{cpus}-{number}", cpus=cpus)))
    return play


def test_prices_are_wanted_once_for_an_edition_and_again_when_it_or_the_gpus_have_changed():
    play = pool()
    assert wanted(play.state) is None, "nobody has asked for anything"
    question = wanted(asked_often(play).state)
    assert question.units == UNITS and list(question.mix) == [CLASS] and question.edition >= LEAST_ASKS
    play = (
        play
        >> SetBidPrices(9, question.edition, {CLASS: 10**6}, question.units)
        << like(BidPricesSet, edition=question.edition, worths={CLASS: 10**6}, units=UNITS)
    )
    assert wanted(play.state) is None
    play.ask(ApplyDeclarations(10, (rack(offers=(replace(BIG, count=5), SMALL)),)))
    assert wanted(play.state).units != UNITS, "8 of 44 GPUs came"
    play.ask(ApplyDeclarations(11, (rack(offers=(BIG, replace(SMALL, count=7))),)))
    assert wanted(play.state) is None, "2 of 44 are not much"
    assert wanted(asked_often(play, cpus=2_000).state).edition > question.edition
    assert play


def test_what_does_not_stand_is_not_priced():
    alone, bought = replace(BIG, count=1), replace(BIG, elastic=True)
    none, many = replace(BIG, resources=Resources()), replace(BIG, resources=Resources(16, 0, 1, 1))
    for offer in (alone, bought, none, many):
        assert wanted(asked_often(pool(offer)).state) is None
    play = pool()
    assert standing_units(play.state) == UNITS
    play.ask(CordonSite(3, "rack-de"))
    assert standing_units(play.state) == {}


def test_an_answer_is_taken_only_where_it_can_be_and_says_something():
    play = (
        pool()
        >> SetBidPrices(9, 70, {CLASS: 0}, UNITS)
        << NOTHING
        >> SetBidPrices(9, 70, {CLASS: -1}, UNITS)
        << Refused
        >> SetBidPrices(9, 70, {CLASS: MOST_WORTH + 1}, UNITS)
        << Refused
        >> SetBidPrices(9, 70, {"b": 2, CLASS: MOST_WORTH}, UNITS)
        << BidPricesSet
        >> SetBidPrices(10, 69, {CLASS: 1}, UNITS)
        << NOTHING
        >> SetBidPrices(10, 70, {CLASS: 1}, {})
        << BidPricesSet
    )
    assert play.state.demanded.prices.at == 10
    assert play


def test_the_next_copy_is_seated_by_the_prices():
    def seat_of_the_last(prices: dict[str, int]) -> int:
        play = pool()
        play.ask(SubmitWorkload(3, asking("a", 4, cpus=9_000)))
        play.ask(SubmitWorkload(4, asking("b", 1, cpus=9_000)))
        play.ask(SetBidPrices(5, 1, prices, UNITS))
        return play.ask(SubmitWorkload(6, asking("c", 4, cpus=9_000))).decision.seats[0].unit

    assert seat_of_the_last({}) == 0
    dear = {f"9000/{GIB}/1/0/": 3_000_000, f"9000/{GIB}/4/0/": 3_000_000}
    assert seat_of_the_last(dear) == 1, "the single GPUs beside the first are worth more than new ones"


def test_a_class_that_the_prices_do_not_know_is_worth_its_gpus():
    mix = Demanded().counted(asking("a", 2)).counted(asking("b", share=250)).counted(asking("c"))
    priced = mix.priced_by(BidPricesSet(1, 1, {CLASS: 7}))
    assert mix._worths is None
    assert priced._worths == {
        Ask(1_000, GIB, 2): 2_000_000,
        Ask(1_000, GIB, 1, 250): 250_000,
        Ask(1_000, GIB, 1): 7,
    }


def test_names_hold_what_a_shape_is():
    for shape in (Shape(1, 2, 3), Shape(1, 2, 8, "H/100")):
        assert shaped_as(name_of_shape(shape)) == shape


SUBMISSIONS = st.tuples(
    st.sampled_from([(1, 0), (1, 250), (1, 400), (2, 0), (4, 0)]), st.sampled_from([1_000, 6_000, 9_000])
)
PRICES = st.dictionaries(
    st.builds(
        lambda size, cpus: f"{cpus}/{GIB}/{size[0]}/{size[1]}/",
        st.sampled_from([(1, 0), (1, 250), (2, 0)]),
        st.sampled_from([1_000, 6_000]),
    ),
    st.integers(0, 4_000_000),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(SUBMISSIONS | PRICES, min_size=4, max_size=30))
def test_a_fleet_with_prices_is_replayed_and_restored_to_the_same_seats(steps):
    play, cut = pool(), len(steps) // 2
    for number, step in enumerate(steps):
        if isinstance(step, dict):
            play.ask(SetBidPrices(3, number, step, UNITS))
        else:
            (gpus, share), cpus = step
            play.ask(SubmitWorkload(3, asking(f"j{number}", gpus, share, cpus)))
        if number == cut:
            restored, since = thaw(freeze(play.state)), len(play.recorded)
    assert play, "the whole log, replayed from its bytes, gives the same bytes"
    other = Playbook()
    other.state = restored
    for number, step in enumerate(steps[cut + 1 :], cut + 1):
        if isinstance(step, dict):
            other.ask(SetBidPrices(3, number, step, UNITS))
        else:
            (gpus, share), cpus = step
            other.ask(SubmitWorkload(3, asking(f"j{number}", gpus, share, cpus)))
    assert [r.event for r in other.recorded] == [r.event for r in play.recorded[since:]], "and decides the same"
    assert freeze(other.state) == freeze(play.state)
    assert any(isinstance(r.event, WorkloadSubmitted) for r in play.recorded) or all(isinstance(s, dict) for s in steps)
