"""The held state on the disk: one file, written whole and renamed over the one before.

`held.json`: {"format": 1, "sum": SHA-256 of the body's JSON, "body": {"site", "epoch", "generation", "away_since",
"away_ms", "desired" and "leaving": base64 of a `Desired` message, "ended": {workload id: base64 of a `Status`
message}}}. A power cut at any instant leaves the old file or the new one. A file that does not check out is `Broken`:
going on with half of it could stop work that nobody asked to stop.
"""

import base64
import hashlib
import json
from typing import Any

from agents.core.held import Held
from tidegate.files import FileSystem, fault, put
from tidegate.model.assignment import Desired, Status
from tidegate.model.errors import Broken, Refused, Unavailable
from tidegate.wire.codec import decode, encode

FORMAT = 1


class HeldStore:
    """The file in `directory`."""

    def __init__(self, files: FileSystem, directory: str, site: str) -> None:
        self._files = files
        self._path = f"{directory}/held.json"
        self._site = site
        try:
            files.make_directory(directory)
        except OSError as error:
            raise fault("making the folder", directory, error) from error

    def read(self) -> Held:
        """What is held; nothing, where nothing was ever written. Broken when the file is damaged or another site's."""
        try:
            whole = json.loads(self._files.read(self._path))
        except FileNotFoundError:
            return Held(self._site)
        except OSError as error:
            raise fault("reading what is held", self._path, error) from error
        except (ValueError, RecursionError) as error:
            raise Broken(f"what is held is damaged: {error}", field=self._path) from error
        body = whole.get("body", {}) if isinstance(whole, dict) else {}
        if not body or whole.get("format") != FORMAT or whole.get("sum") != _sum(body):
            raise Broken("what is held does not check out", field=self._path)
        try:
            return self._held(body)
        except (LookupError, TypeError, AttributeError, ValueError, Refused) as error:
            raise Broken(f"what is held cannot be read: {error!r}", field=self._path) from error

    def _held(self, body: dict[str, Any]) -> Held:
        numbers = body["epoch"], body["generation"], body["away_since"]
        if not all(type(number) is int and 0 <= number < 2**63 for number in numbers):
            raise ValueError(f"epoch, generation and away_since are {numbers}")
        if body["site"] != self._site:
            raise Broken(f"{self._path} belongs to another site", found=body["site"], wanted=self._site)
        desired = decode(Desired, base64.b64decode(body["desired"]))
        leaving = decode(Desired, base64.b64decode(body["leaving"]))
        return Held(
            site=self._site,
            epoch=body["epoch"],
            generation=body["generation"],
            assignments={each.workload_id: each for each in desired.assignments},
            ended={key: decode(Status, base64.b64decode(text)) for key, text in body["ended"].items()},
            leaving={each.workload_id: each for each in leaving.assignments},
            away_since=body["away_since"],
            away_ms=body.get("away_ms", 0),
        )

    def write(self, held: Held) -> None:
        """Make it durable. Unavailable when the disk does not take it; what was written before then still stands."""
        body = {
            "site": held.site,
            "epoch": held.epoch,
            "generation": held.generation,
            "away_since": held.away_since,
            "away_ms": held.away_ms,
            "desired": base64.b64encode(encode(held.desired)).decode(),
            "leaving": base64.b64encode(
                encode(Desired(held.site, held.generation, tuple(held.leaving[key] for key in sorted(held.leaving))))
            ).decode(),
            "ended": {key: base64.b64encode(encode(status)).decode() for key, status in held.ended.items()},
        }
        data = json.dumps({"format": FORMAT, "sum": _sum(body), "body": body}).encode()
        try:
            put(self._files, self._path, [data])
        except OSError as error:
            raise Unavailable(f"writing {self._path} failed: {error}") from error


def _sum(body: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
