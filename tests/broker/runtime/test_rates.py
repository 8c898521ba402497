"""Token buckets, on a clock of the test's own."""

from broker.runtime.rates import Appointments, Bucket, Buckets


def test_a_bucket_gives_its_burst_and_then_its_rate():
    bucket = Bucket(per_s=10, burst=2, now=0.0)
    assert [bucket.take(0.0) for _ in range(3)] == [0.0, 0.0, 0.1]
    assert bucket.take(0.1) == 0.0
    assert bucket.take(0.1) > 0
    assert [bucket.take(100.0) for _ in range(2)] == [0.0, 0.0]
    assert bucket.take(100.0) > 0, "what was not used is kept only up to the burst"


def test_each_name_has_its_own_bucket_and_few_are_remembered():
    buckets = Buckets(per_s=1, burst=1, kept=2)
    assert buckets.take("a", 0.0) == 0.0
    assert buckets.take("b", 0.0) == 0.0
    assert buckets.take("a", 0.0) > 0
    assert buckets.take("c", 0.0) == 0.0
    assert buckets.take("b", 0.0) == 0.0, "forgotten, since two others were used later"


def test_who_comes_too_soon_stands_in_line_and_who_finds_it_long_comes_again_in_turn():
    line = Appointments(per_s=10, burst=2, now=0.0)
    assert [line.take(0.0, 0.2) for _ in range(5)] == [(0.0, True)] * 3 + [(0.1, True), (0.2, True)]
    away = [line.take(0.0, 0.2) for _ in range(3)]
    assert [(round(wait_s, 3), here) for wait_s, here in away] == [(0.4, False), (0.5, False), (0.6, False)]
    assert line.take(0.4, 0.2) == (0.0, True), "whoever comes when told to finds a place"
    assert [line.take(100.0, 0.0)[1] for _ in range(4)] == [True, True, True, False]
