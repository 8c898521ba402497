"""Windows: what the broker is told of the last minutes, and what falls out of them."""

from tidegate.model.sketch import NEEDED_FOR_P99, bucket_of, edge_of
from tidegate.model.window import MOST_ROUNDS, WINDOW_MS, Window


def test_the_last_minutes_are_told_with_what_they_are_worth() -> None:
    window = Window()
    for second in range(0, 40, 2):
        window = window.after([30_000] * 19 + [40_000], second * 1_000)
    told = window.probed("plant", "rack-de")
    assert (told.origin, told.site, told.samples, told.window_ms) == ("plant", "rack-de", 400, 38_000)
    assert (told.p50_us, told.rtt_us) == (edge_of(bucket_of(30_000)), edge_of(bucket_of(40_000)))
    assert told.bound_us == told.rtt_us and told.sketch.samples == 400 > NEEDED_FOR_P99


def test_old_rounds_fall_out() -> None:
    window = Window().after([90_000], 0).after([30_000], WINDOW_MS)
    assert window.samples == 2
    window = window.after([30_000], WINDOW_MS + 1)
    assert window.samples == 2 and window.probed("plant", "rack-de").rtt_us == edge_of(bucket_of(30_000))
    for at in range(MOST_ROUNDS + 9):
        window = window.after([30_000], WINDOW_MS + at)
    assert window.samples == MOST_ROUNDS
