"""What a model server reads: tensors in both forms, HTTP requests, model files, its configuration, trace contexts.

A prediction goes all the way: read, checked against a model's signature, run by ONNX Runtime, summed up for the record,
and written as an answer.
"""

import asyncio
import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from edge.serving.config import ModelSource, config_of, source_of
from edge.serving.messages import message_of, request_of
from edge.serving.model import LoadedModel, load
from edge.serving.prediction import Call, ModelIdentity, Origin, predictions_payload, spans_payload
from edge.serving.recorder import NoRecorder
from edge.serving.repository import Repository
from edge.serving.rest import RestApp
from edge.serving.service import Service
from edge.serving.signature import ANY, Signature, TensorSpec
from edge.serving.trace import SpanContext, parse
from tests.fuzzing.mutation import by_field, mutated
from tests.fuzzing.target import Target
from tests.support.models import plus_one
from tidegate.model.errors import Refused, Unavailable
from tidegate.oip import open_inference_pb2 as oip
from tidegate.wire.inference import (
    HEADER_LENGTH,
    InferReply,
    InferRequest,
    RequestedOutput,
    decode_reply,
    decode_request,
    encode_reply,
    encode_request,
    header_length_of,
)
from tidegate.wire.tensors import NUMPY, Tensor

SHM = "/dev/shm" if Path("/dev/shm").is_dir() else None
SIGNATURES = tuple(
    Signature((TensorSpec("x", datatype, (ANY, 4)),), (TensorSpec("y", datatype, (ANY, 4)),))
    for datatype in ("FP32", "BYTES", "INT64")
)
IDENTITY = ModelIdentity("plus-one", "1", "ab" * 32, 7, None)
SPAN = SpanContext(b"t" * 16, b"s" * 8)
TOKENS = tuple(
    word.encode()
    for word in (
        *('"inputs":[', '"shape":[', '"datatype":"FP32"', '"BYTES"', '"data":[', '"parameters":{', "null", "1e999"),
        *('"binary_data_size":', '"binary_data":true', '"outputs":[', "NaN", "-Infinity", '"\\ud800"', "[[", "]]"),
        *("18446744073709551616", "9223372036854775808", '"BF16"', '"UINT64"', '"FP16"', "true", "[]", "{}", "1.5"),
    )
)


def tensors_json(data: bytes) -> None:
    """A body of the protocol: two bytes say where its JSON ends (0: all of it), then the body."""
    length, body = int.from_bytes(data[:2], "big"), data[2:]
    try:
        decode_reply(body, length or None)
    except Refused:
        pass
    _answered(decode_request(body, length or None))


def tensors_grpc(data: bytes) -> None:
    """A `ModelInferRequest`; what is no message at all never reaches the servicer."""
    from google.protobuf.message import DecodeError

    try:
        message = oip.ModelInferRequest.FromString(data)
    except DecodeError:
        return
    _answered(request_of(message))


def _answered(request: InferRequest) -> None:
    """As far as it can come without a model: checked, echoed, summed up, written."""
    for signature in SIGNATURES:
        try:
            signature.feeds(request)
            signature.chosen(request)
        except Refused:
            continue
    reply = InferReply("plus-one", request.inputs, "1", request.id)
    call = Call(
        IDENTITY, "plus-one", request.id, SPAN, None, 1, 2, 3, 4, "http", "", True, request.inputs, request.inputs
    )
    predictions_payload(Origin("press-7", "plus-one"), [call])
    spans_payload(Origin("press-7", "plus-one"), [call])
    message_of(reply)
    encode_reply(reply, lambda name: True)
    encode_reply(reply, lambda name: False)


