"""Triton's public clients, HTTP and gRPC, work unchanged; and what they sent is traced as they said."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.edge.serving.served import ASSIGNMENT, Served, attributes, images
from tests.support.until import until

CALLER = Path(__file__).with_name("triton_caller.py")
TRACES = {
    "http": "00-11111111111111111111111111111111-2222222222222222-01",
    "grpc": "00-11111111111111111111111111111111-2222222222222222-01",
}


@pytest.fixture(scope="module")
def seen(server: Served, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    pixels = tmp_path_factory.mktemp("triton") / "pixels.npy"
    np.save(pixels, images()[0][:5])
    ready = server.ready()
    command = [sys.executable, str(CALLER), ready["http"], ready["grpc"], str(pixels), TRACES["http"]]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_a_public_client_sees_what_the_server_says(seen: dict[str, Any], transport: str) -> None:
    found = seen[transport]
    labels = images()[1][:5].tolist()
    assert (found["live"], found["ready"], found["model"], found["no model"]) == (True, True, True, False)
    assert found["labels"] == labels
    assert found["probabilities"] == [5, 10]
    assert found["chosen"] == labels
    assert found["left out"] is True
    assert found["texts"] == ["Gießerei", ""]
    assert found["platform"] == "onnx_onnxruntime"
    assert found["server"] == "tidegate"
    assert found["index"] == ["digits", "echo"]


def test_json_in_and_out_packed_on_the_way(seen: dict[str, Any]) -> None:
    assert seen["http"]["as JSON"] == images()[1][:5].tolist()


@pytest.mark.parametrize(
    ("transport", "statuses"),
    [
        ("http", ["400", "404", "400"]),
        ("grpc", ["StatusCode.INVALID_ARGUMENT", "StatusCode.NOT_FOUND", "StatusCode.INVALID_ARGUMENT"]),
    ],
)
def test_a_public_client_is_told_its_mistakes(seen: dict[str, Any], transport: str, statuses: list[str]) -> None:
    errors = seen[transport]["errors"]
    assert [status for status, _ in errors] == statuses
    assert "inputs[0].shape" in errors[0][1] and "[-1, 64]" in errors[0][1]
    assert "digits (did you mean that?)" in errors[1][1]
    assert "unknown input" in errors[2][1]


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_the_callers_trace_goes_on_and_links_to_the_assignment(
    seen: dict[str, Any], server: Served, transport: str
) -> None:
    _, trace_id, caller, _ = TRACES[transport].split("-")
    spans = until(
        lambda: [
            span
            for span in server.spans()
            if span.trace_id.hex() == trace_id and attributes(span)["tidegate.transport"] == transport
        ],
        what="the caller's span in the spool",
    )
    assert len(spans) == 1
    assert spans[0].parent_span_id.hex() == caller
    assert spans[0].links[0].trace_id.hex() == ASSIGNMENT.split("-")[1]
    assert spans[0].links[0].span_id.hex() == ASSIGNMENT.split("-")[2]
    assert attributes(spans[0])["tidegate.request_id"] == "q-7"
