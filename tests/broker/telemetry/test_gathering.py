"""What comes together is kept together; rubbish among it is refused alone; a full room says when to come back."""

import pytest

from broker.telemetry import gathering
from broker.telemetry.gathering import Gathering
from tidegate.model.errors import Refused, Unavailable


class Store:
    """Counts transactions; `bad` is no export request."""

    def __init__(self):
        self.batches = []

    def record_all(self, requests, now_ms):
        if b"bad" in requests:
            raise Refused("no export request")
        self.batches.append(list(requests))
        return [len(request) for request in requests]

    def record(self, request, now_ms):
        return self.record_all([request], now_ms)[0]


@pytest.fixture
def jobs():
    return []


@pytest.fixture
def gathered(jobs):
    return Gathering(Store(), lambda: 1, jobs.append)


def test_what_came_before_the_disk_was_free_is_one_transaction(gathered, jobs):
    kept = [gathered.add(b"a"), gathered.add(b"bb"), gathered.add(b"ccc")]
    assert len(jobs) == 1
    jobs.pop()()
    assert [one.result() for one in kept] == [1, 2, 3]
    assert gathered._store.batches == [[b"a", b"bb", b"ccc"]]


def test_what_comes_after_is_the_next_one(gathered, jobs):
    gathered.add(b"a")
    jobs.pop()()
    late = gathered.add(b"b")
    jobs.pop()()
    assert late.result() == 1


def test_rubbish_is_refused_alone(gathered, jobs):
    good, bad = gathered.add(b"good"), gathered.add(b"bad")
    jobs.pop()()
    assert good.result() == 4
    with pytest.raises(Refused):
        bad.result()


def test_a_full_room_says_when_to_come_back(gathered, monkeypatch):
    monkeypatch.setattr(gathering, "MOST_GATHERED", 1)
    gathered.add(b"a")
    with pytest.raises(Unavailable) as full:
        gathered.add(b"b")
    assert full.value.retry_after_ms
