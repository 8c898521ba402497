"""What part of a thin link the backlog may take.

Statuses, heartbeats and models travel beside telemetry and must not wait behind months of it. Where the broker grants a
rate, a returning device sends its backlog at three quarters of it; the rest stays free for what is live. Pure.
"""

BACKLOG_PERCENT = 75


def telemetry_rate(granted: int, *, returning: bool) -> int:
    """Bytes per second for telemetry; 0 means not limited, as the broker's grant does."""
    return max(1, granted * BACKLOG_PERCENT // 100) if granted and returning else granted
