"""Conversations with a device's modes."""

from edge.core.modes import Alone, Drained, EndWindow, Joined, LinkLost, LinkRestored, Modes, Returning, SetShare
from edge.link.share import telemetry_rate


def test_a_window_is_told_once_with_its_first_moment_however_many_dials_fail() -> None:
    modes = Modes(Joined())
    assert modes.happened(LinkLost(10)) == []
    assert modes.happened(LinkLost(20)) == []
    assert modes.happened(LinkRestored(90)) == [EndWindow(10, 90), SetShare(returning=True)]
    assert modes.happened(LinkRestored(91)) == []
    assert modes.happened(Drained(95)) == [SetShare(returning=False)]
    assert modes.mode == Joined()


def test_a_device_that_was_switched_off_alone_still_knows_since_when() -> None:
    modes = Modes(Alone(since=7))
    assert modes.happened(LinkLost(50)) == []
    assert modes.happened(LinkRestored(90))[0] == EndWindow(7, 90)


def test_a_first_start_has_no_window_unless_a_dial_fails() -> None:
    assert Modes(Alone()).happened(LinkRestored(5)) == [SetShare(returning=True)]
    modes = Modes(Alone())
    modes.happened(LinkLost(3))
    assert modes.happened(LinkRestored(5))[0] == EndWindow(3, 5)


def test_losing_the_link_while_returning_opens_a_new_window() -> None:
    modes = Modes(Returning())
    modes.happened(LinkLost(30))
    assert modes.mode == Alone(30)


def test_a_window_never_ends_before_it_began_though_the_clock_was_set_back() -> None:
    assert Modes(Alone(since=100)).happened(LinkRestored(40))[0] == EndWindow(100, 100)


def test_a_backlog_leaves_room_for_what_is_live_and_an_unlimited_link_is_left_alone() -> None:
    assert telemetry_rate(1000, returning=True) == 750
    assert telemetry_rate(1000, returning=False) == 1000
    assert telemetry_rate(0, returning=True) == 0
    assert telemetry_rate(1, returning=True) == 1
