"""Token buckets, on a clock of the test's own."""

from broker.runtime.rates import Bucket, Buckets


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
