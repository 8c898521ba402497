"""OTLP in: `opentelemetry.proto.collector.trace.v1.TraceService/Export`, into the store.

For clients, collectors and anything that speaks OTLP over gRPC. An answer means durable. A request sent again changes
nothing, so every exporter may retry. The bytes are handed over as they came; nothing is encoded a second time.

Limit: `MOST_BYTES` a request, beside the server's own limit on messages.
"""

from typing import Any, Protocol

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tidegate.model.errors import Refused, TidegateError
from tidegate.wire.status import MOST_MESSAGE, code_of, trailers_of

SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
MOST_BYTES = 4 * 2**20


class Recorder(Protocol):
    """What the service needs of the store."""

    async def record(self, request: bytes) -> int:
        """Keep the spans of an encoded export request; how many were new."""


def trace_service(recorder: Recorder) -> grpc.GenericRpcHandler:
    """The service, for `server.add_generic_rpc_handlers((trace_service(...),))`."""

    async def export(request: bytes, context: Any) -> ExportTraceServiceResponse:
        try:
            if len(request) > MOST_BYTES:
                raise Refused("the export is too large", found=len(request), wanted=f"at most {MOST_BYTES} bytes")
            await recorder.record(request)
        except TidegateError as error:
            await context.abort(code_of(error), error.message[:MOST_MESSAGE], trailers_of(error))
        return ExportTraceServiceResponse()

    handler: grpc.RpcMethodHandler[bytes, ExportTraceServiceResponse] = grpc.unary_unary_rpc_method_handler(
        export,
        request_deserializer=None,
        response_serializer=ExportTraceServiceResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(SERVICE, {"Export": handler})
