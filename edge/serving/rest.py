"""The Open Inference Protocol over HTTP: one ASGI application without a framework. It converts, calls, converts.

    GET  /v2                                       server metadata
    GET  /v2/health/live, /v2/health/ready         200, or 503
    GET  /v2/models/{m}[/versions/{v}]             model metadata
    GET  /v2/models/{m}[/versions/{v}]/ready       200, or 404
    POST /v2/models/{m}[/versions/{v}]/infer       JSON or binary tensors, in and out; gzip and deflate in
    POST /v2/repository/index                      what is served

and, on the Unix socket alone, since whoever opens that is on the device and may:

    POST /v2/repository/models/{m}/load            {"parameters": {"path", "digest", "version", "generation", ...}}
    POST /v2/repository/models/{m}/rollback        back to the model before

An error is `{"error": text, "field", "found", "wanted"}` with 400 (refused), 404, 409, 413 (too large), 503 with
`Retry-After` (come back) or 500 (our fault; the log has the story).
"""

import json
import logging
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from edge.serving.config import source_of
from edge.serving.service import Service
from edge.serving.signature import TensorSpec
from tidegate.model.errors import Broken, Conflict, NotFound, Refused, TidegateError, Unavailable
from tidegate.wire.inference import Body, decode_request, encode_reply, header_length_of

EXTENSIONS = ["binary_tensor_data", "model_repository"]
LONGEST_MESSAGE = 2000
MOST_DIGITS = 20
LEAST_HELD = 256 * 2**20
"""Bytes of requests that are not whole yet, of all clients of a listener together; more where one may be a quarter."""
RETRY_AFTER_MS = 1_000
_CONTROL = ("load", "rollback")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Answer = tuple[int, Body]
Headers = list[tuple[bytes, bytes]]

log = logging.getLogger(__name__)


class TooLarge(Refused):
    """The body is over the bound."""


