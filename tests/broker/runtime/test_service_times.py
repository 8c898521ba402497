"""Service times learned from telemetry: what counts, what is too old, and how often the log hears of it."""

from typing import Any

from broker.core.commands import RecordServiceTimes
from broker.core.state import State
from broker.runtime.service_times import MOST_CHUNKS, TOLD_EVERY_MS, ServiceTimes
from tests.support.builders import DIGEST, press, service
from tidegate.model.assignment import Assignment
from tidegate.model.decision import Slot
from tidegate.model.event import Recorded, SiteApplied
from tidegate.model.registry import Artifact, ModelVersion
from tidegate.model.session import Chunk
from tidegate.model.sketch import bucket_of, edge_of
from tidegate.model.window import WINDOW_MS
from tidegate.v1.prediction_pb2 import Prediction, PredictionBatch

NOW = 10**12


class Stand:
    """Loop and clock in one: keeps what is asked, and time stands where it is put."""

    def __init__(self) -> None:
        self.state, self.asked, self.ms = State(), [], 0
        self.state.apply(Recorded(1, SiteApplied(1, press())))

    def serve(self) -> None:
        """The model serves at the press."""
        model = ModelVersion("digits", 1, Artifact(DIGEST, 1, "model.onnx"))
        assignment = Assignment("w5", service(), "press-7", 5, "box", 1, model)
        self.state.sites["press-7"].desired["w5"] = assignment
        self.state.fleet.take("w5@press-7", (Slot("press-7", "box", 1),), service().demand)

    async def read(self, question: Any) -> Any:
        return question(self.state, 0)

    async def ask(self, command: RecordServiceTimes) -> None:
        self.asked.append(command)

    def now(self) -> int:
        return NOW + self.ms

    def elapsed(self) -> float:
        return self.ms / 1_000

    def wall_ns(self) -> int:
        return self.now() * 1_000_000


def _chunk(*times_us: int, at: int = NOW, digest: str = DIGEST) -> Chunk:
    made = [Prediction(model_sha256=bytes.fromhex(digest), at=at, latency_us=us) for us in times_us]
    return Chunk(1, "predictions", at, len(made), PredictionBatch(predictions=made).SerializeToString())


async def test_durations_become_a_percentile_of_the_model_on_its_class_of_device() -> None:
    stand = Stand()
    stand.serve()
    times = ServiceTimes(stand, stand)
    await times.heard("press-7", [_chunk(*[900] * 299), Chunk(2, "spans", NOW, 1, b"x"), _chunk(7_000)])
    (command,) = stand.asked
    (served,) = command.times
    assert (served.model_digest, served.device_class, served.samples) == (DIGEST, "cpu", 300)
    assert (served.p99_us, served.bound_us) == (edge_of(bucket_of(900)), edge_of(bucket_of(7_000)))


async def test_what_is_old_unreadable_or_of_nobody_knows_what_device_says_nothing() -> None:
    stand = Stand()
    times = ServiceTimes(stand, stand)
    await times.heard("press-7", [_chunk(900)])
    await times.heard("nowhere", [_chunk(900)])
    stand.serve()
    await times.heard("press-7", [_chunk(900, at=NOW - WINDOW_MS - 1), Chunk(2, "predictions", NOW, 1, b"\xff\xff")])
    assert stand.asked == []


async def test_a_site_is_heard_of_every_quarter_of_a_minute_at_most() -> None:
    stand = Stand()
    stand.serve()
    times = ServiceTimes(stand, stand)
    for _ in range(10):
        await times.heard("press-7", [_chunk(900)] * (MOST_CHUNKS + 1))
        stand.ms += TOLD_EVERY_MS // 5
    assert [command.times[0].samples for command in stand.asked] == [MOST_CHUNKS, 6 * MOST_CHUNKS]
