"""What is served: for each name the model in use, and the one before it, kept for a rollback.

A swap is blue/green: the new model is verified, loaded and warmed up beside the old one, on a thread of its own; only
then does the name point to it, between two turns of the event loop. A request holds the model that it found, so none
is dropped and none sees two. A load that fails changes nothing. One load or rollback at a time; a name that is not
served yet may be loaded too. The model before stays in memory: at most two per name.

Where there is one model only, it answers to the service's name as well: clients then keep to that name while the
service goes from one model to another.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from edge.serving.clock import Clock
from edge.serving.config import ModelSource
from edge.serving.model import LARGEST_INPUT, LoadedModel, load
from edge.serving.prediction import Load, ModelIdentity
from edge.serving.signature import names
from edge.serving.trace import begin, parse
from tidegate.model.errors import Conflict, NotFound, TidegateError

log = logging.getLogger(__name__)


class Repository:
    """The models by name. Used on one event loop."""

    def __init__(
        self,
        *,
        service: str,
        providers: Sequence[str],
        threads: int,
        warmup_runs: int,
        clock: Clock,
        chance: Callable[[int], bytes],
        on_load: Callable[[Load], None],
        on_change: Callable[[], None],
        largest_input: int = LARGEST_INPUT,
    ) -> None:
        """`on_load` hears of every load, `on_change` after the models in use are others."""
        self._service = service
        self._providers = providers
        self._threads = threads
        self._warmup_runs = warmup_runs
        self._clock = clock
        self._chance = chance
        self._on_load = on_load
        self._on_change = on_change
        self._current: dict[str, LoadedModel] = {}
        self._previous: dict[str, LoadedModel] = {}
        self._largest_input = largest_input
        self._one_at_a_time = asyncio.Lock()

    @property
    def models(self) -> Mapping[str, LoadedModel]:
        """The models in use, by name."""
        return self._current

    def find(self, name: str, version: str = "") -> LoadedModel:
        """The model in use under that name. NotFound, with the nearest name, when there is none of that version."""
        model = self._current.get(name)
        if model is None and name == self._service and len(self._current) == 1:
            (model,) = self._current.values()
        if model is None:
            raise NotFound(
                "no such model",
                field="model_name",
                found=name[:128],
                wanted=names(name[:128], self._current),
            )
        if version and version != model.identity.version:
            raise NotFound("no such version", field="model_version", found=version[:128], wanted=model.identity.version)
        return model

    async def load(self, source: ModelSource) -> LoadedModel:
        """Load, warm up, and serve. Refused (`DigestMismatch` among them) or Unavailable leave all as it was."""
        async with self._one_at_a_time:
            wall, before = self._clock.wall_ns(), self._clock.monotonic_ns()
            error = device = ""
            try:
                model = await asyncio.to_thread(self._prepare, source)
                device = model.device
            except TidegateError as refused:
                error = str(refused)
                raise
            finally:
                assignment = parse(source.traceparent or None)
                identity = ModelIdentity(source.name, source.version, source.digest, source.generation, assignment)
                took = self._clock.monotonic_ns() - before
                self._on_load(Load(identity, begin(assignment, self._chance), wall, took, device, error))
            replaced = self._current.get(source.name)
            if replaced is not None:
                self._previous[source.name] = replaced
            self._current[source.name] = model
            log.info(
                "serving %s version %s (sha256 %s, generation %d) on %s, %d us a run",
                source.name,
                source.version,
                source.digest[:12],
                source.generation,
                model.device,
                model.service_time.p50_ns // 1000,
            )
            self._on_change()
            return model

    async def rollback(self, name: str) -> LoadedModel:
        """Serve the model before; the one in use becomes the one before. Conflict when there is none."""
        async with self._one_at_a_time:
            current = self.find(name)
            previous = self._previous.get(name)
            if previous is None:
                raise Conflict(
                    "nothing to roll back to", field="model_name", found=name, wanted="a model loaded before"
                )
            self._current[name], self._previous[name] = previous, current
            log.info("rolled %s back to version %s", name, previous.identity.version)
            self._on_change()
            return previous

    def _prepare(self, source: ModelSource) -> LoadedModel:
        model = load(source, self._providers, self._threads)
        model.warm_up(self._warmup_runs, self._clock.monotonic_ns, self._largest_input)
        return model
