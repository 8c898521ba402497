"""What several sources say of one link, put together; and what nobody may make the broker remember."""

from broker.core.state import State
from broker.runtime import gathered
from broker.runtime.gathered import MOST_SOURCES, WINDOW_MS, Gathered, RoundTrips, expected
from tests.support.builders import press, rack
from tidegate.model.event import Recorded, SiteApplied
from tidegate.model.session import Probed
from tidegate.model.sketch import Sketch, bucket_of, edge_of, sketch_of


def _link(*times_us: int, site: str = "rack-de", origin: str = "plant") -> Probed:
    return Probed(origin, site, 0, 0, sketch=sketch_of(times_us), window_ms=1_000)


def test_sources_add_up_and_the_newest_word_of_each_counts() -> None:
    trips = RoundTrips()
    trips.together("press-7", [_link(*[5_000] * 200)], 0)
    (told,) = trips.together("client a", [_link(*[9_000] * 100)], 1)
    assert (told.samples, told.rtt_us, told.p50_us) == (300, edge_of(bucket_of(9_000)), edge_of(bucket_of(5_000)))
    (told,) = trips.together("client a", [_link(*[5_000] * 100)], 2)
    assert (told.samples, told.rtt_us, told.bound_us) == (300, *[edge_of(bucket_of(5_000))] * 2)


def test_a_source_that_fell_silent_is_left_out_in_the_end() -> None:
    trips = RoundTrips()
    trips.together("press-7", [_link(*[90_000] * 300)], 0)
    (told,) = trips.together("client a", [_link(5_000)], WINDOW_MS)
    assert told.samples == 301
    (told,) = trips.together("client a", [_link(5_000)], WINDOW_MS + 1)
    assert told.samples == 1


def test_there_is_room_for_so_many_sources_and_things(monkeypatch) -> None:
    heard: Gathered[str] = Gathered()
    for number in range(MOST_SOURCES + 9):
        known = heard.hear("link", f"client {number}", sketch_of([1]), 1, number)
    assert known is not None and known.samples == MOST_SOURCES
    monkeypatch.setattr(gathered, "MOST_THINGS", 2)
    assert heard.hear("other", "a", sketch_of([1]), 1, 100) is not None
    assert heard.hear("third", "a", sketch_of([1]), 1, 101) is None
    assert heard.hear("third", "a", sketch_of([1]), 1, 101 + WINDOW_MS) is not None


def test_what_cannot_have_been_measured_is_passed_over_and_old_agents_are_heard() -> None:
    old, wild = Probed("plant", "rack-de", 900, 5), Probed("plant", "rack-de", 1, 1, sketch=Sketch((9, 3), (1, 1)))
    assert RoundTrips().together("press-7", [old, wild], 0) == (old,)


def test_clients_are_believed_of_origins_that_somebody_declared() -> None:
    state = State()
    for offset, site in enumerate((press(), rack()), 1):
        state.apply(Recorded(offset, SiteApplied(1, site)))
    assert expected(state, _link(5))
    assert expected(state, _link(5, origin="rack"))
    assert not expected(state, _link(5, origin="moon"))
    assert not expected(state, _link(5, site="moon"))
    assert not expected(state, _link(5, origin=""))
