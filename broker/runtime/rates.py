"""Token buckets: so many at once, so many a second. Time comes in; nothing here reads a clock."""

from collections import OrderedDict


class Bucket:
    """`burst` tokens, filled at `per_s`."""

    def __init__(self, per_s: float, burst: float, now: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._tokens = burst
        self._at = now

    def take(self, now: float) -> float:
        """0 where a token was there; else the seconds until one would be, and none is taken."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_s)
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._per_s


class Appointments:
    """A bucket that gives whoever finds it empty a time of its own to come back, one after the other at the rate.

    So those who were sent away return at the pace at which they can be taken, and not all at once.
    """

    def __init__(self, per_s: float, burst: float, now: float) -> None:
        self._bucket = Bucket(per_s, burst, now)
        self._per_s = per_s
        self._last = now

    def take(self, now: float) -> float:
        """0 where a token was there; else the seconds to stay away."""
        wait_s = self._bucket.take(now)
        if not wait_s:
            return 0.0
        self._last = max(self._last, now + wait_s) + 1 / self._per_s
        return self._last - now


class Buckets:
    """One bucket for each name; the `kept` names used last are remembered."""

    def __init__(self, per_s: float, burst: float, kept: int) -> None:
        self._per_s = per_s
        self._burst = burst
        self._kept = kept
        self._by_name: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, name: str, now: float) -> float:
        """As `Bucket.take`, from the bucket of that name."""
        bucket = self._by_name.get(name)
        if bucket is None:
            bucket = self._by_name[name] = Bucket(self._per_s, self._burst, now)
            if len(self._by_name) > self._kept:
                self._by_name.popitem(last=False)
        self._by_name.move_to_end(name)
        return bucket.take(now)
