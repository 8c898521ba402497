"""How long to wait before trying again: exponential, capped, and then fully jittered.

The jitter comes after the cap. Jitter below a cap bunches at the cap: after a broker's restart every agent that has
waited long enough would dial at the same instant. Chance is the caller's: a fraction of 0 up to 1.
"""

DIAL_FIRST_MS = 200
DIAL_LONGEST_MS = 10_000
RETRY_FIRST_MS = 500
RETRY_LONGEST_MS = 30_000
_LARGEST_EXPONENT = 30


def delay_ms(attempt: int, fraction: float, first_ms: int, longest_ms: int) -> int:
    """Before try number `attempt` (0 is the first retry): between 0 and `min(longest, first * 2^attempt)`."""
    ceiling = min(longest_ms, first_ms << min(attempt, _LARGEST_EXPONENT))
    return int(ceiling * fraction)
