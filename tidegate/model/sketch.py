"""Sketches: many measured times in a few whole numbers, from which percentiles come with their confidence.

A sketch is a histogram over microseconds whose buckets widen with the value: exact below 64 us, above that 32 buckets
to a doubling, so a bucket is at most a 32nd (3.2 %) wide. A percentile is the upper edge of its bucket: it never
promises more than was measured. Sketches of one thing add up, whoever measured, in any order, to the same bytes.

    bucket b < 64            holds b us
    bucket b = 32 s + m      holds m * 2^s up to (m + 1) * 2^s - 1 us, for m in 32..63 and s >= 1

What a few samples cannot know is not left out: `bound_us` is the upper confidence bound of a percentile, the least
order statistic that lies above it with 95 % probability whatever the distribution (the binomial bound of Hahn and
Meeker, Statistical Intervals, 5.2). The 99th percentile has one from 299 samples on. Below that the largest sample is
widened by up to a half, in proportion to the samples that lack.

Limits: times up to an hour (longer ones count as an hour), `MOST_BUCKETS` buckets, `MOST_SAMPLES` samples.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import gcd, isqrt

LONGEST_US = 3_600_000_000
MOST_BUCKETS = 896
"""Of an hour: its bucket is 895 or less."""
MOST_SAMPLES = 1_000_000
PPM = 1_000_000
P50, P99 = 500_000, 990_000
"""Percentiles, in millionths."""
NEEDED_FOR_P99 = 299
"""Samples from which on the 99th percentile has a bound that rests on samples alone."""

EXACT_BELOW = 4_096
"""Samples up to which the bound is the exact binomial one."""

_CONFIDENCE = 20  # a bound fails once in so many
_EXACT = 64
_STEPS = 32


def bucket_of(us: int) -> int:
    """The bucket of a time; less than 0 counts as 0, more than an hour as an hour."""
    us = min(max(us, 0), LONGEST_US)
    shift = max(us.bit_length() - 6, 0)
    return _STEPS * shift + (us >> shift)


def edge_of(bucket: int) -> int:
    """The longest time that a bucket holds, in microseconds."""
    shift = max(bucket // _STEPS - 1, 0)
    return ((bucket - _STEPS * shift + 1) << shift) - 1


@dataclass(frozen=True, slots=True)
class Sketch:
    """Counts by bucket, both in ascending order of bucket; buckets without a sample are left out."""

    buckets: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()

    @property
    def samples(self) -> int:
        """How many times were measured."""
        return sum(self.counts)

    @property
    def sound(self) -> bool:
        """Whether it could have come from `sketch_of`; what comes over a wire may not."""
        buckets = self.buckets
        return (
            len(buckets) == len(self.counts) <= MOST_BUCKETS
            and all(0 <= bucket < MOST_BUCKETS for bucket in buckets)
            and all(before < after for before, after in pairwise(buckets))
            and all(count > 0 for count in self.counts)
            and sum(self.counts) <= MOST_SAMPLES
        )

    def percentile_us(self, ppm: int) -> int:
        """The time that so many millionths of the samples do not exceed; 0 where there are none."""
        return self._ranked(-(-self.samples * ppm // PPM))

    def bound_us(self, ppm: int) -> int:
        """The upper confidence bound of that percentile, widened where the samples are too few for one."""
        samples = self.samples
        rank = _bound_rank(samples, ppm)
        if rank:
            return self._ranked(rank)
        return widened_us(self._ranked(samples), samples, ppm)

    def _ranked(self, rank: int) -> int:
        """The `rank`-th shortest time, counting from 1; 0 where there is none."""
        for bucket, count in zip(self.buckets, self.counts, strict=True):
            rank -= count
            if rank <= 0:
                return edge_of(bucket)
        return 0


NOTHING = Sketch()
"""No samples at all."""


def sketch_of(times_us: Iterable[int]) -> Sketch:
    """A sketch of these times."""
    return _sorted((bucket_of(us), 1) for us in times_us)


def merged(sketches: Iterable[Sketch]) -> Sketch:
    """One sketch of all the samples of several."""
    return _sorted(pair for one in sketches for pair in zip(one.buckets, one.counts, strict=True))


def widened_us(longest_us: int, samples: int, ppm: int = P99) -> int:
    """What is taken for the bound of a percentile when all that is known is the longest of too few samples.

    The longest itself from `needed(ppm)` samples on, half as much again at none, in between in proportion. Rounds up.
    """
    enough = needed(ppm)
    lacking = max(enough - max(samples, 0), 0)
    return longest_us + -(-longest_us * lacking // (2 * enough))


@lru_cache(maxsize=64)
def needed(ppm: int) -> int:
    """The fewest samples whose longest lies above the percentile with 95 % probability."""
    samples = 1
    while _CONFIDENCE * ppm**samples > PPM**samples:
        samples += 1
    return samples


@lru_cache(maxsize=4096)
def _bound_rank(samples: int, ppm: int) -> int:
    """The rank (from 1) of the order statistic that bounds the percentile; 0 where there are too few samples.

    With n samples and k of them left out from the top, the next one is below the percentile when at most k samples lie
    above it: P(Bin(n, 1 - p) <= k) must be at most 5 %. In whole numbers, exactly, up to `EXACT_BELOW` samples; above
    that by the normal approximation, rounded to the safe side.
    """
    if samples < needed(ppm):
        return 0
    shared = gcd(ppm, PPM)
    inside, whole = ppm // shared, PPM // shared
    outside = whole - inside
    if samples >= EXACT_BELOW:
        spread = isqrt(samples * inside * outside * 1_645**2) // 1_000 + 1
        return samples - max((samples * outside - spread) // whole - 1, 0)
    term, total, left_out = inside**samples, 0, 0
    bound = whole**samples
    while True:
        total += term
        if _CONFIDENCE * total > bound:
            return samples - left_out + 1
        term = term * (samples - left_out) * outside // ((left_out + 1) * inside)
        left_out += 1


def _sorted(pairs: Iterable[tuple[int, int]]) -> Sketch:
    counts: dict[int, int] = {}
    for bucket, count in pairs:
        counts[bucket] = counts.get(bucket, 0) + count
    buckets = tuple(sorted(counts))
    return Sketch(buckets, tuple(counts[bucket] for bucket in buckets))
