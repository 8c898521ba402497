"""Asking a device: the Open Inference Protocol over HTTP, by TCP or by a Unix socket on the device itself.

Tensors travel raw (the binary tensor extension). Connections are kept open, one per thread and address in the blocking
client; Nagle's delay is off, since a request is smaller than it waits for.
"""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import numpy as np

from tidegate.client.tracing import new_traceparent
from tidegate.model.errors import Broken, NotFound, Refused, TidegateError, Unavailable
from tidegate.wire import inference
from tidegate.wire.tensors import Tensor

Array = np.ndarray[Any, Any]


class Prediction(Mapping[str, Array]):
    """A reply: arrays by tensor name, and how it came about."""

    def __init__(
        self,
        reply: inference.InferReply,
        endpoint: str,
        traceparent: str,
        latency_us: int,
        server_us: int | None = None,
    ) -> None:
        self._outputs = {tensor.name: tensor.array for tensor in reply.outputs}
        self.model_name = reply.model_name
        self.model_version = reply.model_version
        self.endpoint = endpoint
        self.trace_id = traceparent.split("-")[1]
        self.latency_us = latency_us
        """From the first byte sent to the last byte read, as this client saw it."""
        self.server_us = server_us
        """The part of it that the server says it took; None where it says nothing."""

    def __getitem__(self, name: str) -> Array:
        return self._outputs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._outputs)

    def __len__(self) -> int:
        return len(self._outputs)

    def __repr__(self) -> str:
        return f"Prediction({self._outputs!r})"


class PredictionClient:
    """Blocking, for any number of threads."""

    def __init__(self) -> None:
        self._local = threading.local()
        self._open: set[http.client.HTTPConnection] = set()

    def infer(
        self, endpoint: str, model: str, inputs: Mapping[str, Array], traceparent: str, timeout_s: float
    ) -> Prediction:
        """One prediction. A connection that the server closed while idle is opened once more."""
        traceparent = traceparent or new_traceparent()
        body = _body(inputs)
        headers = _headers(body, traceparent)
        for fresh in (False, True):
            connection = self._connection(endpoint, timeout_s, fresh)
            started = time.perf_counter_ns()
            try:
                connection.request("POST", _path(model), body.data, headers)
                response = connection.getresponse()
                data = response.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if fresh or isinstance(error, TimeoutError):
                    raise Unavailable(
                        f"{endpoint} does not answer: {error}", field="endpoint", found=endpoint
                    ) from error
                continue
            latency_us = (time.perf_counter_ns() - started) // 1000
            if response.status != 200:
                raise _error(response.status, data, endpoint, response.getheader("Retry-After"))
            length = inference.header_length_of(response.getheader(inference.HEADER_LENGTH))
            server_us = _server_us(response.getheader("Server-Timing"))
            return Prediction(inference.decode_reply(data, length), endpoint, traceparent, latency_us, server_us)
        raise AssertionError("unreachable: the second try returns or raises")

    def close(self) -> None:
        """Closes every connection, of every thread."""
        for connection in tuple(self._open):
            connection.close()
        self._open.clear()

    def _connection(self, endpoint: str, timeout_s: float, fresh: bool) -> http.client.HTTPConnection:
        known: dict[str, http.client.HTTPConnection] = self._local.__dict__.setdefault("known", {})
        if fresh or endpoint not in known:
            known[endpoint] = _Connection(endpoint, timeout_s)
            self._open.add(known[endpoint])
        known[endpoint].timeout = timeout_s
        return known[endpoint]


