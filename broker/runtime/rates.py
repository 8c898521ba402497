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
    """A place in line for whoever comes, at `per_s`; those for whom the line is too long are told when to come again.

    Who waits has a place of his own, and so has who is sent away: they return one after the other and not all at once.
    """

    def __init__(self, per_s: float, burst: float, now: float) -> None:
        self._step = 1 / per_s
        self._burst_s = burst / per_s
        self._next = self._promised = now - self._burst_s

    def take(self, now: float, patience_s: float) -> tuple[float, bool]:
        """Seconds to wait here, and True; or, where that is more than `patience_s`, seconds to stay away, and False."""
        self._next = max(self._next, now - self._burst_s)
        wait_s = max(0.0, self._next - now)
        if wait_s <= patience_s:
            self._next += self._step
            return wait_s, True
        self._promised = max(self._promised, self._next) + self._step
        return self._promised - now, False


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
