"""Real models and real model servers for the tests: a process of its own, found through its ready file."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from skl2onnx import to_onnx
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from agents.spool import Kind, RealFiles, SpoolReader
from tests.support.until import until
from tidegate.v1.prediction_pb2 import Prediction, PredictionBatch

ASSIGNMENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass(frozen=True)
class ModelFile:
    path: Path
    digest: str


@cache
def images() -> tuple[np.ndarray, np.ndarray]:
    """Shapes (1797, 64) in 0..1 and (1797,): scikit-learn's digits."""
    pixels, labels = load_digits(return_X_y=True)
    return (pixels / 16).astype(np.float32), labels


def digits(folder: Path, *, examples: int = 1500) -> ModelFile:
    """A classifier trained on so many digits: input `X` FP32 [-1, 64], outputs `label` and `probabilities`."""
    pixels, labels = images()
    model = LogisticRegression(max_iter=300).fit(pixels[:examples], labels[:examples])
    return _written(folder / f"digits-{examples}.onnx", to_onnx(model, pixels[:1], options={"zipmap": False}))


def slow(folder: Path, *, rounds: int = 40) -> ModelFile:
    """Input `x` FP32 [1], output `y`: tens of milliseconds of matrix products, which no optimiser folds."""
    side = 512
    weights = np.random.default_rng(0).standard_normal((side, side)).astype(np.float32) / 32
    nodes = [helper.make_node("Add", ["w", "x"], ["m0"])]
    nodes += [helper.make_node("MatMul", [f"m{index}", "w"], [f"m{index + 1}"]) for index in range(rounds)]
    nodes.append(helper.make_node("ReduceMax", [f"m{rounds}"], ["y"], keepdims=0))
    graph = helper.make_graph(
        nodes,
        "slow",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [])],
        [numpy_helper.from_array(weights, "w")],
    )
    return _written(folder / "slow.onnx", helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]))


def echo(folder: Path, kind: int = TensorProto.STRING) -> ModelFile:
    """Input `text` of any one-dimensional size, output `said`: the same."""
    graph = helper.make_graph(
        [helper.make_node("Identity", ["text"], ["said"])],
        "echo",
        [helper.make_tensor_value_info("text", kind, [None])],
        [helper.make_tensor_value_info("said", kind, [None])],
    )
    return _written(folder / "echo.onnx", helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]))


def _written(path: Path, model: onnx.ModelProto) -> ModelFile:
    model.ir_version = min(model.ir_version, 10)
    data = model.SerializeToString()
    path.write_bytes(data)
    return ModelFile(path, hashlib.sha256(data).hexdigest())


class Served:
    """One model server in a process of its own."""

    def __init__(self, folder: Path, models: dict[str, ModelFile], **settings: Any) -> None:
        self.folder = folder
        self.spool = folder / "spool"
        self.ready_file = folder / "ready.json"
        self.config_file = folder / "config.json"
        self.config: dict[str, Any] = {
            "service": "line-camera",
            "site": "press-7",
            "http": "127.0.0.1:0",
            "grpc": "127.0.0.1:0",
            "unix": str(folder / "serving.sock"),
            "ready_file": str(self.ready_file),
            "spool": str(self.spool),
            "audit": "every_prediction",
            "models": [
                {
                    "name": name,
                    "path": str(file.path),
                    "digest": file.digest,
                    "generation": 7,
                    "traceparent": ASSIGNMENT,
                }
                for name, file in models.items()
            ],
            **settings,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def write_config(self) -> None:
        self.config_file.write_text(json.dumps(self.config))

    def start(self) -> "Served":
        self.launch()
        until(lambda: self.ready_file.exists() or self.ended(), 30, "the ready file")
        assert self.ready_file.exists(), self.log()
        return self

    def launch(self) -> None:
        self.ready_file.unlink(missing_ok=True)
        self.write_config()
        with (self.folder / "log").open("ab") as log:
            command = [sys.executable, "-m", "edge.serving", "--config", str(self.config_file)]
            self.process = subprocess.Popen(command, stderr=log, stdout=log)

    def ended(self) -> bool:
        assert self.process is not None
        return self.process.poll() is not None

    def exit_code(self) -> int:
        assert self.process is not None
        return self.process.wait(30)

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def ready(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ready_file.read_text())
        return found

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)

    def client(self, *, unix: bool = False) -> httpx.Client:
        if unix:
            return httpx.Client(transport=httpx.HTTPTransport(uds=self.ready()["unix"]), base_url="http://device")
        return httpx.Client(base_url=f"http://{self.ready()['http']}", timeout=30)

    def spans(self) -> list[Span]:
        """All spans in the spool, in order."""
        requests = [ExportTraceServiceRequest.FromString(payload) for payload in self._payloads(Kind.SPANS)]
        return [
            span for each in requests for group in each.resource_spans for s in group.scope_spans for span in s.spans
        ]

    def predictions(self) -> list[Prediction]:
        """All prediction records in the spool, in order."""
        batches = [PredictionBatch.FromString(payload) for payload in self._payloads(Kind.PREDICTIONS)]
        return [prediction for batch in batches for prediction in batch.predictions]

    def _payloads(self, kind: Kind) -> list[bytes]:
        reader = SpoolReader(RealFiles(), str(self.spool))
        payloads: list[bytes] = []
        after = 0
        while records := reader.read(self.config.get("stream", "serving"), after, 2**20):
            payloads += [record.payload for record in records if record.kind is kind]
            after = records[-1].seq
        return payloads


@contextmanager
def serving(folder: Path, models: dict[str, ModelFile], **settings: Any) -> Iterator[Served]:
    """A server that answers, and that is gone afterwards."""
    server = Served(folder, models, **settings)
    try:
        yield server.start()
    finally:
        if server.process is not None and not server.ended():
            server.process.kill()
            server.process.wait()


def attributes(span: Span) -> dict[str, str | int]:
    """A span's attributes as plain values."""
    return {
        pair.key: pair.value.string_value if pair.value.HasField("string_value") else pair.value.int_value
        for pair in span.attributes
    }
