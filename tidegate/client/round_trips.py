"""Round trips as this client sees them: each call to a device, less the time that the device says it took.

Opt-in: a client that was told where it stands (`origin=`) keeps the trips of the last minutes to each site as a sketch
and reports them every `REPORT_S` at most. A report is sent beside the predictions and not waited for; one that does not
arrive is no loss, since the next one says it all again. Calls to devices that do not say how long they took
(`Server-Timing`) are not counted: what part of them is the way cannot be told.

Limits: `MOST_TRIPS` trips between two reports to each of `MOST_SITES` sites; what comes beyond is not counted.
"""

import secrets
import threading
import time

from tidegate.model.session import Probed
from tidegate.model.window import Window

REPORT_S = 30.0
FIRST_REPORT_S = 3.0
MOST_TRIPS = 4_096
MOST_SITES = 256


class RoundTrips:
    """From any thread. Without an origin it keeps nothing."""

    def __init__(self, origin: str) -> None:
        self.source = secrets.token_hex(8)
        """Names this client to the broker, so that its reports take each other's place."""
        self._origin = origin
        self._lock = threading.Lock()
        self._waiting: dict[str, list[int]] = {}
        self._windows: dict[str, Window] = {}
        self._due = time.monotonic() + FIRST_REPORT_S

    def note(self, site: str, latency_us: int, server_us: int | None) -> bool:
        """One prediction's way; whether a report is due."""
        if not self._origin or not site or server_us is None:
            return False
        with self._lock:
            if site not in self._waiting and len(self._waiting) >= MOST_SITES:
                return False
            trips = self._waiting.setdefault(site, [])
            if len(trips) < MOST_TRIPS:
                trips.append(max(latency_us - server_us, 1))
            now = time.monotonic()
            if now < self._due:
                return False
            self._due = now + REPORT_S
            return True

    def report(self) -> list[Probed]:
        """What the broker is told, of every site with news."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        now = int(time.monotonic() * 1_000)
        for site, trips in waiting.items():
            self._windows[site] = self._windows.pop(site, Window()).after(trips, now)
        while len(self._windows) > MOST_SITES:
            del self._windows[next(iter(self._windows))]
        return [self._windows[site].probed(self._origin, site) for site in waiting]
