"""Ties: a number for a workload at a site that no one can lean on, the same on every machine."""

from hashlib import blake2b

BITS = 53
"""So that the number survives JSON readers that keep numbers as doubles."""


def tie(workload: str, site: str) -> int:
    """The first 53 bits of BLAKE2b over both names, a zero byte between them."""
    digest = blake2b(f"{workload}\0{site}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> (64 - BITS)
