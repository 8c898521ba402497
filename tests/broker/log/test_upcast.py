"""Old rows are read by steps; rows from the future stop the reader. The kinds here are made up."""

import json

import pytest

from broker.log.upcast import Upcasts, Written
from tidegate.model.errors import Broken


def press_started_1(payload: bytes) -> Written:
    """Version 1 told the time in seconds."""
    told = json.loads(payload)
    return "PressStarted", 2, json.dumps({"at_ms": told["seconds"] * 1000}).encode()


def press_started_2(payload: bytes) -> Written:
    """Version 3 is called something else, and starts at 1 there."""
    return "MachineStarted", 1, payload.replace(b"at_ms", b"at")


STEPS = {("PressStarted", 1): press_started_1, ("PressStarted", 2): press_started_2}
upcasts = Upcasts({"MachineStarted": 1, "MachineStopped": 1}, STEPS)


def test_a_current_row_is_read_as_it_is() -> None:
    assert upcasts.read("MachineStopped", 1, b"as written") == ("MachineStopped", b"as written")


def test_an_old_row_climbs_every_step() -> None:
    assert upcasts.read("PressStarted", 1, b'{"seconds": 7}') == ("MachineStarted", b'{"at": 7000}')
    assert upcasts.read("PressStarted", 2, b'{"at_ms": 7}') == ("MachineStarted", b'{"at": 7}')


def test_a_row_from_newer_code_stops_the_reader() -> None:
    with pytest.raises(Broken, match=r"MachineStopped@2: the log was written by newer code"):
        upcasts.read("MachineStopped", 2, b"")


def test_a_row_of_a_kind_never_known_stops_the_reader() -> None:
    with pytest.raises(Broken, match=r"PressExploded@1: the log holds a kind"):
        upcasts.read("PressExploded", 1, b"")


def test_an_old_row_that_is_not_one_stops_the_reader() -> None:
    with pytest.raises(Broken, match=r"PressStarted@1: an old event cannot be read"):
        upcasts.read("PressStarted", 1, b"not json")


def test_a_table_with_a_version_left_out_is_found_when_it_is_made() -> None:
    with pytest.raises(Broken, match=r"MachineStopped@1: old events could not be read"):
        Upcasts({"MachineStopped": 2}, {})


def test_a_step_from_the_current_version_is_found_when_the_table_is_made() -> None:
    with pytest.raises(Broken, match="current or newer"):
        Upcasts({"PressStarted": 1}, {("PressStarted", 1): press_started_1})


def test_steps_in_a_circle_end() -> None:
    steps = {("A", 1): lambda payload: ("B", 1, payload), ("B", 1): lambda payload: ("A", 1, payload)}
    with pytest.raises(Broken, match="circle"):
        Upcasts({}, steps).read("A", 1, b"")
