"""How long models take, learned from the predictions that devices tell of: per model and class of device.

A prediction's own duration (from the request's last byte to the answer) is taken from the records as they arrive;
which are recorded is the workload's `audit` (all of them, a sample, none). Those of the last minutes count; what comes
late from a device that was away is no news of how fast it is now. A site's sketch of a model goes to the log every
`TOLD_EVERY_MS` at most, and only where it says something new (`decide.sites`).

Limits: `MOST_CHUNKS` chunks of a message are read, the newest; `MOST_MODELS` models of all sites are followed.
"""

from collections.abc import Sequence

from google.protobuf.message import DecodeError

from broker.core.commands import RecordServiceTimes, Served
from broker.core.decide.sites import device_class_of
from broker.runtime.clock import Clock
from broker.runtime.gathered import Gathered
from broker.runtime.loop import Loop
from tidegate.model.session import Chunk
from tidegate.model.window import WINDOW_MS, Window
from tidegate.v1.prediction_pb2 import PredictionBatch

TOLD_EVERY_MS = 15_000
MOST_CHUNKS = 4
MOST_MODELS = 10_000


class ServiceTimes:
    """Follows what is durable; nothing here is, and nothing waits for it."""

    def __init__(self, loop: Loop, clock: Clock) -> None:
        self._loop = loop
        self._clock = clock
        self._windows: dict[tuple[str, str], Window] = {}
        """By site and model digest."""
        self._told_at: dict[tuple[str, str], int] = {}
        self._gathered: Gathered[tuple[str, str]] = Gathered()

    async def heard(self, site: str, chunks: Sequence[Chunk]) -> None:
        """New records of a site."""
        recorded = [chunk for chunk in chunks if chunk.kind == "predictions"][-MOST_CHUNKS:]
        now = int(self._clock.elapsed() * 1_000)
        due: list[tuple[str, Window]] = []
        for digest, times_us in _durations(recorded, self._clock.now() - WINDOW_MS).items():
            known = (site, digest)
            if known not in self._windows and len(self._windows) >= MOST_MODELS:
                oldest = next(iter(self._windows))
                self._windows.pop(oldest)
                self._told_at.pop(oldest, None)
            window = self._windows.pop(known, Window()).after(times_us, now)
            self._windows[known] = window  # the one that was heard last stands last
            if now - self._told_at.get(known, -TOLD_EVERY_MS) >= TOLD_EVERY_MS:
                self._told_at[known] = now
                due.append((digest, window))
        if due:
            await self._tell(site, due, now)

    async def _tell(self, site: str, due: list[tuple[str, Window]], now: int) -> None:
        classes: list[str] = await self._loop.read(
            lambda state, at: [device_class_of(state, site, digest) for digest, _ in due]
        )
        served: list[Served] = []
        for (digest, window), device_class in zip(due, classes, strict=True):
            if not device_class:
                continue  # a time of nobody knows what device says nothing of another
            known = self._gathered.hear((digest, device_class), site, window.sketch, window.span_ms, now)
            if known is not None:
                served.append(
                    Served(
                        digest, device_class, known.p99_us, known.samples, known.p50_us, known.bound_us, known.window_ms
                    )
                )
        if served:
            await self._loop.ask(RecordServiceTimes(0, tuple(served)))


def _durations(chunks: Sequence[Chunk], since_ms: int) -> dict[str, list[int]]:
    """Microseconds by model digest, of predictions since a moment; bytes that are no predictions say nothing."""
    found: dict[str, list[int]] = {}
    for chunk in chunks:
        try:
            batch = PredictionBatch.FromString(chunk.payload)
        except DecodeError:
            continue
        for one in batch.predictions:
            if one.at >= since_ms and len(one.model_sha256) == 32 and one.latency_us > 0:
                found.setdefault(one.model_sha256.hex(), []).append(one.latency_us)
    return found
