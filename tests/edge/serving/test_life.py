"""The life of a model server: its start and end, its models swapped under load, and what a kill leaves behind."""

import hashlib
import json
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import psutil

from edge.serving.ready import start_ticks
from tests.edge.serving.served import ASSIGNMENT, ModelFile, Served, attributes, images, serving
from tests.support.until import until
from tidegate.wire.inference import HEADER_LENGTH, InferRequest, encode_request
from tidegate.wire.tensors import Tensor


def predict(client: httpx.Client, index: int = 0, request_id: str = "") -> httpx.Response:
    pixels = images()[0][index : index + 1]
    body = encode_request(InferRequest((Tensor("X", pixels),), id=request_id))
    headers = {HEADER_LENGTH: str(body.header_length)}
    return client.post("/v2/models/digits/infer", content=body.data, headers=headers)


@contextmanager
def predicting(server: Served, threads: int = 3) -> Iterator[Counter[str]]:
    """Predictions without a pause while the block runs; afterwards how many each version answered, or failed."""
    stop = threading.Event()
    heads: Counter[str] = Counter()

    def go_on() -> None:
        with server.client() as client:
            while not stop.is_set():
                answer = predict(client)
                length = int(answer.headers.get(HEADER_LENGTH, 0))
                key = json.loads(answer.content[:length])["model_version"] if length else f"status {answer.status_code}"
                heads[key] += 1

    with ThreadPoolExecutor(threads) as pool:
        running = [pool.submit(go_on) for _ in range(threads)]
        until(lambda: heads.total() > 20, what="the first predictions")
        try:
            yield heads
            before = heads.total()
            until(lambda: heads.total() > before + 20, what="predictions afterwards")
        finally:
            stop.set()
        for each in running:
            each.result()


def test_the_ready_file_tells_where_who_and_how_fast(server: Served, digits_model: ModelFile) -> None:
    ready = server.ready()
    assert server.process is not None
    assert ready["pid"] == server.process.pid
    assert ready["start_ticks"] == start_ticks(ready["pid"])
    assert ready["boot_id"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert ready["device"] == "cpu"
    digits = next(model for model in ready["models"] if model["name"] == "digits")
    assert digits["digest"] == digits_model.digest
    assert digits["generation"] == 7
    assert 0 < digits["service_time_p50_us"] <= digits["service_time_p99_us"]
    assert Path(ready["unix"]).stat().st_mode & 0o777 == 0o600


def test_sigterm_drains_flushes_and_ends_well(tmp_path: Path, digits_model: ModelFile) -> None:
    with serving(tmp_path, {"digits": digits_model}, audit="sampled", sample_every=1) as server:
        with server.client() as client:
            assert predict(client, request_id="last").status_code == 200
        server.send(signal.SIGTERM)
        assert server.exit_code() == 0
        assert not server.ready_file.exists()
        assert not Path(server.config["unix"]).exists()
        assert [prediction.request_id for prediction in server.predictions()] == ["last"]
        assert [span.name for span in server.spans()] == ["load digits", "infer digits"]


def test_an_answer_under_way_is_given_before_the_end(tmp_path: Path, slow_model: ModelFile) -> None:
    with serving(tmp_path, {"slow": slow_model}, warmup_runs=1) as server, ThreadPoolExecutor(1) as pool:
        body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [0]}]}
        with server.client() as client:
            client.get("/v2/health/live")
            resting = at_work(server)
            answer = pool.submit(client.post, "/v2/models/slow/infer", json=body)
            until(lambda: at_work(server) > resting, what="the model to run")
            server.send(signal.SIGTERM)
            assert answer.result().status_code == 200
        assert server.exit_code() == 0


def at_work(server: Served) -> int:
    """Threads of the server: one more once the first slow prediction runs."""
    assert server.process is not None
    return psutil.Process(server.process.pid).num_threads()


def test_what_was_answered_is_recorded_though_the_server_was_killed(tmp_path: Path, digits_model: ModelFile) -> None:
    answered: list[str] = []
    with serving(tmp_path, {"digits": digits_model}) as server:

        def go_on(thread: int) -> None:
            with server.client(unix=bool(thread % 2)) as client:
                for number in range(10_000):
                    request_id = f"{thread}-{number}"
                    try:
                        answer = predict(client, number % 1700, request_id)
                    except httpx.TransportError:
                        return
                    assert answer.status_code == 200
                    answered.append(request_id)

        with ThreadPoolExecutor(4) as pool:
            running = [pool.submit(go_on, thread) for thread in range(4)]
            until(lambda: len(answered) > 100, what="a hundred answers")
            server.send(signal.SIGKILL)
            for each in running:
                each.result()
        assert server.exit_code() == -signal.SIGKILL
        assert server.ready_file.exists()
        recorded = server.predictions()
        assert set(answered) <= {prediction.request_id for prediction in recorded}
        assert len({prediction.span_id for prediction in recorded}) == len(recorded)
        assert {span.span_id for span in server.spans()} >= {prediction.span_id for prediction in recorded}

        server.start()  # over what the killed one left: its socket, its ready file, its spool
        with server.client(unix=True) as client:
            assert predict(client, request_id="again").status_code == 200
        assert "again" in {prediction.request_id for prediction in server.predictions()}