class RestApp:
    """The application of one listener. `local` is the Unix socket's, which may also change what is served."""

    def __init__(self, service: Service, name: str, version: str, max_request_bytes: int, *, local: bool) -> None:
        self._service = service
        self._name = name
        self._version = version
        self._max_request_bytes = max_request_bytes
        self._local = local
        self._transport = "unix" if local else "http"
        self._most_held = max(LEAST_HELD, 4 * max_request_bytes)
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        extra: Headers = []
        try:
            status, body = await self._answer(scope, receive, extra)
        except TidegateError as error:
            if isinstance(error, Broken):
                log.error("a request met a broken promise: %s", error)
            status, body = _refusal(error)
            if isinstance(error, Unavailable):
                extra.append((b"retry-after", str(max(1, -(-error.retry_after_ms // 1000))).encode()))
        headers = [
            (b"content-type", body.content_type.encode()),
            (b"content-length", str(len(body.data)).encode()),
            *extra,
        ]
        if body.header_length is not None:
            headers.append((b"inference-header-content-length", str(body.header_length).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body.data})

    async def _answer(self, scope: Scope, receive: Receive, extra: Headers) -> Answer:
        parts: list[str] = scope["path"].strip("/").split("/")
        match scope["method"], parts:
            case "POST", ["v2", "models", name, "infer"]:
                return await self._infer(name, "", scope, receive, extra)
            case "POST", ["v2", "models", name, "versions", version, "infer"]:
                return await self._infer(name, version, scope, receive, extra)
            case "GET" | "HEAD", ["v2", "health", "live"]:
                return 200, _json({"live": True})
            case "GET" | "HEAD", ["v2", "health", "ready"]:
                return (200 if self._service.ready else 503), _json({"ready": self._service.ready})
            case "GET", ["v2"]:
                return 200, _json({"name": self._name, "version": self._version, "extensions": EXTENSIONS})
            case "GET", ["v2", "models", name]:
                return 200, self._metadata(name, "")
            case "GET", ["v2", "models", name, "versions", version]:
                return 200, self._metadata(name, version)
            case "GET", ["v2", "models", name, "ready"]:
                return 200, self._model_ready(name, "")
            case "GET", ["v2", "models", name, "versions", version, "ready"]:
                return 200, self._model_ready(name, version)
            case "POST", ["v2", "repository", "index"]:
                return 200, self._index()
            case "POST", ["v2", "repository", "models", name, verb] if verb in _CONTROL:
                return await self._control(name, verb, scope, receive)
        raise NotFound("no such address", field="path", found=scope["path"][:128], wanted="a path of the protocol's v2")

    async def _infer(self, name: str, version: str, scope: Scope, receive: Receive, extra: Headers) -> Answer:
        """`extra` gets what a caller takes off to know how long the way was: the time from the whole request on."""
        traceparent = length = encoding = None
        for key, value in scope["headers"]:
            if key == b"traceparent":
                traceparent = value.decode("latin-1")
            elif key == b"inference-header-content-length":
                length = value
            elif key == b"content-encoding":
                encoding = value.decode("latin-1")
        data = await self._body(scope, receive)
        request, reply, took_ns = await self._service.predict(
            name,
            version,
            lambda: decode_request(self._unpacked(data, encoding), header_length_of(length)),
            traceparent,
            self._transport,
        )
        extra.append((b"server-timing", b"total;dur=%d.%03d" % divmod(took_ns // 1000, 1000)))
        return 200, encode_reply(reply, request.wants_binary)

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        for key, value in scope["headers"]:
            if key != b"content-length":
                continue
            if not value.isdigit():
                raise Refused(
                    "not a length", field="Content-Length", found=value[:40].decode("latin-1"), wanted="bytes"
                )
            if len(value) > MOST_DIGITS or int(value) > self._max_request_bytes:
                raise self._too_large(value[:MOST_DIGITS].decode())
        pieces: list[bytes] = []
        size = 0
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Unavailable("the client went away before its request was whole")
                piece: bytes = message.get("body", b"")
                if size + len(piece) > self._max_request_bytes:
                    raise self._too_large(size + len(piece))
                if not message.get("more_body") and not pieces:
                    return piece
                if self._held + len(piece) > self._most_held:
                    raise Unavailable("too many large requests at a time", retry_after_ms=RETRY_AFTER_MS)
                size += len(piece)
                self._held += len(piece)
                pieces.append(piece)
                if not message.get("more_body"):
                    return b"".join(pieces)
        finally:
            self._held -= size

    def _unpacked(self, data: bytes, encoding: str | None) -> bytes:
        if encoding in (None, "", "identity"):
            return data
        windows = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
        if encoding not in windows:
            raise Refused("unknown", field="Content-Encoding", found=encoding, wanted="gzip, deflate or none")
        unpacker = zlib.decompressobj(windows[encoding])
        try:
            unpacked = unpacker.decompress(data, self._max_request_bytes + 1)
        except zlib.error as error:
            raise Refused(f"not {encoding}", field="body", found=str(error)) from error
        if len(unpacked) > self._max_request_bytes:
            raise self._too_large(len(unpacked))
        if not unpacker.eof:
            raise Refused("cut short", field="body", wanted=f"a whole {encoding} stream")
        return unpacked

    def _too_large(self, size: int | str) -> TooLarge:
        return TooLarge("too large", field="body", found=f"{size} bytes", wanted=f"at most {self._max_request_bytes}")

    def _metadata(self, name: str, version: str) -> Body:
        model = self._service.repository.find(name, version)
        return _json(
            {
                "name": name,
                "versions": [model.identity.version],
                "platform": "onnx_onnxruntime",
                "inputs": [_declared(spec) for spec in model.signature.inputs],
                "outputs": [_declared(spec) for spec in model.signature.outputs],
                "parameters": {
                    "digest": model.identity.digest,
                    "generation": model.identity.generation,
                    "device": model.device,
                    "service_time_p50_us": model.service_time.p50_ns // 1000,
                    "service_time_p99_us": model.service_time.p99_ns // 1000,
                },
            }
        )

    def _model_ready(self, name: str, version: str) -> Body:
        self._service.repository.find(name, version)
        return _json({"name": name, "ready": True})

    def _index(self) -> Body:
        models = self._service.repository.models.values()
        return _json(
            [
                {"name": model.identity.name, "version": model.identity.version, "state": "READY", "reason": ""}
                for model in models
            ]
        )

    async def _control(self, name: str, verb: str, scope: Scope, receive: Receive) -> Answer:
        if not self._local:
            raise NotFound("not offered here", field="path", found=scope["path"][:128], wanted="the Unix socket")
        data = await self._body(scope, receive)
        if verb == "rollback":
            model = await self._service.repository.rollback(name)
        else:
            try:
                given = json.loads(data)
            except (ValueError, RecursionError) as error:
                raise Refused("not JSON", field="body", found=str(error)[:120], wanted="a JSON object") from error
            parameters = given.get("parameters") if isinstance(given, dict) else None
            if not isinstance(parameters, dict):
                raise Refused("missing", field="parameters", wanted="an object with path and digest")
            model = await self._service.repository.load(source_of({**parameters, "name": name}, "parameters"))
        identity = model.identity
        return 200, _json({"name": name, "version": identity.version, "digest": identity.digest})


def _declared(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "datatype": spec.datatype, "shape": list(spec.shape)}


def _refusal(error: TidegateError) -> Answer:
    status = next(status for family, status in _STATUSES if isinstance(error, family))
    told: dict[str, Any] = {"error": str(error)[:LONGEST_MESSAGE]}
    for key, value in (("field", error.field), ("found", error.found), ("wanted", error.wanted)):
        if value not in ("", None):
            told[key] = str(value)[:LONGEST_MESSAGE]
    return status, _json(told)


_STATUSES: tuple[tuple[type[TidegateError], int], ...] = (
    (TooLarge, 413),
    (NotFound, 404),
    (Conflict, 409),
    (Refused, 400),
    (Unavailable, 503),
    (Broken, 500),
)
"""First match wins, so subclasses stand before their family."""


def _json(value: object) -> Body:
    return Body(json.dumps(value, separators=(",", ":")).encode())
