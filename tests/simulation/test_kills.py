"""Every point where a daemon may be killed is there. `make sim-quick` kills twenty times, `make sim` five hundred."""

import importlib
from functools import reduce

from tests.simulation.kills.points import AGENT, BROKER, POINTS, RAY_POINTS


def test_every_point_is_a_call_of_a_daemon_s_own() -> None:
    for point in POINTS + RAY_POINTS:
        module, _, path = point.target.partition(":")
        assert callable(reduce(getattr, path.split("."), importlib.import_module(module))), point.name
    assert len({point.name for point in POINTS + RAY_POINTS}) == len(POINTS + RAY_POINTS)
    assert len(POINTS) >= 40


def test_broker_and_agents_die_alike() -> None:
    assert {point.daemon for point in POINTS} == {BROKER, AGENT}
    assert min(sum(point.daemon == daemon for point in POINTS) for daemon in (BROKER, AGENT)) > 10
