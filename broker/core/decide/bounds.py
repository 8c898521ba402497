"""Bounds of every number, text and list that comes in a declaration or a workload: what is beyond is refused by field.

The engine adds and multiplies in 64 bits. These bounds are far beyond what anybody means and low enough that no sum or
product of any fleet within the other limits (units, copies, sites) comes near 2**63; each is argued here, in one place,
by what a field is called. A number that is not named falls under its suffix, and without one under `MOST`.

    _us               an hour          _ms      a century
    _bytes, _per_day  8 PiB            _ppm     a million
    micros            nine milliard dollars

A text is at most `MOST_TEXT` characters and a list `MOST_ITEMS` long: what is taken is kept in every snapshot and told
to every reader.
"""

import typing
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from tidegate.model.errors import Refused
from tidegate.model.money import Team

MOST = 2**53
"""So that readers that keep numbers as doubles read them too."""
_CENTURY_MS = 100 * 366 * 24 * 3_600_000
MOST_TEXT = 16_384
MOST_ITEMS = 10_000
GANG = 10_000
"""The most workers or replicas of one workload."""

BY_NAME = {
    "gpus": 1_024,
    "gpu_memory_bytes": 2**50,
    "cpus_milli": 2**40,
    "memory_bytes": 2**50,
    "gpu_share_milli": 999,
    "gpu": 1_023,
    "start": 63,
    "count": 1_000_000,
    "workers": GANG,
    "minimum": GANG,
    "maximum": GANG,
    "max_retries": 10_000,
    "runs_per_month": 1_000_000,
    "requests_per_day": 10**12,
    "canary_percent": 100,
    "retention_days": 1_000_000,
    "penalty_micros_per_hour": 10**15,
}
"""The most; the least of everything is 0."""
BY_SUFFIX = {"_us": 3_600_000_000, "_ms": _CENTURY_MS, "_ppm": 1_000_000}
SUMS = (Team,)
"""Their amounts are sums over many units, and are only ever added up in whole numbers of any size."""


def check_bounds(noun: Any, field: str = "") -> None:
    """Raise Refused, naming the field, at the first number, text or list of a noun that is out of bounds."""
    sums = isinstance(noun, SUMS)
    for path, name, found in _leaves(noun, field):
        if isinstance(found, int):
            most = MOST if sums else _most(name)
            if not 0 <= found <= most:
                raise Refused("is out of bounds", field=path, found=found, wanted=f"0 to {most}")
        elif len(found) > (MOST_TEXT if isinstance(found, str) else MOST_ITEMS):
            unit, most = ("characters", MOST_TEXT) if isinstance(found, str) else ("entries", MOST_ITEMS)
            raise Refused("is too long", field=path, found=len(found), wanted=f"at most {most} {unit}")


@cache
def _most(name: str) -> int:
    suffix = next((most for ending, most in BY_SUFFIX.items() if name.endswith(ending)), MOST)
    return BY_NAME.get(name, suffix)


def _leaves(value: Any, path: str, name: str = "") -> typing.Iterator[tuple[str, str, Any]]:
    """Every number, text and list under a value: where it is, the name of its field, and itself."""
    if isinstance(value, bool):
        return
    if isinstance(value, int | str):
        yield path, name, value
    elif is_dataclass(value):
        for one in fields(value):
            yield from _leaves(getattr(value, one.name), f"{path}.{one.name}" if path else one.name, one.name)
    elif isinstance(value, tuple):
        yield path, name, value
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}[{index}]", name)
    elif isinstance(value, dict):
        yield path, name, value
        for key, item in value.items():
            yield f"{path}.{key[:64]}", name, key
            yield from _leaves(item, f"{path}.{key[:64]}", name)
