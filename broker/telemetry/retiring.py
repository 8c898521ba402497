"""What the telemetry store lets go: the oldest arrivals of what is over its limits, and never what is promised.

The newest rows that the limits have room for always stay. Of the older ones a site's are kept for as many days after
their arrival as it declares (`retentionDays`), though the limits are exceeded: laws ask for that promise before
they let work go there. A promise that the operator lengthens or shortens holds for all that is there; a site
that declares nothing promises nothing. Days are counted by the broker's clock.

Rows are looked at in the order of their arrival, a step at a time between batches. What a look has passed over is not
looked at again for `AGAIN_MS`, or until promises change.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import apsw

from broker.log.database import PAGE_BYTES
from broker.telemetry.rows import Rows

STEP = 5_000
"""Rows looked at, or deleted, at once, so that a batch never waits long for it."""
AGAIN_MS = 3_600_000
DAY_MS = 86_400_000
TABLES = ("spans", "predictions")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What is kept at most, beside what is promised. Rows are spans, and predictions likewise."""

    most_spans: int = 20_000_000
    most_predictions: int = 20_000_000
    most_bytes: int = 16 * 2**30


class Retiring:
    """The deletes, on the writing connection."""

    def __init__(self, connection: apsw.Connection, rows: Rows, limits: Limits) -> None:
        self._connection = connection
        self._rows = rows
        self._most = {"spans": limits.most_spans, "predictions": limits.most_predictions}
        self._most_bytes = limits.most_bytes
        self._days: Mapping[str, int] | None = None
        self._passed = dict.fromkeys(TABLES, 0)
        """By table: the highest id of what was looked at and stays."""
        self._began_at = 0

    def promise(self, days: Mapping[str, int]) -> None:
        """By site, for how many days what comes from it is kept."""
        if days != self._days:
            self._days = dict(days)
            self._begin(0)

    def look(self, now_ms: int) -> tuple[dict[str, list[tuple[int]]], bool]:
        """Look at one step of rows: what of each table may go, and whether there was anything to look at."""
        if self._days is None:
            return {}, False
        if now_ms - self._began_at >= AGAIN_MS:
            self._begin(now_ms)
        used = (self._pragma("page_count") - self._pragma("freelist_count")) * PAGE_BYTES
        seen = {table: self._over(table, used) for table in TABLES}
        gone = {table: self._gone(rows, self._days, now_ms) for table, rows in seen.items()}
        for table, rows in seen.items():
            if rows and len(rows) < STEP and not gone[table]:
                logger.warning("telemetry is over its limits, and what is over is promised table=%s", table)
        return {table: rows for table, rows in gone.items() if rows}, any(seen.values())

    def delete(self, gone: dict[str, list[tuple[int]]]) -> None:
        """What was found, in the caller's transaction."""
        for table, rows in gone.items():
            self._connection.executemany(f"delete from {table} where id = ?", rows)
            self._rows.count(table, -len(rows))
            self._rows.count(f"retired_{table}", len(rows))
            logger.info("telemetry retired table=%s rows=%d", table, len(rows))

    def _begin(self, now_ms: int) -> None:
        self._began_at = now_ms
        self._passed = dict.fromkeys(TABLES, 0)

    def _over(self, table: str, used: int) -> list[tuple[int, str, int]]:
        """The next rows beyond those that there is room for: id, site and arrival. They are looked at once."""
        rows = self._one("select value from totals where name = ?", table)
        room = min(self._most[table], self._most_bytes * rows // used)  # as many as fit, at the size of these
        newest = self._one(f"select max(id) from {table}")
        seen: list[tuple[int, str, int]] = self._connection.execute(  # type: ignore[assignment]
            f"select id, site, received_at from {table} where id > ? and id <= ? order by id limit ?",
            (self._passed[table], newest - room, STEP),
        ).fetchall()
        self._passed[table] = seen[-1][0] if seen else self._passed[table]
        return seen

    def _gone(self, rows: list[tuple[int, str, int]], days: Mapping[str, int], now_ms: int) -> list[tuple[int]]:
        return [(row,) for row, site, at in rows if site not in days or at + days[site] * DAY_MS <= now_ms]

    def _one(self, statement: str, *values: str) -> int:
        return int(self._connection.execute(statement, values).get or 0)

    def _pragma(self, name: str) -> int:
        return int(self._connection.pragma(name) or 0)
