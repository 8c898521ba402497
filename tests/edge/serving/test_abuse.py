"""Clients that mean harm, or are broken, over real sockets: typed answers, others served meanwhile, memory bounded."""

import contextlib
import gzip
import json
import socket
from pathlib import Path

import psutil
import pytest

from tests.edge.serving.served import ModelFile, Served, images, serving
from tests.support.until import until
from tidegate.wire.inference import HEADER_LENGTH, InferRequest, encode_request
from tidegate.wire.tensors import Tensor

MIB = 2**20
INFER = "/v2/models/digits/infer"


@pytest.fixture(scope="module")
def abused(tmp_path_factory: pytest.TempPathFactory, digits_model: ModelFile) -> Served:
    with serving(tmp_path_factory.mktemp("abused"), {"digits": digits_model}, max_request_bytes=MIB) as server:
        yield server


@pytest.fixture(autouse=True)
def stays_small_and_serves(abused: Served):
    """Whatever a test does, the server answers afterwards, and holds not much more than before."""
    assert abused.process is not None
    process = psutil.Process(abused.process.pid)
    predict(abused)
    before = process.memory_info().rss
    yield
    predict(abused)
    assert process.memory_info().rss - before < 64 * MIB


def predict(server: Served) -> None:
    body = encode_request(InferRequest((Tensor("X", images()[0][:1]),)))
    with server.client() as client:
        headers = {"Content-Type": body.content_type, HEADER_LENGTH: str(body.header_length)}
        assert client.post(INFER, content=body.data, headers=headers).status_code == 200


def dial(server: Served) -> socket.socket:
    host, _, port = server.ready()["http"].rpartition(":")
    return socket.create_connection((host, int(port)), timeout=30)


def answer(raw: socket.socket) -> tuple[int, dict[str, str]]:
    """Status and JSON of what comes until the server hangs up or the body is whole."""
    data = b""
    while b"\r\n\r\n" not in data and (piece := raw.recv(65_536)):
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    while len(body) < length and (piece := raw.recv(65_536)):
        body += piece
    return int(head.split(b" ")[1]), json.loads(body)


def head(*lines: str) -> bytes:
    return "\r\n".join((f"POST {INFER} HTTP/1.1", "Host: device", *lines, "", "")).encode()


def test_a_length_that_nobody_may_send_is_refused_before_it_comes(abused: Served) -> None:
    with dial(abused) as raw:
        raw.sendall(head("Content-Length: 99999999999999"))
        status, told = answer(raw)
    assert (status, told["field"]) == (413, "body")


def test_headers_without_end_are_cut_off(abused: Served) -> None:
    with dial(abused) as raw, pytest.raises(OSError):
        raw.sendall(head("Content-Length: 1")[:-2] + b"X-Endless: ")
        for _ in range(200):
            raw.sendall(b"x" * MIB)
        raise AssertionError("200 MiB of a header were taken")


def test_many_headers_are_refused(abused: Served) -> None:
    with dial(abused) as raw:
        raw.sendall(head("Content-Length: 1")[:-2] + b"".join(b"x%d: y\r\n" % number for number in range(20_000)))
        try:
            status, told = answer(raw)
        except ConnectionResetError:
            return  # it hung up while we were still sending
    assert (status, told["field"]) == (431, "headers")


def test_what_is_no_http_is_answered_as_the_protocol_answers(abused: Served) -> None:
    with dial(abused) as raw:
        raw.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
        status, told = answer(raw)
    assert (status, told["field"]) == (400, "request")


@pytest.mark.parametrize(
    ("body", "headers", "field"),
    [
        (b"[" * 500_000, {}, "body"),
        (b'{"inputs":' + b"9" * 900_000 + b"}", {}, "body"),
        (b'{"inputs":[{"name":"X","shape":[1e999],"datatype":"FP32","data":[]}]}', {}, "inputs[0].shape"),
        (b'{"inputs":[{"name":"\xff\xfe","shape":[1]}]}', {}, "body"),
        (b'{"inputs":[]}', {HEADER_LENGTH: "9" * 500}, HEADER_LENGTH),
        (b"\x1f\x8b\x08" + b"\0" * 100, {"Content-Encoding": "gzip"}, "body"),
        (b"{}", {"Content-Encoding": "zstd"}, "Content-Encoding"),
        (b"<xml/>", {"Content-Type": "text/xml"}, "body"),
    ],
)
def test_a_body_of_rubbish_is_refused_by_field(abused: Served, body: bytes, headers: dict, field: str) -> None:
    with abused.client() as client:
        found = client.post(INFER, content=body, headers=headers)
    assert (found.status_code, found.json()["field"]) == (400, field), found.text


def test_a_bomb_of_a_body_is_refused_at_the_bound(abused: Served) -> None:
    with abused.client() as client:
        found = client.post(INFER, content=gzip.compress(bytes(200 * MIB), 1), headers={"Content-Encoding": "gzip"})
    assert found.status_code == 413


def test_half_requests_by_the_hundred_keep_nobody_else_out(abused: Served) -> None:
    half = [dial(abused) for _ in range(300)]
    try:
        for number, raw in enumerate(half):
            raw.sendall(head("Content-Length: 900000")[: 20 if number % 2 else None] + b"x" * (number % 2 * 10))
        predict(abused)
    finally:
        for raw in half:
            raw.close()


def test_a_reader_that_never_reads_keeps_nobody_else_out(abused: Served) -> None:
    body = encode_request(InferRequest((Tensor("X", images()[0][:50]),)), binary=False).data
    with dial(abused) as raw:
        raw.settimeout(1)
        with contextlib.suppress(TimeoutError):  # it may stop taking what nobody reads the answers of
            for _ in range(3_000):
                raw.sendall(head(f"Content-Length: {len(body)}") + body)
        predict(abused)


def test_a_path_that_leads_out_is_no_address(abused: Served) -> None:
    for path in (
        "/v2/models/../../etc/passwd",
        "/v2/models/%2e%2e%2f%2e%2e/ready",
        "/v2/models/a%00b",
        "/v2/" + "a/" * 5_000,
    ):
        with abused.client() as client:
            assert client.get(path).status_code in (400, 404)


def test_a_model_behind_a_link_is_what_its_digest_says_or_nothing(abused: Served, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").symlink_to("/etc/passwd")
    told = {"parameters": {"path": str(tmp_path / "model.onnx"), "digest": "0" * 64}}
    with abused.client(unix=True) as client:
        found = client.post("/v2/repository/models/digits/load", json=told)
    assert found.status_code == 400 and "not the model that was asked for" in found.json()["error"]
    until(lambda: abused.ready()["models"], 5, "what was served before")
