"""A prediction from request to answer: the one path that HTTP, the Unix socket and gRPC share.

Admit, find the model, read the request, check it, run, record, answer; in that order. At most `max_concurrent`
predictions are inside at a time, so what waits is bounded and a client that comes too many is told at once when to
come back.

Every call leaves a span, refused ones too. The time until the model starts is `queue` (reading the request, waiting
for a thread), the run itself `compute`; waiting for the record to be durable is in neither, nor in the latency that
is recorded.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from edge.serving.clock import Clock
from edge.serving.model import LoadedModel
from edge.serving.prediction import Call
from edge.serving.recorder import Recorder
from edge.serving.repository import Repository
from edge.serving.trace import begin, parse
from tidegate.model.errors import TidegateError, Unavailable
from tidegate.wire.inference import InferReply, InferRequest
from tidegate.wire.tensors import Array, Tensor

RETRY_AFTER_MS = 1000


class Service:
    """Answers predictions. Used on one event loop; slow models run on `parallel_runs` threads."""

    def __init__(
        self,
        repository: Repository,
        recorder: Recorder,
        clock: Clock,
        chance: Callable[[int], bytes],
        *,
        max_concurrent: int,
        parallel_runs: int,
    ) -> None:
        self.repository = repository
        self._recorder = recorder
        self._clock = clock
        self._chance = chance
        self._max_concurrent = max_concurrent
        self._inside = 0
        self._threads = ThreadPoolExecutor(parallel_runs, thread_name_prefix="run")
        self.draining = False

    @property
    def ready(self) -> bool:
        """Whether a prediction sent now would be answered."""
        return not self.draining and bool(self.repository.models)

    async def predict(
        self, name: str, version: str, read: Callable[[], InferRequest], traceparent: str | None, transport: str
    ) -> tuple[InferRequest, InferReply, int]:
        """The request as it was read, its answer, and how long that took from here, in ns, record and all.

        `read` makes the request from whatever arrived, and may refuse it. Raises Refused, NotFound, Unavailable (too
        many at a time, or the spool cannot take the record), with nothing answered.
        """
        wall, started = self._clock.wall_ns(), self._clock.monotonic_ns()
        parent = parse(traceparent)
        span = begin(parent, self._chance)
        model: LoadedModel | None = None
        request_id = ""
        self._inside += 1
        try:
            if self._inside > self._max_concurrent:
                raise Unavailable(
                    "too many predictions at a time",
                    found=self._inside,
                    wanted=f"at most {self._max_concurrent}",
                    retry_after_ms=RETRY_AFTER_MS,
                )
            model = self.repository.find(name, version)
            request = read()
            request_id = request.id
            feeds = model.signature.feeds(request)
            chosen = model.signature.chosen(request)
            if model.inline:
                run_at, ran_at, outputs = self._run(model, feeds, chosen)
            else:
                loop = asyncio.get_running_loop()
                run_at, ran_at, outputs = await loop.run_in_executor(self._threads, self._run, model, feeds, chosen)
            recorded = self._recorder.records(span.trace_id)
            call = Call(
                model.identity,
                name,
                request_id,
                span,
                parent,
                wall,
                ran_at - started,
                run_at - started,
                ran_at - run_at,
                transport,
                recorded=recorded,
                inputs=tuple(Tensor(key, array) for key, array in feeds.items()) if recorded else (),
                outputs=outputs if recorded else (),
            )
            await self._recorder.keep(call)
        except TidegateError as error:
            took = self._clock.monotonic_ns() - started
            identity = model.identity if model else None
            failed = Call(identity, name, request_id, span, parent, wall, took, 0, 0, transport, error=str(error))
            self._recorder.note(failed)
            raise
        finally:
            self._inside -= 1
        took = self._clock.monotonic_ns() - started
        return request, InferReply(name, outputs, model.identity.version, request_id), took

    def close(self) -> None:
        """Let the threads go; what runs on them ends first."""
        self._threads.shutdown()

    def _run(
        self, model: LoadedModel, feeds: dict[str, Array], chosen: list[str]
    ) -> tuple[int, int, tuple[Tensor, ...]]:
        """When the run began and ended, and what came out. Called on any thread."""
        run_at = self._clock.monotonic_ns()
        outputs = model.run(feeds, chosen)
        return run_at, self._clock.monotonic_ns(), outputs
