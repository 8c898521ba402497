"""A broker that stands, to be called: real servicers behind the real doorway, on ports in memory.

What each input meets is the same: a factory with its law, teams and prices, two sites that have joined, a model, a
service that stands and a job that waits. It is made once, through the servicers, and kept as rows and a snapshot; each
input takes it up from there, as a broker that starts.
"""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import grpc

from broker.assembly import Broker, Ports, assemble
from broker.core import freeze
from broker.core.commands import RegisterModel
from broker.core.state import State
from broker.log.record import Damage, Head, Record, Row, admit, chained, first_damage
from broker.log.snapshots import Snapshot, Snapshots, encode
from broker.log.worker import Worker
from broker.rpc.interceptors import Doorway, authorisation, identity
from broker.runtime.contents import Contents
from broker.runtime.history import to_recorded
from broker.telemetry.embedded import Telemetry
from broker.telemetry.finding import TelemetryReader
from broker.telemetry.store import TelemetryStore
from tests.fuzzing.measure import Spent
from tests.simulation.store import MemoryDirectory
from tidegate import manifests
from tidegate.model.registry import Artifact, ModelVersion
from tidegate.model.workload import Workload

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
SHM = "/dev/shm" if Path("/dev/shm").is_dir() else None
TURNS = 60
"""Of the event loop, in which nothing more comes: then a call waits for what will not happen, and is given up."""
AT = 1_790_000_000_000
FINE = frozenset(
    {
        grpc.StatusCode.OK,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNAVAILABLE,
    }
)
"""INTERNAL is a fault of ours, UNKNOWN an exception that nobody caught."""


@dataclass
class Calling:
    """One call: the path of its method and its messages, as bytes."""

    path: str
    messages: list[bytes] = field(default_factory=list)


class Aborted(Exception):
    """Code, details and trailing metadata."""


class MemoryLog:
    """Rows in memory; everything is durable at once."""

    def __init__(self, rows: Sequence[Row] = ()) -> None:
        self.rows = list(rows)

    @property
    def head(self) -> Head:
        return Head(self.rows[-1].offset, self.rows[-1].chain) if self.rows else Head()

    async def append(self, records: Sequence[Record]) -> int:
        admit(records)
        self.rows += chained(self.head, records)
        return self.head.offset

    async def read(self, after: int, limit: int) -> list[Row]:
        return self.rows[max(after, 0) : max(after, 0) + limit]

    async def chain_at(self, offset: int) -> bytes | None:
        if not 0 <= offset <= len(self.rows):
            return None
        return self.rows[offset - 1].chain if offset else Head().chain

    async def verify(self, start: int = 1, end: int = 0) -> Damage | None:
        return first_damage(Head(), self.rows)

    async def room(self) -> int:
        return 2**30

    async def close(self) -> None:
        return None


class Clock:
    """Time stands still but for a second at each look, so that nothing depends on the machine."""

    def __init__(self) -> None:
        self._looks = 0

    def now(self) -> int:
        return AT + int(self.elapsed())

    def elapsed(self) -> float:
        self._looks += 1
        return self._looks / 10_000

    def wall_ns(self) -> int:
        return self.now() * 1_000_000


class Server:
    """Collects what `add_XServicer_to_server` registers, and calls it."""

    def __init__(self) -> None:
        self._plain: dict[str, Any] = {}
        self._doorway = Doorway((identity, authorisation))

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        """The newer way below registers the same ones."""

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        self._plain |= {f"/{service}/{name}": handler for name, handler in handlers.items()}

    async def call(self, call: Calling, sent: list[Any]) -> None:
        """Aborted where it is refused; `sent` gets the answers' bytes. A stream stays open after its last message."""
        plain = self._plain[call.path]

        async def known(details: Any) -> Any:
            return plain

        handler = await self._doorway.intercept_service(known, _Details(call.path))
        given: Any = [plain.request_deserializer(message) for message in call.messages]

        async def stream() -> AsyncIterator[Any]:
            for request in given:
                yield request
            if call.path.endswith("Attach"):
                await asyncio.Event().wait()

        asked = stream() if plain.request_streaming else given[0]
        if plain.response_streaming:
            async for answer in (handler.stream_stream or handler.unary_stream)(asked, _Context()):
                sent.append(plain.response_serializer(answer))
        else:
            answer = await (handler.stream_unary or handler.unary_unary)(asked, _Context())
            sent.append(plain.response_serializer(answer))


class _Details:
    invocation_metadata = ()

    def __init__(self, method: str) -> None:
        self.method = method


class _Context:
    def peer(self) -> str:
        return "fuzz"

    def invocation_metadata(self) -> tuple[()]:
        return ()

    async def abort(self, code: Any, details: str = "", trailing_metadata: Any = ()) -> None:
        raise Aborted(code, details, tuple(trailing_metadata))


class _Untraced:
    """In place of the broker's own spans."""

    traceparent = ""

    @contextlib.contextmanager
    def call(self, name: str, context: Any) -> Any:
        yield self

    def watch(self, step: str, counts: dict[str, int]) -> None:
        return None

    def about(self, *, name: str = "", workload: str = "") -> None:
        return None

    def decided(self, decision: Any) -> None:
        return None