def test_a_record_says_which_model_said_what_of_which_input(tmp_path: Path, digits_model: ModelFile) -> None:
    with serving(tmp_path, {"digits": digits_model}) as server:
        with server.client() as client:
            predict(client, 3, "q")
        [prediction] = server.predictions()
        pixels, labels = images()
        assert prediction.model_sha256.hex() == digits_model.digest
        assert prediction.generation == 7
        assert prediction.latency_us >= prediction.compute_us > 0
        raw = b"X\0FP32\x001,64\0" + pixels[3:4].tobytes()
        assert prediction.input_sha256 == hashlib.sha256(raw).digest()
        label, scores = prediction.outputs
        assert list(label.labels) == [labels[3]]
        assert list(scores.labels) == [labels[3]]
        assert list(scores.shape) == [1, 10]
        load, infer = server.spans()
        assert load.trace_id.hex() == ASSIGNMENT.split("-")[1]
        assert load.parent_span_id.hex() == ASSIGNMENT.split("-")[2]
        assert (infer.trace_id, infer.span_id) == (prediction.trace_id, prediction.span_id)
        told = attributes(infer)
        assert told["tidegate.site"] == "press-7"
        assert told["tidegate.service"] == "line-camera"
        assert told["tidegate.generation"] == 7
        assert told["tidegate.model.digest"] == digits_model.digest
        assert int(told["tidegate.queue_us"]) >= 0
        assert infer.end_time_unix_nano - infer.start_time_unix_nano >= prediction.compute_us * 1000


def test_models_are_swapped_and_rolled_back_under_load_with_nothing_dropped(
    tmp_path: Path, digits_model: ModelFile, newer_model: ModelFile
) -> None:
    with serving(tmp_path, {"digits": digits_model}, audit="off") as server, server.client(unix=True) as local:
        url = "/v2/repository/models/digits"
        wanted = {"path": str(newer_model.path), "digest": newer_model.digest, "version": "2", "generation": 8}
        with predicting(server) as heads:
            loaded = local.post(f"{url}/load", json={"parameters": wanted}, timeout=30)
            assert loaded.json() == {"name": "digits", "version": "2", "digest": newer_model.digest}
            assert server.ready()["models"][0]["generation"] == 8
            until(lambda: heads["2"] > 20, what="answers of the new model")
            assert local.post(f"{url}/rollback").json()["version"] == "1"
            assert server.ready()["models"][0]["digest"] == digits_model.digest

            wrong = local.post(f"{url}/load", json={"parameters": {**wanted, "digest": "0" * 64}}, timeout=30)
            assert wrong.status_code == 400
            assert newer_model.digest in wrong.json()["error"]
            wrong = local.post(f"{url}/load", json={"parameters": {**wanted, "digset": ""}})
            assert "digest (did you mean that?)" in wrong.json()["error"]
        assert set(heads) == {"1", "2"}
        server.send(signal.SIGTERM)
        server.exit_code()
        assert sorted(span.status.code for span in server.spans() if span.name == "load digits") == [0, 0, 2]


def test_sighup_reads_the_configuration_again(tmp_path: Path, digits_model: ModelFile, newer_model: ModelFile) -> None:
    with serving(tmp_path, {"digits": digits_model}) as server, predicting(server) as heads:
        [entry] = server.config["models"]
        entry |= {"path": str(newer_model.path), "digest": "f" * 64, "version": "2"}
        server.write_config()
        server.send(signal.SIGHUP)
        until(lambda: "what was served before goes on" in server.log(), what="the refusal in the log")
        assert server.ready()["models"][0]["version"] == "1"
        entry |= {"digest": newer_model.digest}
        server.write_config()
        server.send(signal.SIGHUP)
        until(lambda: server.ready()["models"][0]["version"] == "2", what="the new model")
        until(lambda: heads["2"] > 5, what="answers of the new model")


def test_at_the_bound_the_next_is_told_when_to_come_back(tmp_path: Path, slow_model: ModelFile) -> None:
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [0]}]}
    settings = {"max_concurrent": 2, "parallel_runs": 1, "warmup_runs": 1}
    with serving(tmp_path, {"slow": slow_model}, **settings) as server, ThreadPoolExecutor(8) as pool:
        with server.client() as client:
            answers = list(pool.map(lambda _: client.post("/v2/models/slow/infer", json=body), range(8)))
        refused = [answer for answer in answers if answer.status_code == 503]
        assert sum(answer.status_code == 200 for answer in answers) >= 2
        assert refused and all(answer.headers["retry-after"] == "1" for answer in refused)
        assert "too many predictions at a time" in refused[0].json()["error"]
        until(lambda: len(server.spans()) == 9, what="a span of each call and the load")
        assert sum(span.status.code == 2 for span in server.spans()) == len(refused)


