"""HTTP, on TCP and on the Unix socket: answers, metadata, and mistakes that are named."""

import gzip
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from tests.edge.serving.served import Served, images
from tidegate.wire.inference import (
    HEADER_LENGTH,
    InferReply,
    InferRequest,
    RequestedOutput,
    decode_reply,
    encode_request,
    header_length_of,
)
from tidegate.wire.tensors import Tensor


@pytest.fixture(params=["http", "unix"])
def client(server: Served, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    with server.client(unix=request.param == "unix") as opened:
        yield opened


def ask(
    client: httpx.Client,
    model: str,
    request: InferRequest,
    *,
    binary: bool = True,
) -> InferReply:
    body = encode_request(request, binary=binary)
    sent = {"Content-Type": body.content_type}
    if body.header_length is not None:
        sent[HEADER_LENGTH] = str(body.header_length)
    answer = client.post(f"/v2/models/{model}/infer", content=body.data, headers=sent)
    assert answer.status_code == 200, answer.text
    return decode_reply(answer.content, header_length_of(answer.headers.get(HEADER_LENGTH)))


def test_an_answer_says_how_long_it_took_so_that_a_caller_knows_the_way(client: httpx.Client) -> None:
    body = encode_request(InferRequest((Tensor("X", images()[0][:1]),)))
    headers = {"Content-Type": body.content_type, HEADER_LENGTH: str(body.header_length)}
    answer = client.post("/v2/models/digits/infer", content=body.data, headers=headers)
    name, _, took = answer.headers["Server-Timing"].partition(";dur=")
    assert name == "total" and 0 < float(took) < answer.elapsed.total_seconds() * 1_000


@pytest.mark.parametrize("binary", [True, False])
def test_real_digits_are_told_apart(client: httpx.Client, binary: bool) -> None:
    pixels, labels = images()
    reply = ask(client, "digits", InferRequest((Tensor("X", pixels[1500:]),), id="q-1"), binary=binary)
    assert (reply.model_name, reply.model_version, reply.id) == ("digits", "1", "q-1")
    assert (reply["label"] == labels[1500:]).mean() > 0.85
    assert reply["probabilities"].shape == (297, 10)
    assert np.allclose(reply["probabilities"].sum(axis=1), 1, atol=1e-4)


def test_only_the_outputs_asked_for_come_back_each_in_its_form(client: httpx.Client) -> None:
    pixels, _ = images()
    wanted = (RequestedOutput("probabilities", binary=False), RequestedOutput("label", binary=True))
    reply = ask(client, "digits", InferRequest((Tensor("X", pixels[:2]),), outputs=wanted))
    assert [output.name for output in reply.outputs] == ["probabilities", "label"]


@pytest.mark.parametrize("binary", [True, False])
def test_text_goes_through_a_model_and_comes_back(client: httpx.Client, binary: bool) -> None:
    texts = np.array(["Gießerei", "", "press 7"], dtype=object)
    reply = ask(client, "echo", InferRequest((Tensor("text", texts),)), binary=binary)
    assert [piece.decode() for piece in reply["said"]] == ["Gießerei", "", "press 7"]


def test_a_packed_request_is_unpacked(client: httpx.Client) -> None:
    pixels, labels = images()
    body = encode_request(InferRequest((Tensor("X", pixels[:3]),)), binary=False)
    for encoding, packed in (("gzip", gzip.compress(body.data)), ("deflate", zlib.compress(body.data))):
        answer = client.post("/v2/models/digits/infer", content=packed, headers={"Content-Encoding": encoding})
        assert answer.json()["outputs"][0]["data"] == labels[:3].tolist()


def test_a_request_in_pieces_is_put_together(client: httpx.Client) -> None:
    pixels, labels = images()
    data = encode_request(InferRequest((Tensor("X", pixels[:3]),)), binary=False).data
    answer = client.post("/v2/models/digits/infer", content=iter([data[:100], data[100:300], data[300:]]))
    assert answer.json()["outputs"][0]["data"] == labels[:3].tolist()


def test_the_server_and_its_models_describe_themselves(client: httpx.Client, server: Served) -> None:
    about = client.get("/v2").json()
    assert about["name"] == "tidegate"
    assert "binary_tensor_data" in about["extensions"]
    assert client.get("/v2/health/live").status_code == 200
    assert client.get("/v2/health/ready").status_code == 200
    assert client.get("/v2/models/digits/ready").status_code == 200
    assert client.get("/v2/models/digits/versions/1/ready").status_code == 200
    assert client.get("/v2/models/digits/versions/2/ready").status_code == 404
    digits = client.get("/v2/models/digits").json()
    assert digits["platform"] == "onnx_onnxruntime"
    assert digits["inputs"] == [{"name": "X", "datatype": "FP32", "shape": [-1, 64]}]
    assert [output["name"] for output in digits["outputs"]] == ["label", "probabilities"]
    assert digits["parameters"]["digest"] == server.config["models"][0]["digest"]
    assert {model["name"] for model in client.post("/v2/repository/index").json()} == {"digits", "echo"}


GOOD: dict[str, Any] = {"name": "X", "shape": [1, 64], "datatype": "FP32", "data": [0.0] * 64}


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("digts", {"inputs": [GOOD]}, 404, ["model_name", "digts", "digits (did you mean that?)"]),
        ("digits/versions/9", {"inputs": [GOOD]}, 404, ["model_version", "'9'", "wanted 1"]),
        ("digits", {}, 400, ["inputs", "missing"]),
        ("digits", {"inputs": []}, 400, ["an input is missing", "X (FP32 [-1, 64])"]),
        (
            "digits",
            {"inputs": [{**GOOD, "name": "x"}]},
            400,
            ["inputs[0].name", "unknown input", "X (did you mean that?)"],
        ),
        ("digits", {"inputs": [{**GOOD, "datatype": "FP64"}]}, 400, ["inputs[0].datatype", "FP64", "wanted FP32"]),
        (
            "digits",
            {"inputs": [{**GOOD, "shape": [1, 63], "data": [0] * 63}]},
            400,
            ["inputs[0].shape", "[1, 63]", "[-1, 64]"],
        ),
        ("digits", {"inputs": [GOOD], "outputs": [{"name": "lable"}]}, 400, ["outputs[0].name", "label (did you mean"]),
        ("digits", {"inputs": [GOOD], "outputs": [{"name": "label"}] * 2}, 400, ["outputs[1].name", "named twice"]),
    ],
)
def test_a_mistake_is_answered_with_what_would_be_right(
    client: httpx.Client, path: str, body: dict[str, Any], status: int, words: list[str]
) -> None:
    answer = client.post(f"/v2/models/{path}/infer", json=body)
    assert answer.status_code == status
    told = answer.json()
    for word in words:
        assert word in told["error"]
    assert told["field"] and told["wanted"]


