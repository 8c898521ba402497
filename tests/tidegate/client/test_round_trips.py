"""What a client tells of its predictions' way: only where it was asked to, and never in their way."""

import pytest

from tidegate.client import round_trips
from tidegate.client.endpoints import Endpoints
from tidegate.client.prediction import _server_us
from tidegate.client.round_trips import FIRST_REPORT_S, MOST_TRIPS, REPORT_S, RoundTrips
from tidegate.model.assignment import Endpoint
from tidegate.model.sketch import bucket_of, edge_of

from .test_endpoints import view


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    moment = [100.0]
    monkeypatch.setattr(round_trips.time, "monotonic", lambda: moment[0])
    return moment


def test_a_client_that_was_not_told_where_it_stands_keeps_nothing(clock: list[float]) -> None:
    trips = RoundTrips("")
    clock[0] += REPORT_S
    assert not trips.note("press-7", 9_000, 1_000)
    assert trips.report() == []


def test_the_way_is_what_the_server_did_not_take(clock: list[float]) -> None:
    trips = RoundTrips("plant")
    assert not trips.note("press-7", 9_000, 1_000)
    clock[0] += FIRST_REPORT_S
    assert trips.note("press-7", 9_000, 1_000)
    assert not trips.note("press-7", 500, 900)
    (told,) = trips.report()
    assert (told.origin, told.site, told.samples) == ("plant", "press-7", 3)
    assert told.p50_us == told.rtt_us == edge_of(bucket_of(8_000))
    clock[0] += REPORT_S
    assert trips.note("press-7", 9_000, 1_000)
    assert trips.report()[0].samples == 4


def test_what_a_server_does_not_tell_is_not_guessed(clock: list[float]) -> None:
    trips = RoundTrips("plant")
    clock[0] += REPORT_S
    assert not trips.note("press-7", 9_000, None)
    assert not trips.note("", 9_000, 1_000)
    assert trips.report() == []


def test_no_more_is_kept_than_there_is_room_for(clock: list[float]) -> None:
    trips = RoundTrips("plant")
    for _ in range(MOST_TRIPS + 9):
        trips.note("press-7", 9_000, 1_000)
    assert trips.report()[0].samples == MOST_TRIPS


@pytest.mark.parametrize(
    ("header", "us"),
    [
        ("total;dur=1.234", 1_234),
        ('cache;desc="hit", total;dur="0.5"', 500),
        (None, None),
        ("", None),
        ("total", None),
        ("total;dur=soon", None),
        ("total;dur=inf", None),
        ("db;dur=5", None),
    ],
)
def test_what_a_server_says_it_took_is_read_or_left(header: str | None, us: int | None) -> None:
    assert _server_us(header) == us


def test_an_address_is_known_by_its_site() -> None:
    endpoints = Endpoints()
    endpoints.learn("camera", view(Endpoint("http", "127.0.0.1:2"), Endpoint("unix", "/run/s")))
    assert endpoints.site_of("http://127.0.0.1:2") == endpoints.site_of("unix:/run/s") == "press-7"
    assert endpoints.site_of("http://127.0.0.1:3") == ""
