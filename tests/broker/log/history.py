"""A made-up history that can be recomputed from the offsets alone, so that a test knows what every row must hold."""

import hashlib

from broker.log.record import Record


def made_up(offset: int) -> Record:
    """The record that belongs at an offset: payloads from nothing to about 700 bytes."""
    digest = hashlib.sha256(offset.to_bytes(8, "big")).digest()
    return Record(f"Happened{offset % 5}", 1 + offset % 3, 1_700_000_000_000 + offset, digest * (offset % 23))


def made_up_run(after: int, count: int) -> list[Record]:
    """The records for the `count` offsets above `after`."""
    return [made_up(offset) for offset in range(after + 1, after + count + 1)]
