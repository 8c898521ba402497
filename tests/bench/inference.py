"""Predictions through the real model server, beside bare ONNX Runtime calls of the same run, alternating."""

import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from tests.bench.measure import Row, quantile
from tests.support.until import until
from tidegate.client.prediction import PredictionClient

CALLS = 3_000


def rows() -> list[Row]:
    """p50 and p99 of one image by TCP and by Unix socket, without and with a durable record of each prediction."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        model = _train(Path(folder))
        session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
        for audit in ("off", "every_prediction"):
            server, ready = _serve(Path(folder), model, audit)
            try:
                for name, endpoint in (("HTTP", f"http://{ready['http']}"), ("Unix socket", f"unix:{ready['unix']}")):
                    found.append(_row(f"prediction by {name}, audit {audit}", endpoint, session))
            finally:
                server.terminate()
                server.wait(20)
    return found


def _row(what: str, endpoint: str, session: onnxruntime.InferenceSession) -> Row:
    image = load_digits().data[:1].astype(np.float32)
    client = PredictionClient()
    served, bare = [], []
    for number in range(CALLS + 200):
        began = time.perf_counter_ns()
        session.run(None, {"image": image})
        between = time.perf_counter_ns()
        client.infer(endpoint, "digits", {"image": image}, "", 10.0)
        ended = time.perf_counter_ns()
        if number >= 200:
            bare.append((between - began) / 1000)
            served.append((ended - between) / 1000)
    client.close()
    return Row(
        what,
        f"p50 {quantile(served, 0.5):.0f} us, p99 {quantile(served, 0.99):.0f} us",
        f"bare session.run p50 {quantile(bare, 0.5):.0f} us, p99 {quantile(bare, 0.99):.0f} us",
    )


def _train(folder: Path) -> Path:
    images, labels = load_digits(return_X_y=True)
    images = images.astype(np.float32)
    classifier = LogisticRegression(max_iter=200).fit(images, labels)
    options = {id(classifier): {"zipmap": False}}
    model = to_onnx(classifier, images[:1], options=options, initial_types=None, target_opset=17)
    model.graph.input[0].name, renamed = "image", model.graph.input[0].name
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            if name == renamed:
                node.input[index] = "image"
    path = folder / "digits.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def _serve(folder: Path, model: Path, audit: str) -> tuple[subprocess.Popen[bytes], dict[str, str]]:
    ready = folder / f"{audit}.ready.json"
    command = [
        *(sys.executable, "-m", "edge.serving", "--service", "bench", "--site", "bench", "--audit", audit),
        *("--http", "127.0.0.1:0", "--unix", str(folder / f"{audit}.sock"), "--ready-file", str(ready)),
        *("--spool", str(folder / f"spool-{audit}"), "--stream", "serving-bench"),
        *("--model", "digits", "--model-version", "1", "--model-path", str(model)),
        *("--model-digest", hashlib.sha256(model.read_bytes()).hexdigest()),
    ]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    until(ready.exists, 30, "the model server to be ready")
    return server, json.loads(ready.read_text())
