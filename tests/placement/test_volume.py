"""What travels to and from a site, against its uplink: the whole of it, and what is left of it."""

from dataclasses import replace

import numpy as np

from edge.serving.prediction import Call, ModelIdentity, Origin, predictions_payload, spans_payload
from edge.serving.trace import SpanContext
from placement.fleet.facts import Carried
from placement.rules.volume import carried
from tests.placement.places import GIB, HALL, PRESS, decided, fleet, misses, service
from tidegate.model.decision import Change, Kind, Outcome
from tidegate.model.workload import RECORD_BYTES, SPAN_BYTES, Audit, Data, Workload
from tidegate.wire.tensors import Tensor

NARROW = replace(HALL, uplink_bytes_per_day=100 * GIB)


def sending(gib: int, requests: int = 0, audit: Audit = Audit.SAMPLED) -> Workload:
    work = service()
    assert work.inference is not None
    asked = replace(work.inference, requests_per_day=requests, audit=audit)
    return replace(work, data=Data(("public",), origin="plant", bytes_per_day=gib * GIB), inference=asked)


def test_what_stands_there_leaves_less_of_the_link_until_it_goes() -> None:
    places = fleet(NARROW)
    held = places.take("w1", (), sending(70).demand, carried=(Carried("hall", 70 * GIB),))
    miss = misses(decided(sending(40), places), "hall")["volume-free"]
    assert (miss.wanted_number, miss.found_number) == (40 * GIB, 30 * GIB)
    assert decided(sending(30), places).outcome is Outcome.PLACED
    places.release("w1")
    assert decided(sending(40), places).outcome is Outcome.PLACED
    places.restore(held)
    assert decided(sending(40), places).outcome is Outcome.REFUSED


def test_where_the_whole_link_is_too_narrow_that_alone_is_said_and_no_waiting_would_help() -> None:
    places = fleet(NARROW)
    places.take("w1", (), sending(70).demand, carried=(Carried("hall", 70 * GIB),))
    decision = decided(sending(101), places)
    assert set(misses(decision, "hall")) == {"volume"}
    kinds = {column.rule: column.kind for column in decision.columns}
    assert (kinds["volume"], kinds["volume-free"]) == (Kind.REACH, Kind.CAPACITY)


def test_telemetry_travels_even_where_the_data_does_not() -> None:
    work = sending(10, 1_000_000, Audit.EVERY_PREDICTION)
    assert carried(work, PRESS) == 1_000_000 * (SPAN_BYTES + RECORD_BYTES)
    assert carried(work, HALL) == 10 * GIB + carried(work, PRESS)
    assert carried(replace(work, inference=None), PRESS) == 0
    tight = fleet(replace(PRESS, uplink_bytes_per_day=10**9))
    miss = misses(decided(work, tight), "press-7")["volume"]
    assert (miss.wanted_number, miss.found_number) == (1_000_000 * (SPAN_BYTES + RECORD_BYTES), 10**9)


def test_a_limit_that_is_declared_later_finds_what_is_sent_already() -> None:
    places = fleet(HALL)
    places.take("w1", (), sending(70).demand, carried=(Carried("hall", 70 * GIB),))
    assert decided(sending(40), places).outcome is Outcome.PLACED
    places.put_site(NARROW, reachable=True, cordoned=False)
    assert set(misses(decided(sending(40), places), "hall")) == {"volume-free"}


def test_less_data_is_proposed_and_telemetry_keeps_its_part() -> None:
    places = fleet(replace(HALL, uplink_bytes_per_day=50 * GIB))
    places.take("w1", (), sending(1).demand, carried=(Carried("hall", 20 * GIB),))
    work = sending(40, 1)
    (relaxation,) = decided(work, places).relaxations
    assert relaxation.changes == (Change("data.bytesPerDay", "40Gi", str(30 * GIB - SPAN_BYTES)),)


def test_a_prediction_s_telemetry_takes_no_more_than_is_counted() -> None:
    name = "line-camera-inspection-leipzig"
    model = ModelIdentity(name, "12", "ab" * 32, 123_456, SpanContext(b"1" * 16, b"2" * 8))
    outputs = (Tensor("label", np.array([3])), Tensor("probabilities", np.zeros((1, 10), np.float32)))
    inputs = (Tensor("image", np.zeros((1, 64), np.float32)),)
    span, parent = SpanContext(b"1" * 16, b"2" * 8), SpanContext(b"1" * 16, b"3" * 8)
    call = Call(model, name, "r" * 36, span, parent, 10**18, 10**7, 10**6, 10**6, "http", "", True, inputs, outputs)
    assert len(spans_payload(Origin("press-line-7", name), [call])) <= SPAN_BYTES
    assert len(predictions_payload(Origin("press-line-7", name), [call])) <= RECORD_BYTES
