"""Addresses come from the sites' statuses, HTTP before the device's own socket."""

import pytest

from tidegate.client.endpoints import Endpoints
from tidegate.model.assignment import Endpoint, Phase, Status
from tidegate.model.errors import Refused, Unavailable
from tidegate.model.event import WorkloadView
from tidegate.model.quantity import Resources
from tidegate.model.workload import Demand, Inference, Workload, WorkloadKind


def view(*endpoints, kind=WorkloadKind.INFERENCE_SERVICE, phase="running"):
    inference = Inference("models:/m/1") if kind is WorkloadKind.INFERENCE_SERVICE else None
    workload = Workload("camera", kind, Demand(Resources()), inference=inference)
    return WorkloadView(
        "w1", workload, phase, statuses={"press-7": Status("w1", 1, Phase.RUNNING, endpoints=endpoints)}
    )


def test_http_comes_before_the_socket():
    learned = Endpoints().learn(
        "camera",
        view(Endpoint("unix", "/run/s"), Endpoint("grpc", "127.0.0.1:1"), Endpoint("http", "127.0.0.1:2")),
    )
    assert learned == ["http://127.0.0.1:2", "unix:/run/s"]


def test_what_was_learned_is_remembered():
    endpoints = Endpoints()
    endpoints.learn("camera", view(Endpoint("http", "127.0.0.1:2")))
    assert endpoints.of("camera") == ["http://127.0.0.1:2"]
    assert endpoints.of("other") == []


def test_a_service_that_has_ended_is_not_waited_for():
    with pytest.raises(Refused, match="has ended"):
        Endpoints().learn("camera", view(phase="cancelled"))


def test_a_service_that_does_not_serve_yet_is_worth_waiting_for():
    with pytest.raises(Unavailable, match="does not serve yet"):
        Endpoints().learn("camera", view())


def test_a_training_job_answers_nothing():
    with pytest.raises(Refused, match="not an inference service"):
        Endpoints().learn("job", view(kind=WorkloadKind.TRAINING_JOB))
