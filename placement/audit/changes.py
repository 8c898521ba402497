"""The auditor's own reading of a proposed change: what of the workload, the site or a home it changes, and into what.

It shares no code with `placement.proposals.relax`: a change is text, and is read here as whoever follows the proposal
would read it. A change that gives way in nothing, or in something that may not be changed, is none.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tidegate.model.decision import Change
from tidegate.model.site import Site
from tidegate.model.workload import Gang, Spread, Workload

AGREEMENTS = "site.agreements"
HOME = ("home.", ".agreements")
"""Around the name of a home which is not the site itself: the field of what has been agreed upon for it."""
SUFFIXES = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
MOST_DIGITS = 30


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to give way in."""

    path: str
    """Where it stands in the workload, or in a site."""
    read: Callable[[str], Any]
    """From text; ValueError where it is none."""
    toward: int = 0
    """Whether giving way is less (-1) or more (1) of a number; 0 for words."""
    step: int = 1
    """The least change of it that is told."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked: a workload, of a site, the broker's homes being what they are."""

    workload: Workload
    site: Site
    homes: tuple[Site, ...]
    """The site itself, where it is one, as it is declared here too."""


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > MOST_DIGITS:
        raise ValueError(text)
    return int(text)


def _bytes(text: str) -> int:
    size = SUFFIXES.get(text[-2:])
    return _number(text[:-2]) * size if size else _number(text)


def _milli(text: str) -> int:
    return _number(text[:-1]) if text.endswith("m") else _number(text) * 1_000


def _share(text: str) -> int:
    if not text.endswith("m"):
        raise ValueError(text)
    return _number(text[:-1])


def _us(text: str) -> int:
    return _number(text[:-2]) * (1_000 if text.endswith("ms") else 1)


def _micros(text: str) -> int:
    whole, _, part = text.partition(".")
    return _number(whole) * 1_000_000 + _number((part + "000000")[:6])


def _truth(text: str) -> bool:
    return {"true": True, "false": False}[text]


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(", ")) if text else ()


FIELDS = {
    "latency.p99": Field("latency.p99_us", _us, 1, 1_000),
    "data.bytesPerDay": Field("data.bytes_per_day", _bytes, -1),
    "demand.gpus": Field("demand.resources.gpus", _number, -1),
    "demand.gpuMemory": Field("demand.resources.gpu_memory_bytes", _bytes, -1),
    "demand.gpuShare": Field("demand.gpu_share_milli", _share, -1),
    "demand.cpus": Field("demand.resources.cpus_milli", _milli, -1),
    "demand.memory": Field("demand.resources.memory_bytes", _bytes, -1),
    "training.workers": Field("training.workers", _number, -1),
    "training.gang": Field("training.gang", Gang),
    "replicas.min": Field("inference.replicas.minimum", _number, -1),
    "replicas.spread": Field("inference.replicas.spread", Spread),
    "maxCost": Field("max_cost_micros_per_hour", _micros, 1),
    "data.deidentified": Field("data.deidentified", _truth),
    "data.attestation": Field("data.attestation", str),
    AGREEMENTS: Field("agreements", _names),
}
AFTER: dict[str, object] = {
    "training.gang": Gang.PACKED,
    "replicas.spread": Spread.NONE,
    "data.deidentified": True,
    "data.attestation": "required",
}
"""What words may be changed into."""


def changed(asked: Asked, changes: tuple[Change, ...]) -> Asked | None:
    """What is asked once all of these are made; None where one of them is no change, or from what is not so."""
    try:
        for change in changes:
            field = _field(change.field)
            before, after = field.read(change.before), field.read(change.after)
            found = get(_noun(asked, change.field), field.path)
            if found != before or not _gives_way(change.field, field, before, after):
                return None
            asked = put(asked, change.field, after)
    except (ValueError, KeyError, AttributeError):
        return None
    return asked


def nearer(asked: Asked, changes: tuple[Change, ...]) -> list[Asked]:
    """What is asked, each time with one of the changes a step smaller, where it has steps or parts."""
    found: list[Asked] = []
    for change in changes:
        field, all_ = _field(change.field), changed(asked, changes)
        before, after = field.read(change.before), field.read(change.after)
        assert all_ is not None
        if field.read is _names and len(after) > len(before) + 1:
            found += [
                put(all_, change.field, tuple(a for a in after if a != one)) for one in after if one not in before
            ]
        elif field.toward and abs(after - before) > field.step:
            found.append(put(all_, change.field, after - field.toward * field.step))
    return found


def _gives_way(name: str, field: Field, before: Any, after: Any) -> bool:
    if field.read is _names:
        return set(before) < set(after) and len(set(after)) == len(after)
    if field.toward:
        return bool((after - before) * field.toward > 0 and after > 0)
    return bool(before != after and after == AFTER[name])


def get(noun: object, path: str) -> object:
    """The value at a path of fields."""
    for name in path.split("."):
        noun = getattr(noun, name)
    return noun


def put(asked: Asked, name: str, value: object) -> Asked:
    """What is asked, with one field changed."""
    noun, field = _noun(asked, name), _field(name)
    new = _put(noun, field.path, value)
    if isinstance(noun, Workload):
        return replace(asked, workload=new)
    homes = tuple(new if home.name == new.name else home for home in asked.homes)
    return replace(asked, site=asked.site if noun is not asked.site else new, homes=homes)


def _field(name: str) -> Field:
    """KeyError where there is none of that name."""
    return FIELDS[AGREEMENTS if _home(name) else name]


def _noun(asked: Asked, name: str) -> Workload | Site:
    """What a field stands in. KeyError where that is no home but the site itself."""
    home = _home(name)
    if not home:
        return asked.site if name == AGREEMENTS else asked.workload
    for one in asked.homes:
        if one.name == home != asked.site.name:
            return one
    raise KeyError(home)


def _home(name: str) -> str:
    before, after = HOME
    return name[len(before) : -len(after)] if name.startswith(before) and name.endswith(after) else ""


def _put(noun: Any, path: str, value: object) -> Any:
    first, _, rest = path.partition(".")
    return replace(noun, **{first: _put(getattr(noun, first), rest, value) if rest else value})
