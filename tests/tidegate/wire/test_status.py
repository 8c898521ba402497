"""Each error family becomes its status and comes back as itself, with what it knows."""

import grpc
import pytest

from tidegate.model.errors import Broken, Conflict, NotFound, Refused, Unavailable
from tidegate.wire import status


class Failed(grpc.RpcError):
    """A failed call, as gRPC raises it."""

    def __init__(self, code, details, trailers=()):
        self._answer = code, details, trailers

    def code(self):
        return self._answer[0]

    def details(self):
        return self._answer[1]

    def trailing_metadata(self):
        return self._answer[2]


@pytest.mark.parametrize("family", [Refused, NotFound, Conflict, Unavailable, Broken])
def test_an_error_crosses_the_wire(family):
    error = family("too slow", field="spec.latency.p99", found="50 parsecs", wanted="a duration")
    back = status.error_of(Failed(status.code_of(error), error.message, status.trailers_of(error)))
    assert type(back) is family
    assert str(back) == str(error)


def test_a_hint_to_wait_crosses_the_wire():
    error = Unavailable("full", retry_after_ms=250)
    back = status.error_of(Failed(status.code_of(error), "full", status.trailers_of(error)))
    assert isinstance(back, Unavailable) and back.retry_after_ms == 250


def test_no_answer_in_time_is_the_world_not_us():
    assert isinstance(status.error_of(Failed(grpc.StatusCode.DEADLINE_EXCEEDED, "late")), Unavailable)


def test_a_status_that_is_not_ours_is_broken():
    assert isinstance(status.error_of(Failed(grpc.StatusCode.UNKNOWN, "what")), Broken)


def test_metadata_stays_ascii():
    trailers = status.trailers_of(Refused("no", found="Größe\n", field="a"))
    assert all(value.isascii() and "\n" not in value for _, value in trailers)


@pytest.mark.parametrize(
    "details",
    [
        "CLIENT: Sent message larger than max (5000182 vs. 4194304)",
        "SERVER: Received message larger than max (6 vs. 5)",
    ],
)
def test_a_message_that_will_never_pass_is_not_worth_another_try(details):
    back = status.error_of(Failed(grpc.StatusCode.RESOURCE_EXHAUSTED, details))
    assert isinstance(back, Refused)
    assert isinstance(status.error_of(Failed(grpc.StatusCode.RESOURCE_EXHAUSTED, "slow down")), Unavailable)


@pytest.mark.parametrize("text", ["x" * 10_000, "\U0001f600" * 10_000, "é%25\n" * 500])
def test_whatever_was_found_fits_into_what_a_peer_takes(text):
    error = Refused("no", field=text, found=text, wanted=text)
    trailers = status.trailers_of(error)
    assert sum(len(key) + len(value) for key, value in trailers) < 4_000
    back = status.error_of(Failed(grpc.StatusCode.INVALID_ARGUMENT, "no", trailers))
    assert back.found and text.startswith(back.found)


@pytest.mark.parametrize("wait", ["soon", "", "-5", "9" * 5_000, "1e9"])
def test_a_hint_that_is_no_number_is_no_hint(wait):
    back = status.error_of(Failed(grpc.StatusCode.UNAVAILABLE, "no", (("tidegate-retry-after-ms", wait),)))
    assert isinstance(back, Unavailable) and back.retry_after_ms == 0
