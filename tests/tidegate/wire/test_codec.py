"""Every noun travels and comes back equal; every message mirrors its noun."""

import dataclasses
import typing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.model.assignment import Phase, Status
from tidegate.model.decision import Decision, MonthlyRange
from tidegate.model.errors import Refused
from tidegate.model.event import Event, SiteLost, WorkloadSubmitted
from tidegate.model.money import PriceBook, Team
from tidegate.model.quantity import Resources
from tidegate.model.session import AgentSays, BrokerSays
from tidegate.model.workload import Data, Demand, Workload, WorkloadKind
from tidegate.v1 import decision_pb2, event_pb2, money_pb2, workload_pb2
from tidegate.wire import codec

WHOLE = st.integers(min_value=-(2**63), max_value=2**63 - 1)


def strategy(hint):
    """Values of a field's type, within what the wire can carry."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is int:
        return WHOLE
    if hint is str:
        return st.text(max_size=5)
    if hint in codec.UNIONS:
        return st.one_of([nouns(member) for member in arguments])
    if origin is tuple:
        return st.lists(strategy(arguments[0]), max_size=2).map(tuple)
    if origin is dict:
        return st.dictionaries(st.text(max_size=3), strategy(arguments[1]), max_size=2)
    if type(None) in arguments:
        return st.none() | strategy(arguments[0])
    if dataclasses.is_dataclass(hint):
        return nouns(hint)
    return st.from_type(hint)


def nouns(noun_type):
    """Any value of a noun."""
    hints = typing.get_type_hints(noun_type)
    return st.deferred(
        lambda: st.builds(
            noun_type, **{field.name: strategy(hints[field.name]) for field in dataclasses.fields(noun_type)}
        )
    )


@pytest.mark.parametrize("noun_type", codec.MESSAGES, ids=lambda noun_type: noun_type.__name__)
def test_a_message_mirrors_its_noun(noun_type):
    fields = [field.name for field in dataclasses.fields(noun_type)]
    assert [field.name for field in codec.MESSAGES[noun_type].DESCRIPTOR.fields] == fields


@pytest.mark.parametrize("union", codec.UNIONS, ids=["Event", "AgentSays", "BrokerSays"])
def test_a_union_has_a_place_for_each_member(union):
    message = codec.UNIONS[union]
    named = {field.message_type.name for field in message.DESCRIPTOR.oneofs_by_name["kind"].fields}
    assert named == {member.__name__ for member in typing.get_args(union)}


@given(st.one_of([nouns(member) for member in typing.get_args(Event)]))
@settings(max_examples=60, deadline=None)
def test_an_event_comes_back_equal(happened):
    assert codec.decode_event(codec.encode_event(happened)) == happened


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_what_agent_and_broker_say_comes_back_equal(data):
    for union in (AgentSays, BrokerSays):
        said = data.draw(strategy(union))
        assert codec.union_from_message(union, codec.union_to_message(union, said)) == said


def test_a_missing_part_is_named_by_its_path():
    message = event_pb2.Event(
        workload_submitted=event_pb2.WorkloadSubmitted(workload=workload_pb2.Workload(name="a", kind=1))
    )
    with pytest.raises(Refused) as refused:
        codec.decode_event(message.SerializeToString())
    assert refused.value.field == "workload_submitted.workload.demand"


def test_an_unspecified_enum_is_refused():
    with pytest.raises(Refused, match="kind"):
        codec.from_message(Workload, workload_pb2.Workload(name="a", demand=workload_pb2.Demand(resources={})))


def test_an_empty_union_is_refused():
    with pytest.raises(Refused, match="says nothing"):
        codec.decode_event(b"")


def test_rubbish_is_refused():
    with pytest.raises(Refused, match="not a Event"):
        codec.decode_event(b"\xff\xff\xff")


def test_nothing_said_about_data_is_the_strictest_class():
    assert codec.from_message(Data, workload_pb2.Data()).classes == ("unknown",)


def test_equal_nouns_have_equal_bytes():
    workload = Workload("a", WorkloadKind.INFERENCE_SERVICE, Demand(Resources()), labels={"b": "1", "a": "2"})
    turned = dataclasses.replace(workload, labels={"a": "2", "b": "1"})
    assert codec.encode(workload) == codec.encode(turned)
    assert codec.encode_event(WorkloadSubmitted(1, workload)) == codec.encode_event(WorkloadSubmitted(1, turned))
    assert codec.encode_event(SiteLost(1, "a")) != codec.encode_event(SiteLost(1, "b"))


def test_what_is_named_comes_in_the_order_of_names_in_every_process():
    """A map on the wire has the order of its hashes, and the state keeps the order in which it hears of things."""
    names = [f"label-{number}" for number in range(40)]
    team = codec.decode(Team, codec.encode(Team("a", labels=dict.fromkeys(reversed(names), "x"))))
    assert list(team.labels) == sorted(names)


def test_a_price_book_of_before_reads_as_it_did():
    """Written when a price was an amount by the hour and egress was by the GiB: fields were only added since."""
    book = money_pb2.PriceBook(
        name="list",
        version=1,
        prices=[money_pb2.Price(instance_type="m5", micros_per_hour=7, pricing=2)],
        egress=[money_pb2.EgressPrice(source="a", destination="", micros_per_gib=9)],
        uplifts=[money_pb2.Uplift(jurisdiction="EEA", ppm=5)],
    )
    read = codec.from_message(PriceBook, book)
    assert read.prices[0].hourly == 7 and read.prices[0].owned is None
    assert read.egress[0].per_bytes == (9, 2**30)
    assert (read.availability, read.apis, read.precedence, read.uplifts[0].data_class) == ((), (), 0, "")


def test_a_decision_of_before_has_no_month():
    assert codec.from_message(Decision, decision_pb2.Decision(outcome=1)).monthly == MonthlyRange()


def test_a_map_comes_back_in_the_order_of_its_keys():
    told = {f"k{number * 7 % 40}": str(number) for number in range(40)}
    status = Status("w1", 1, Phase.RUNNING, metrics=told)
    assert [*codec.decode(Status, codec.encode(status)).metrics] == sorted(told)
