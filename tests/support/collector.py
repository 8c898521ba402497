"""A small OTLP receiver in this process, over gRPC and HTTP: it keeps what it gets and can be told to refuse.

A stand-in for an operator's collector; only the tests' side of the wire, the sender is the real one.
"""

import asyncio
from types import TracebackType
from typing import Any

import grpc.aio
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)


class GrpcReceiver(TraceServiceServicer):
    """`async with GrpcReceiver() as receiver: ... receiver.endpoint`."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        self.refusals: list[grpc.StatusCode] = []
        """Answered first, in order, before anything is taken."""
        self.endpoint = ""

    async def __aenter__(self) -> "GrpcReceiver":
        self._server = grpc.aio.server()
        add_TraceServiceServicer_to_server(self, self._server)  # type: ignore[no-untyped-call]
        self.endpoint = f"grpc://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.stop(None)

    async def Export(self, request: ExportTraceServiceRequest, context: Any) -> ExportTraceServiceResponse:
        if self.refusals:
            await context.abort(self.refusals.pop(0), "told to")
        self.requests.append(request)
        return ExportTraceServiceResponse()

    @property
    def span_ids(self) -> list[int]:
        """The last byte of each span's id, in the order of arrival."""
        return span_ids(self.requests)


class HttpReceiver:
    """As `GrpcReceiver`, over HTTP; `statuses` are answered first."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        self.statuses: list[int] = []
        self.endpoint = ""

    async def __aenter__(self) -> "HttpReceiver":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.endpoint = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1/traces"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        assert "content-type: application/x-protobuf" in head
        assert head.startswith("post /v1/traces ")
        length = int(next(line for line in head.split("\r\n") if line.startswith("content-length:")).split(":")[1])
        body = await reader.readexactly(length)
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 200:
            self.requests.append(ExportTraceServiceRequest.FromString(body))
        writer.write(f"HTTP/1.1 {status} told\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    @property
    def span_ids(self) -> list[int]:
        """The last byte of each span's id, in the order of arrival."""
        return span_ids(self.requests)


def span_ids(requests: list[ExportTraceServiceRequest]) -> list[int]:
    """The last byte of each span's id."""
    return [
        span.span_id[-1]
        for request in requests
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]