def test_a_full_spool_refuses_what_must_be_recorded_and_sheds_the_rest(tmp_path: Path, digits_model: ModelFile) -> None:
    with serving(tmp_path, {"digits": digits_model}, spool_max_bytes=2**20) as server, server.client() as client:
        answer = until(
            lambda: next(
                (
                    found
                    for found in (predict(client, request_id="q" * 128) for _ in range(50))
                    if found.status_code != 200
                ),
                None,
            ),
            60,
            "a refusal",
        )
        assert answer.status_code == 503
        assert "spool" in answer.json()["error"]
        assert answer.headers["retry-after"]
        server.send(signal.SIGTERM)
        assert server.exit_code() == 0


def test_it_outlives_whoever_started_it(tmp_path: Path, digits_model: ModelFile) -> None:
    server = Served(tmp_path, {"digits": digits_model})
    server.write_config()
    command = [sys.executable, "-m", "edge.serving", "--config", str(server.config_file)]
    parent = (
        "import subprocess, sys; "
        "subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL); "
        "sys.stdin.read()"
    )
    agent = subprocess.Popen([sys.executable, "-c", parent, *command], stdin=subprocess.PIPE, start_new_session=True)
    try:
        ready = until(lambda: server.ready_file.exists() and server.ready(), 30, "the ready file")
        process = psutil.Process(ready["pid"])
        agent.send_signal(signal.SIGKILL)
        agent.wait(10)
        with server.client() as client:
            assert predict(client).status_code == 200
        process.terminate()
        until(lambda: not server.ready_file.exists(), 10, "a clean end")
    finally:
        if agent.poll() is None:
            agent.kill()
        for left in psutil.process_iter(["cmdline"]):
            if str(server.config_file) in (left.info["cmdline"] or []):
                left.kill()


def test_a_server_that_cannot_start_says_why_and_with_which_code(tmp_path: Path, digits_model: ModelFile) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = f"127.0.0.1:{taken.getsockname()[1]}"
        good = {"name": "digits", "path": str(digits_model.path), "digest": digits_model.digest}
        cases = [
            (2, {"http": "0.0.0.0:0"}, "--insecure-listen"),
            (2, {"htpp": "127.0.0.1:0"}, "http (did you mean that?)"),
            (3, {"models": [{**good, "digest": "0" * 64}]}, "not the model that was asked for"),
            (3, {"providers": ["CUDAExecutionProvider"]}, "CUDAExecutionProvider"),
            (4, {"models": [{**good, "path": "/nowhere.onnx"}]}, "/nowhere.onnx: cannot be read"),
            (4, {"http": busy}, "cannot listen"),
        ]
        servers = []
        for number, (_, settings, _) in enumerate(cases):
            folder = tmp_path / str(number)
            folder.mkdir()
            server = Served(folder, {"digits": digits_model})
            server.config |= {"grpc": "", **settings}
            server.launch()
            servers.append(server)
        for server, (code, _, words) in zip(servers, cases, strict=True):
            assert server.exit_code() == code, server.log()
            assert words in server.log()
            assert not server.ready_file.exists()


def test_one_model_needs_no_file(tmp_path: Path, digits_model: ModelFile) -> None:
    ready_file = tmp_path / "ready.json"
    flags = ["--service", "s", "--unix", str(tmp_path / "s.sock"), "--ready-file", str(ready_file), "--model", "digits"]
    flags += ["--model-path", str(digits_model.path), "--model-digest", f"sha256:{digits_model.digest}"]
    process = subprocess.Popen([sys.executable, "-m", "edge.serving", *flags], stderr=subprocess.DEVNULL)
    try:
        until(ready_file.exists, 30, "the ready file")
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(tmp_path / "s.sock")), base_url="http://d") as client:
            assert predict(client).status_code == 200
        process.terminate()
        assert process.wait(10) == 0
    finally:
        process.kill()


def test_outputs_are_the_models_own_to_the_last_bit(tmp_path: Path, server: Served, digits_model: ModelFile) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(digits_model.path))
    pixels = images()[0][:7]
    expected = session.run(["probabilities"], {"X": pixels})[0]
    body = encode_request(InferRequest((Tensor("X", pixels),)))
    with server.client() as client:
        answer = client.post(
            "/v2/models/digits/infer", content=body.data, headers={HEADER_LENGTH: str(body.header_length)}
        )
    assert answer.content.endswith(np.ascontiguousarray(expected).tobytes())


def test_one_model_alone_answers_to_the_name_of_its_service(tmp_path: Path, digits_model: ModelFile) -> None:
    with serving(tmp_path, {"digits": digits_model}) as server, server.client() as client:
        for name in ("digits", "line-camera"):
            answer = client.get(f"/v2/models/{name}")
            assert answer.status_code == 200, answer.text
            assert answer.json()["parameters"]["digest"] == digits_model.digest
        assert client.get("/v2/models/line-scanner").status_code == 404