def test_other_addresses_encodings_and_sizes_are_refused(client: httpx.Client) -> None:
    assert client.get("/metrics").status_code == 404
    assert client.get("/v2/models/digits/infer").status_code == 404
    url = "/v2/models/digits/infer"
    assert client.post(url, content=b"x" * (2**20 + 1)).status_code == 413
    assert client.post(url, content=iter([b"x" * 2**19] * 3)).status_code == 413
    bomb = gzip.compress(b" " * 2**22)
    assert client.post(url, content=bomb, headers={"Content-Encoding": "gzip"}).status_code == 413
    assert "Content-Encoding" in client.post(url, content=b"x", headers={"Content-Encoding": "br"}).json()["error"]
    short = client.post(url, content=gzip.compress(b"{}")[:-4], headers={"Content-Encoding": "gzip"})
    assert "cut short" in short.json()["error"]
    lying = client.post(url, content=b"{}", headers={HEADER_LENGTH: "3"})
    assert HEADER_LENGTH in lying.json()["error"]


def test_what_is_served_can_be_changed_from_the_device_alone(server: Served) -> None:
    with server.client() as remote:
        assert remote.post("/v2/repository/models/digits/rollback").status_code == 404
        assert "the Unix socket" in remote.post("/v2/repository/models/digits/load").json()["error"]
    with server.client(unix=True) as local:
        assert local.post("/v2/repository/models/digits/rollback").status_code == 409
