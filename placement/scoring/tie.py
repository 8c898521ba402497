"""Ties: a number for a workload at a site that no one can lean on, the same on every machine.

Each name has a seed, 8 bytes of BLAKE2b; those of the sites are made once for a fleet. A workload's number
at a site is the upper half of SplitMix64's finaliser over the two seeds, one xor the other, so that a thousand sites
cost some microseconds and not a thousand hashes. (Steele, Lea, Flood: Fast splittable pseudorandom number generators,
OOPSLA 2014.)
"""

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from placement.native import INT, SEED, column, native, written

Seeds = NDArray[np.uint64]
Numbers = NDArray[np.int64]


def seed(name: str) -> int:
    """64 bits of a name."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")


def seeds(names: Iterable[str]) -> Seeds:
    """One for each name."""
    return np.array([seed(name) for name in names], dtype=np.uint64)


def ties(workload: str, sites: Seeds) -> Numbers:
    """The workload's number at each site, below 2**32."""
    found = np.empty(len(sites), dtype=np.int64)
    _mixed(np.uint64(seed(workload)), sites, found)
    return found


@native(SEED, column(SEED), written(INT))
def _mixed(workload: np.uint64, sites: Seeds, found: Numbers) -> None:
    for place in range(len(sites)):
        mixed = sites[place] ^ workload
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        found[place] = np.int64((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(32))
