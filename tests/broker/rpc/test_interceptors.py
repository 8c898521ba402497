"""The chain before every servicer."""

import pytest

from broker.rpc.interceptors import Call, authorisation, identity, rate
from tidegate.model.errors import Unavailable


class Stopped:
    """A clock that stands still unless told otherwise."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> int:
        return 0

    def elapsed(self) -> float:
        return self.seconds

    def wall_ns(self) -> int:
        return 0


def call(peer: str) -> Call:
    return Call("/tidegate.v1.Workloads/Get", peer, "r1")


def test_one_peer_is_held_back_and_told_for_how_long_and_others_are_not():
    clock = Stopped()
    gate = rate(clock, per_s=2, at_once=1)
    gate(call("ipv4:127.0.0.1:1"))
    with pytest.raises(Unavailable) as refused:
        gate(call("ipv4:127.0.0.1:1"))
    assert refused.value.retry_after_ms == 501
    gate(call("ipv4:127.0.0.1:2"))
    clock.seconds = 0.5
    gate(call("ipv4:127.0.0.1:1"))


def test_until_certificates_tell_the_caller_is_its_peer():
    somebody = call("unix:")
    identity(somebody)
    authorisation(somebody)
    assert somebody.caller == "unix:"