class _Inline(ThreadPoolExecutor):
    """Jobs for threads are done where they are given."""

    def submit(self, job: Callable[..., Any], /, *arguments: Any, **named: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        try:
            done.set_result(job(*arguments, **named))
        except BaseException as error:
            done.set_exception(error)
        return done


class _InlineWorker(Worker):
    def __init__(self, name: str) -> None:
        self.name = name
        self._thread = _Inline(1)


class World:
    """One broker's life."""

    def __init__(self, rows: Sequence[Row] = (), snapshot: bytes = b"") -> None:
        self.log = MemoryLog(rows)
        self._directory = MemoryDirectory()
        if snapshot:
            self._directory.files[f"snapshot-{self.log.head.offset:020d}"] = snapshot
        self._closing = contextlib.ExitStack()
        self.broker: Broker | None = None
        self._server = Server()
        self.longest = 0.0
        self._clock = Clock()

    def close(self) -> None:
        self._closing.close()

    async def live(
        self, calls: Sequence[Calling], also: Callable[[Broker], Coroutine[Any, Any, Any]] | None = None
    ) -> None:
        """Start, take the calls one after another, and be what the log says. Raises what must not be."""
        folder = Path(self._closing.enter_context(tempfile.TemporaryDirectory(dir=SHM)))
        contents = Contents(folder / "artifacts", free=lambda _: 2**40)
        telemetry: Any = _Telemetry(folder, self._clock, self._closing)
        snapshots = Snapshots(self._directory, freeze.FORMAT)
        untraced: Any = _Untraced()
        ports = Ports(self._clock, self.log, snapshots, telemetry, contents, untraced)
        self.broker = await assemble(ports, heartbeat_ms=10_000)
        server: Any = self._server
        self.broker.servicers.register(server)
        running = asyncio.ensure_future(self.broker.loop.run())
        started: list[asyncio.Future[None]] = [running]
        before = len(self.log.rows)
        try:
            if also:
                await also(self.broker)
            for call in calls:
                began = time.process_time()
                task = asyncio.ensure_future(self._server.call(call, []))
                started.append(task)
                await _settled(task)
                self.longest = max(self.longest, time.process_time() - began)
                _judge(call, task)
                if running.done():
                    running.result()
                    raise AssertionError("the loop has ended")
        finally:
            for task in started:
                task.cancel()
            await asyncio.gather(*started, return_exceptions=True)
        if len(self.log.rows) > before:
            self._is_what_its_log_says()

    def _is_what_its_log_says(self) -> None:
        assert self.broker is not None
        folded = State()
        for row in self.log.rows:
            folded.apply(to_recorded(row))
        live = freeze.freeze(self.broker.state)
        assert freeze.freeze(folded) == live, "the live state is not what the log folds to"
        assert freeze.freeze(freeze.thaw(live)) == live, "the state does not come back from a snapshot"


class _Telemetry:
    """The real store in SQLite, opened when it is first used; its threads are the loop's own."""

    def __init__(self, folder: Path, clock: Clock, closing: contextlib.ExitStack) -> None:
        self._folder, self._clock, self._closing = folder, clock, closing
        self._opened: Telemetry | None = None

    def __getattr__(self, name: str) -> Any:
        if self._opened is None:
            store = TelemetryStore(self._folder)
            self._closing.callback(store.close)
            reader = TelemetryReader(self._folder)
            self._closing.callback(reader.close)
            workers = _InlineWorker("writing"), _InlineWorker("reading")
            self._opened = Telemetry(store, reader, *workers, self._clock.now)
        return getattr(self._opened, name)


async def _settled(task: "asyncio.Future[None]") -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)
        if task.done():
            return


def _judge(call: Calling, task: "asyncio.Future[None]") -> None:
    if not task.done() or task.cancelled():
        return
    error = task.exception()
    if isinstance(error, Aborted):
        code, details, _ = error.args
        assert code in FINE, f"{call.path} answered {code.name}: {details}"
    elif error is not None:
        raise error


@cache
def event_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_default_executor(_Inline(1))
    return loop


@cache
def standing() -> tuple[tuple[Row, ...], bytes]:
    """The rows and the snapshot of the broker that every input meets."""
    from tests.fuzzing.targets.broker import opening

    world = World()

    async def register(broker: Broker) -> None:
        model = ModelVersion("line-camera", 1, Artifact("ab" * 32, 1_000, "model.onnx"), "onnx")
        await broker.loop.ask(RegisterModel(0, model))

    event_loop().run_until_complete(world.live(opening(), register))
    assert world.broker is not None
    head = world.log.head
    snapshot = b"".join(encode(Snapshot(head, freeze.FORMAT, freeze.freeze(world.broker.state))))
    world.close()
    return tuple(world.log.rows), snapshot


def lived(calls: Sequence[Calling]) -> Spent:
    """All of it, on a broker of its own; the processor time of the longest call."""
    world = World(*standing())
    try:
        event_loop().run_until_complete(world.live(calls))
    finally:
        world.close()
    return Spent(world.longest)


def nouns(*names: str) -> list[Any]:
    """What manifests of the project's examples declare."""
    return list(manifests.load_files([DEPLOY / name for name in names]))


def workloads(*names: str) -> list[Workload]:
    return [noun for noun in nouns(*names) if isinstance(noun, Workload)]