def edge_http(data: bytes) -> None:
    """A whole request: a line of method and path, lines of headers, an empty line, the body. Any answer is typed."""
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    method, _, path = first.partition(b" ")
    headers = [(key.lower().strip(), value.strip()) for key, _, value in (line.partition(b":") for line in lines)]
    scope = {
        "type": "http",
        "method": method.decode("latin-1").upper(),
        "path": path.decode("utf-8", "replace"),
        "headers": headers,
    }
    for local in (False, True):
        status, told, answer = _asked(scope, body, local=local)
        assert status in (200, 400, 404, 409, 413, 503), (status, answer)
        if status != 200 and method not in (b"HEAD", b"GET"):
            assert json.loads(answer)["error"]
        assert int(dict(told)[b"content-length"]) == len(answer)


def _asked(scope: dict[str, Any], body: bytes, *, local: bool) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    sent: list[dict[str, Any]] = []
    pieces = [body[: len(body) // 2], body[len(body) // 2 :]]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)} if pieces else _GONE

    async def send(message: Any) -> None:
        sent.append(message)

    app = RestApp(_service(), "fuzzed", "1", 1_000_000, local=local)
    _loop().run_until_complete(app(dict(scope), receive, send))
    return sent[0]["status"], sent[0]["headers"], b"".join(one["body"] for one in sent[1:])


_GONE = {"type": "http.disconnect"}


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


class _Clock:
    def wall_ns(self) -> int:
        return 1_790_000_000_000_000_000

    def monotonic_ns(self) -> int:
        return 1


@cache
def _service() -> Service:
    repository = Repository(
        service="camera",
        providers=("CPUExecutionProvider",),
        threads=1,
        warmup_runs=0,
        clock=_Clock(),
        chance=bytes,
        on_load=lambda fact: None,
        on_change=lambda: None,
    )
    service = Service(repository, NoRecorder(), _Clock(), bytes, max_concurrent=4, parallel_runs=1)
    repository._current["plus-one"] = _loaded(plus_one())
    return service


def _loaded(model: bytes) -> LoadedModel:
    with _file(model) as path:
        source = ModelSource("plus-one", str(path), hashlib.sha256(model).hexdigest())
        loaded = load(source, ("CPUExecutionProvider",), 1)
    loaded.service_time = loaded.service_time.__class__(1, 1, 1)  # fast: it runs where the request is read
    return loaded


def model_files(data: bytes) -> None:
    """A model file of any bytes under its own digest: it is served, or refused."""
    loaded = _loaded(data)
    loaded.warm_up(1, lambda: 1)


@contextmanager
def _file(data: bytes) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile(dir=SHM, suffix=".onnx") as file:
        file.write(data)
        file.flush()
        yield Path(file.name)


def serving_config(data: bytes) -> None:
    """The configuration file, and the parameters of a load."""
    from edge.serving.config import read

    with _file(data) as path:
        given = read(path)
    try:
        source_of(given, "parameters")
    except Refused:
        pass
    config_of(given)


def traceparent(data: bytes) -> None:
    """A header of any text: a context, or none."""
    text = data.decode("latin-1")
    found = parse(text)
    assert found is None or (len(found.trace_id), len(found.span_id)) == (16, 8)
    try:
        header_length_of(data)
    except Refused:
        pass


def json_seeds() -> list[bytes]:
    found: list[bytes] = []
    arrays = [np.arange(8).reshape(2, 4).astype(dtype) for name, dtype in NUMPY.items() if name != "BYTES"]
    texts = np.array([[b"a", b"bc", b"", b"\xff"]], object)
    for array in (*arrays, texts):
        request = InferRequest((Tensor("x", array),), "q-1", (RequestedOutput("y", True),), {"a": 1})
        for binary in (True, False):
            if array is texts and not binary:
                continue
            body = encode_request(request, binary=binary)
            found.append((body.header_length or 0).to_bytes(2, "big") + body.data)
    found.append(b"\0\0" + b'{"inputs":[{"name":"x","shape":[1,4],"datatype":"BYTES","data":["a","b","c","d"]}]}')
    return found


def grpc_seeds() -> list[bytes]:
    contents = oip.InferTensorContents(fp32_contents=[1, 2, 3, 4])
    tensor = oip.ModelInferRequest.InferInputTensor(name="x", datatype="FP32", shape=[1, 4], contents=contents)
    typed = oip.ModelInferRequest(model_name="plus-one", id="q", inputs=[tensor])
    tensor = oip.ModelInferRequest.InferInputTensor(name="x", datatype="FP32", shape=[1, 4])
    raw = oip.ModelInferRequest(model_name="plus-one", inputs=[tensor], raw_input_contents=[bytes(16)])
    texts = oip.ModelInferRequest.InferInputTensor(name="x", datatype="BYTES", shape=[2])
    bytes_ = oip.ModelInferRequest(inputs=[texts], raw_input_contents=[b"\1\0\0\0a\0\0\0\0"])
    return [bytes(one.SerializeToString()) for one in (typed, raw, bytes_)]


def http_seeds() -> list[bytes]:
    body = encode_request(InferRequest((Tensor("x", np.ones((1, 4), np.float32)),)), binary=True)
    plain = encode_request(InferRequest((Tensor("x", np.ones((1, 4), np.float32)),)), binary=False)
    path = b"POST /v2/models/plus-one/infer\n"
    load_ = json.dumps({"parameters": {"path": "/nowhere", "digest": "0" * 64}}).encode()
    length = f"{HEADER_LENGTH}: {body.header_length}".encode()
    return [
        path + b"content-length: " + str(len(plain.data)).encode() + b"\n\n" + plain.data,
        path + length + b"\ntraceparent: 00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01\n\n" + body.data,
        path + b"content-encoding: gzip\n\n\x1f\x8b\x08\0\0\0\0\0",
        b"GET /v2\n\n",
        b"GET /v2/models/plus-one\n\n",
        b"GET /v2/models/camera/versions/1/ready\n\n",
        b"GET /v2/health/ready\n\n",
        b"POST /v2/repository/index\n\n{}",
        b"POST /v2/repository/models/plus-one/load\ncontent-type: application/json\n\n" + load_,
        b"POST /v2/repository/models/plus-one/rollback\n\n",
    ]


def model_seeds() -> list[bytes]:
    return [plus_one()]


def config_seeds() -> list[bytes]:
    source = {"name": "digits", "version": "3", "path": "/m", "digest": "ab" * 32, "generation": 7, "format": "onnx"}
    config = {"service": "a", "http": "127.0.0.1:0", "models": [source], "audit": "off", "providers": ["x"]}
    return [
        json.dumps(config).encode(),
        json.dumps(source).encode(),
        json.dumps(config | {"unix": "/a", "grpc": "[::1]:1"}).encode(),
    ]


def model_mutation(random: Random, data: bytes) -> bytes:
    """By the model's own fields: other shapes, types, operators, graphs in graphs."""
    from onnx import ModelProto

    return by_field(ModelProto)(random, data)


def http_mutation(random: Random, data: bytes) -> bytes:
    """Of the head alone, or of the body alone."""
    head, _, body = data.partition(b"\n\n")
    if random.random() < 0.5:
        words = (b"content-length: 99999999999999999999", b"\ncontent-encoding: deflate", b"/..", b"%00", b"/versions/")
        head = mutated(random, head, [], words, 2_000)
    else:
        body = mutated(random, body, [], TOKENS, 16_384)
    return head + b"\n\n" + body


TARGETS = (
    Target("tensors-json", tensors_json, json_seeds, tokens=TOKENS),
    Target("tensors-grpc", tensors_grpc, grpc_seeds, mutation=by_field(oip.ModelInferRequest)),
    Target("edge-http", edge_http, http_seeds, tokens=TOKENS, mutation=http_mutation, refused=()),
    # ONNX Runtime is given what the model asks for: a session takes tens of milliseconds, an input a request's size.
    Target(
        "model-files",
        model_files,
        model_seeds,
        refused=(Refused, Unavailable),
        mutation=model_mutation,
        cpu_ms=500,
        memory_bytes=3 * 2**30,
    ),
    Target("serving-config", serving_config, config_seeds, tokens=TOKENS),
    Target("traceparent", traceparent, lambda: [b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01", b"120"]),
)
