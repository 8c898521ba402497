"""What is over the limits goes, oldest first; what a site promises to keep stays, whatever it costs."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.telemetry import retiring
from broker.telemetry.finding import TelemetryReader
from broker.telemetry.retiring import AGAIN_MS, DAY_MS, Limits
from broker.telemetry.store import TelemetryStore
from tests.broker.telemetry.made import predictions_chunk, span, spans_chunk

SITES = ("bank", "plant")


def kept(directory: Path) -> dict[str, int]:
    """Predictions by site."""
    reader = TelemetryReader(directory)
    found = {site: reader.counts(site).predictions for site in SITES}
    reader.close()
    return found


def settle(store: TelemetryStore, now_ms: int) -> None:
    while store.retire(now_ms):
        pass


def test_what_is_promised_outlives_the_limits_and_the_rest_does_not(tmp_path: Path) -> None:
    store = TelemetryStore(tmp_path, Limits(most_predictions=10))
    store.promise({"bank": 7 * 365})
    for seq in range(1, 6):
        for site in SITES:
            store.receive(site, "main", [predictions_chunk(seq, 1, 10)], seq)
    settle(store, 100)
    assert kept(tmp_path) == {"bank": 50, "plant": 10}  # the newest ten that there is room for are the plant's
    settle(store, 7 * 365 * DAY_MS)
    assert kept(tmp_path) == {"bank": 50, "plant": 10}
    settle(store, 7 * 365 * DAY_MS + 3)
    assert kept(tmp_path) == {"bank": 50, "plant": 10}  # a look was taken within the hour
    settle(store, 7 * 365 * DAY_MS + AGAIN_MS)
    assert kept(tmp_path) == {"bank": 0, "plant": 10}
    store.close()


def test_a_promise_that_is_withdrawn_frees_at_once_what_it_kept(tmp_path: Path) -> None:
    store = TelemetryStore(tmp_path, Limits(most_predictions=1))
    store.promise({"bank": 30, "plant": 30})
    for site in SITES:
        store.receive(site, "main", [predictions_chunk(1, 1, 5)], 1)
    settle(store, 2)
    assert kept(tmp_path) == {"bank": 5, "plant": 5}
    store.promise({"plant": 30})
    settle(store, 3)
    assert kept(tmp_path) == {"bank": 0, "plant": 5}
    store.close()


def test_nothing_is_let_go_before_it_is_known_what_is_promised(tmp_path: Path) -> None:
    store = TelemetryStore(tmp_path, Limits(most_predictions=1))
    store.receive("bank", "main", [predictions_chunk(1, 1, 5)], 1)
    settle(store, 2)
    assert kept(tmp_path)["bank"] == 5
    store.close()


def test_spans_are_kept_as_predictions_are(tmp_path: Path) -> None:
    store = TelemetryStore(tmp_path, Limits(most_spans=1))
    store.promise({"bank": 1})
    store.receive("bank", "main", [spans_chunk(1, span(1, 1), span(1, 2))], 1)
    store.receive("plant", "main", [spans_chunk(1, span(2, 1), span(2, 2))], 1)
    settle(store, 2)
    reader = TelemetryReader(tmp_path)
    assert len(reader.trace(f"{1:032x}")) == 2
    assert len(reader.trace(f"{2:032x}")) == 1
    reader.close()
    store.close()


@settings(max_examples=40, deadline=None)
@given(
    days=st.dictionaries(st.sampled_from(SITES), st.integers(1, 4)),
    most=st.integers(0, 12),
    arrivals=st.lists(st.tuples(st.sampled_from(SITES), st.integers(0, 3)), max_size=30),
    step=st.integers(1, 5),
    passed=st.integers(0, 8),
)
def test_the_newest_and_the_promised_stay_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory,
    days: dict[str, int],
    most: int,
    arrivals: list[tuple[str, int]],
    step: int,
    passed: int,
) -> None:
    """Against a list: one prediction an arrival, on growing days; however small the steps and whenever looked at."""
    directory = tmp_path_factory.mktemp("telemetry")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(retiring, "STEP", step)
        store = TelemetryStore(directory, Limits(most_predictions=most))
        store.promise(days)
        day, rows, sent = 0, [], dict.fromkeys(SITES, 0)
        for site, later in arrivals:
            day += later
            sent[site] += 1
            store.receive(site, "main", [predictions_chunk(sent[site], sent[site], 1)], day * DAY_MS)
            rows.append((site, day))
            settle(store, day * DAY_MS)
        now = day + passed
        store.promise({})  # so that it is looked at once more
        store.promise(days)
        settle(store, now * DAY_MS)
    older = rows[: len(rows) - most] if most < len(rows) else []
    newest = rows[len(older) :]
    held = [(site, at) for site, at in older if site in days and at + days[site] > now]
    assert kept(directory) == {site: sum(one == site for one, _ in (*held, *newest)) for site in SITES}
    store.close()
