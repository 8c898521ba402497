"""A broker's end of the link, for tests of agents: the real protos over a real socket, and no decisions.

The test says what the site should run (`desire`); the stub sends differences, acknowledges reports, keeps telemetry
exactly once and serves files, in the way that the real broker's servicers do. It can be told to break a transfer.
"""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import grpc

from tidegate.model import session as says
from tidegate.model.assignment import Assignment, Status
from tidegate.v1 import agents_pb2, agents_pb2_grpc, artifacts_pb2, artifacts_pb2_grpc
from tidegate.wire.channel import CHUNK_BYTES, SERVER_OPTIONS
from tidegate.wire.codec import union_from_message, union_to_message


class BrokerStub(agents_pb2_grpc.AgentsServicer, artifacts_pb2_grpc.ArtifactsServicer):
    """One broker for one site."""

    def __init__(self) -> None:
        self.epoch = 1
        self.generation = 0
        self.assignments: dict[str, Assignment] = {}
        self.hellos: list[says.Hello] = []
        self.statuses: dict[str, Status] = {}
        self.phases: list[tuple[str, str]] = []
        self.measured: list[says.Probed] = []
        self.lines: list[says.LogLines] = []
        self.received: dict[str, dict[int, says.Chunk]] = {}
        self.duplicates = 0
        self.files: dict[str, bytes] = {}
        self.fetched_from: list[int] = []
        """Where each call of a fetch began."""
        self.fetched_bytes = 0
        self.break_fetch_after = -1
        """Offset from which on the next fetch breaks; -1 for never."""
        self.parts: dict[str, bytes] = {}
        self.pushed_from: list[int] = []
        self.pushed_bytes = 0
        self.break_push_after = -1
        """Bytes held at which the next push breaks; -1 for never."""
        self.port = 0
        self._server: grpc.aio.Server | None = None
        self._streams: list[Any] = []
        self._saying: dict[Any, asyncio.Lock] = defaultdict(asyncio.Lock)
        """A stream takes one write at a time, and a test speaks beside the answers to heartbeats."""

    async def start(self, port: int = 0) -> "BrokerStub":
        self._server = grpc.aio.server(options=SERVER_OPTIONS)
        agents_pb2_grpc.add_AgentsServicer_to_server(self, self._server)
        artifacts_pb2_grpc.add_ArtifactsServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        await self._server.start()
        return self

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(None)
        self._streams.clear()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def streams(self) -> int:
        """Agents attached now."""
        return len(self._streams)

    def keep(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        self.files[digest] = data
        return digest

    async def desire(self, *assignments: Assignment, generation: int | None = None) -> None:
        """From now on the site should run exactly these; whoever is attached is told."""
        before = self.generation
        self.generation = before + 1 if generation is None else generation
        removed = tuple(set(self.assignments) - {each.workload_id for each in assignments})
        self.assignments = {each.workload_id: each for each in assignments}
        for stream in self._streams:
            await self.send(says.Difference(before, self.generation, False, assignments, removed), stream)

    async def send(self, what: says.BrokerSays, stream: Any = None) -> None:
        for each in [stream] if stream is not None else list(self._streams):
            async with self._saying[each]:
                await each.write(agents_pb2.AttachResponse(says=union_to_message(says.BrokerSays, what)))

    async def Attach(self, request_iterator: AsyncIterator[Any], context: Any) -> None:  # type: ignore[override]
        try:
            async for request in request_iterator:
                match union_from_message(says.AgentSays, request.says):
                    case says.Hello() as hello:
                        self.hellos.append(hello)
                        await self.send(says.Welcome(len(self.hellos), self.epoch, 200), context)
                        if hello.held_generation != self.generation:
                            whole = says.Difference(0, self.generation, True, tuple(self.assignments.values()))
                            await self.send(whole, context)
                        self._streams.append(context)
                    case says.Heartbeat() as beat:
                        await self.send(says.HeartbeatSeen(beat.sent_at), context)
                    case says.Report() as report:
                        for status in report.statuses:
                            self.statuses[status.workload_id] = status
                            self.phases.append((status.workload_id, status.phase.value))
                        await self.send(says.Reported(report.sequence), context)
                    case says.Measured() as measured:
                        self.measured.extend(measured.links)
                    case says.LogLines() as lines:
                        self.lines.append(lines)
        finally:
            if context in self._streams:
                self._streams.remove(context)

    async def SyncTelemetry(self, request_iterator: AsyncIterator[Any], context: Any) -> None:  # type: ignore[override]
        async for request in request_iterator:
            stream = self.received.setdefault(request.stream, {})
            for chunk in request.chunks:
                self.duplicates += chunk.seq in stream
                stream[chunk.seq] = says.Chunk(chunk.seq, chunk.kind, chunk.at, chunk.count, chunk.payload)
            answer = agents_pb2.SyncTelemetryResponse(stream=request.stream)
            answer.receipt.high_water = max(stream, default=0)
            await context.write(answer)

    async def Stat(self, request: Any, context: Any) -> Any:
        whole = request.digest in self.files
        held = self.files[request.digest] if whole else self.parts.get(request.digest, b"")
        return artifacts_pb2.StatResponse(held_bytes=len(held), complete=whole)

    async def Push(self, request_iterator: AsyncIterator[Any], context: Any) -> Any:
        first = await anext(aiter(request_iterator))
        digest, size = first.artifact.digest, first.artifact.size_bytes
        self.pushed_from.append(first.offset)
        held = self.parts.get(digest, b"")
        if len(held) != first.offset:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not where this file stands")
        async for request in request_iterator:
            if 0 <= self.break_push_after <= len(held):
                self.break_push_after = -1
                await context.abort(grpc.StatusCode.UNAVAILABLE, "the link broke")
            assert request.offset == len(held)
            held += request.data
            self.pushed_bytes += len(request.data)
            self.parts[digest] = held
        if len(held) == size:
            self.parts.pop(digest, None)
            assert self.keep(held) == digest
        return artifacts_pb2.PushResponse(held_bytes=len(held), complete=len(held) == size)

    async def Fetch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        data = self.files[request.digest]
        self.fetched_from.append(request.offset)
        end = min(len(data), request.offset + request.most_bytes) if request.most_bytes else len(data)
        for offset in range(request.offset, end, CHUNK_BYTES):
            if 0 <= self.break_fetch_after <= offset:
                self.break_fetch_after = -1
                await context.abort(grpc.StatusCode.UNAVAILABLE, "the link broke")
            piece = data[offset : min(end, offset + CHUNK_BYTES)]
            self.fetched_bytes += len(piece)
            yield artifacts_pb2.FetchResponse(offset=offset, data=piece, size_bytes=len(data))
        if not data:
            yield artifacts_pb2.FetchResponse()
