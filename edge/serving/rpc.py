"""The Open Inference Protocol over gRPC. A rim: it converts, calls, converts; `messages` has the conversions.

Errors go through the house's one table (`tidegate.wire.status`). The trace context comes in metadata as
`traceparent`. gRPC is here for clients that speak nothing else: in Python it costs several times what HTTP does.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import grpc
import grpc.aio

from edge.serving.messages import message_of, request_of
from edge.serving.rest import EXTENSIONS
from edge.serving.service import Service
from edge.serving.signature import TensorSpec
from tidegate.model.errors import Broken, NotFound, TidegateError
from tidegate.oip import open_inference_pb2 as oip
from tidegate.oip.open_inference_pb2_grpc import (
    GRPCInferenceServiceServicer,
    add_GRPCInferenceServiceServicer_to_server,
)
from tidegate.wire.status import MOST_MESSAGE, code_of, trailers_of

Context = grpc.aio.ServicerContext[Any, Any]

log = logging.getLogger(__name__)


class InferenceServicer(GRPCInferenceServiceServicer):
    """The protocol's service over a `Service`."""

    def __init__(self, service: Service, name: str, version: str) -> None:
        self._service = service
        self._name = name
        self._version = version

    async def ServerLive(self, request: oip.ServerLiveRequest, context: Context) -> oip.ServerLiveResponse:
        return oip.ServerLiveResponse(live=True)

    async def ServerReady(self, request: oip.ServerReadyRequest, context: Context) -> oip.ServerReadyResponse:
        return oip.ServerReadyResponse(ready=self._service.ready)

    async def ModelReady(self, request: oip.ModelReadyRequest, context: Context) -> oip.ModelReadyResponse:
        try:
            self._service.repository.find(request.name, request.version)
        except NotFound:
            return oip.ModelReadyResponse(ready=False)
        return oip.ModelReadyResponse(ready=True)

    async def ServerMetadata(self, request: oip.ServerMetadataRequest, context: Context) -> oip.ServerMetadataResponse:
        return oip.ServerMetadataResponse(name=self._name, version=self._version, extensions=EXTENSIONS)

    async def ModelMetadata(self, request: oip.ModelMetadataRequest, context: Context) -> oip.ModelMetadataResponse:
        async with _told(context):
            model = self._service.repository.find(request.name, request.version)
            return oip.ModelMetadataResponse(
                name=request.name,
                versions=[model.identity.version],
                platform="onnx_onnxruntime",
                inputs=map(_declared, model.signature.inputs),
                outputs=map(_declared, model.signature.outputs),
            )

    async def ModelInfer(self, request: oip.ModelInferRequest, context: Context) -> oip.ModelInferResponse:
        traceparent = None
        for key, value in context.invocation_metadata() or ():
            if key == "traceparent":
                traceparent = str(value)
        async with _told(context):
            _, reply, _ = await self._service.predict(
                request.model_name, request.model_version, lambda: request_of(request), traceparent, "grpc"
            )
            return message_of(reply)

    async def RepositoryIndex(
        self, request: oip.RepositoryIndexRequest, context: Context
    ) -> oip.RepositoryIndexResponse:
        models = self._service.repository.models.values()
        return oip.RepositoryIndexResponse(
            models=[
                oip.RepositoryIndexResponse.ModelIndex(
                    name=model.identity.name, version=model.identity.version, state="READY"
                )
                for model in models
            ]
        )


def listen(service: Service, name: str, version: str, max_request_bytes: int) -> grpc.aio.Server:
    """A server that has the service and no port yet."""
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", max_request_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
        ]
    )
    add_GRPCInferenceServiceServicer_to_server(InferenceServicer(service, name, version), server)
    return server


@asynccontextmanager
async def _told(context: Context) -> AsyncIterator[None]:
    """An error of ours becomes the call's status."""
    try:
        yield
    except TidegateError as error:
        await _abort(context, error)


async def _abort(context: Context, error: TidegateError) -> NoReturn:
    if isinstance(error, Broken):
        log.error("a request met a broken promise: %s", error)
    await context.abort(code_of(error), str(error)[:MOST_MESSAGE], trailers_of(error))


def _declared(spec: TensorSpec) -> oip.ModelMetadataResponse.TensorMetadata:
    return oip.ModelMetadataResponse.TensorMetadata(name=spec.name, datatype=spec.datatype, shape=spec.shape)