class AsyncPredictionClient:
    """For programs on an event loop."""

    def __init__(self) -> None:
        self._clients: dict[str, httpx.AsyncClient] = {}

    async def infer(
        self, endpoint: str, model: str, inputs: Mapping[str, Array], traceparent: str, timeout_s: float
    ) -> Prediction:
        """One prediction."""
        traceparent = traceparent or new_traceparent()
        body = _body(inputs)
        started = time.perf_counter_ns()
        try:
            response = await self._client(endpoint).post(
                _path(model), content=bytes(body.data), headers=_headers(body, traceparent), timeout=timeout_s
            )
        except httpx.TransportError as error:
            raise Unavailable(f"{endpoint} does not answer: {error}", field="endpoint", found=endpoint) from error
        latency_us = (time.perf_counter_ns() - started) // 1000
        if response.status_code != 200:
            raise _error(response.status_code, response.content, endpoint, response.headers.get("Retry-After"))
        length = inference.header_length_of(response.headers.get(inference.HEADER_LENGTH))
        server_us = _server_us(response.headers.get("Server-Timing"))
        return Prediction(
            inference.decode_reply(response.content, length), endpoint, traceparent, latency_us, server_us
        )

    async def close(self) -> None:
        """Closes every connection."""
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    def _client(self, endpoint: str) -> httpx.AsyncClient:
        if endpoint not in self._clients:
            path = _socket_path(endpoint)
            transport = httpx.AsyncHTTPTransport(uds=path) if path else None
            base = "http://device" if path else endpoint
            self._clients[endpoint] = httpx.AsyncClient(base_url=base, transport=transport, trust_env=False)
        return self._clients[endpoint]


class _Connection(http.client.HTTPConnection):
    """HTTP over TCP (`http://host:port`) or a Unix socket (`unix:/path`)."""

    def __init__(self, endpoint: str, timeout_s: float) -> None:
        self._path = _socket_path(endpoint)
        parts = urlsplit(endpoint)
        if not self._path and (parts.scheme != "http" or not parts.hostname):
            raise Refused("is no endpoint", field="endpoint", found=endpoint, wanted="http://host:port or unix:/path")
        super().__init__(parts.hostname or "device", parts.port, timeout=timeout_s)

    def connect(self) -> None:
        """Dials; http.client calls this before the first request and after a close."""
        if self._path:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(self.timeout)
            self.sock.connect(self._path)
        else:
            super().connect()
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _socket_path(endpoint: str) -> str:
    return endpoint.removeprefix("unix:").removeprefix("//") if endpoint.startswith("unix:") else ""


def _body(inputs: Mapping[str, Array]) -> inference.Body:
    tensors = tuple(Tensor(name, np.asarray(array)) for name, array in inputs.items())
    return inference.encode_request(inference.InferRequest(inputs=tensors))


def _path(model: str) -> str:
    return f"/v2/models/{quote(model, safe='')}/infer"


def _headers(body: inference.Body, traceparent: str) -> dict[str, str]:
    headers = {"Content-Type": body.content_type, "traceparent": traceparent}
    if body.header_length is not None:
        headers[inference.HEADER_LENGTH] = str(body.header_length)
    return headers


def _server_us(timing: str | None) -> int | None:
    """Microseconds in a `Server-Timing` header's `total` (milliseconds, W3C); None where there is none."""
    for metric in (timing or "").split(","):
        name, *parameters = (part.strip() for part in metric.split(";"))
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if name == "total" and key == "dur":
                try:
                    return int(float(value.strip('"')) * 1_000)
                except (ValueError, OverflowError):
                    return None
    return None


def _error(status: int, data: bytes, endpoint: str, retry_after: str | None) -> TidegateError:
    """What a status that is not 200 means; the body says why."""
    try:
        said = str(json.loads(data)["error"])
    except (ValueError, KeyError, TypeError):
        said = data[:200].decode("utf-8", "replace") or f"HTTP {status}"
    if status == 404:
        return NotFound(said, field="model")
    if status in (429, 502, 503, 504):
        wait = int(retry_after) * 1000 if retry_after and retry_after.isdigit() else 0
        return Unavailable(said, field="endpoint", found=endpoint, retry_after_ms=wait)
    return Refused(said) if 400 <= status < 500 else Broken(said, field="endpoint", found=endpoint)
