"""The attributes that policies may speak of: dotted key, type, and where the value comes from.

This table is the vocabulary of the law. A key that is not here (or under `labels.` and `site.labels.`) is refused when
a policy is applied, with the nearest known key. Every value is handed to the operators as a tuple of words: one word
for `TEXT`, none where there is nothing, `true` or `false` for `BOOLEAN`, decimal digits for `NUMBER`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum

from tidegate.model.policy import Operator
from tidegate.model.site import Site
from tidegate.model.workload import Workload

Found = tuple[str, ...]


class Type(Enum):
    """What an attribute's value is, and so which operators mean anything for it."""

    TEXT = "text"
    TEXTS = "a list of texts"
    BOOLEAN = "true or false"
    NUMBER = "a whole number"
    LABEL = "a label"
    """Text that may be absent, compared as a number by `Gt`, `Ge`, `Lt` and `Le`."""


PRESENCE = frozenset({Operator.EXISTS, Operator.DOES_NOT_EXIST})
ORDER = frozenset({Operator.GT, Operator.GE, Operator.LT, Operator.LE})
MEMBER = frozenset({Operator.IN, Operator.NOT_IN})
LISTS = frozenset({Operator.CONTAINS_ANY, Operator.CONTAINS_ALL})

OPERATORS: dict[Type, frozenset[Operator]] = {
    Type.TEXT: PRESENCE | MEMBER,
    Type.TEXTS: PRESENCE | MEMBER | LISTS,
    Type.BOOLEAN: MEMBER,
    Type.NUMBER: MEMBER | ORDER,
    Type.LABEL: PRESENCE | MEMBER | ORDER,
}


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: exactly one of `of_site` and `of_workload` is there."""

    key: str
    type: Type
    of_site: Callable[[Site], Found] | None = None
    of_workload: Callable[[Workload], Found] | None = None
    groups: bool = False
    """Whether its values are jurisdictions, so that a group stands for its members."""


def _word(value: str) -> Found:
    return (value,) if value else ()


def _truth(value: bool) -> Found:
    return ("true" if value else "false",)


def _site(key: str, of_site: Callable[[Site], Found], type: Type = Type.TEXT, groups: bool = False) -> Attribute:
    return Attribute(key, type, of_site=of_site, groups=groups)


def _work(key: str, of: Callable[[Workload], Found], type: Type = Type.TEXT, groups: bool = False) -> Attribute:
    return Attribute(key, type, of_workload=of, groups=groups)


ATTRIBUTES: dict[str, Attribute] = {
    attribute.key: attribute
    for attribute in (
        _site("site.name", lambda s: (s.name,)),
        _site("site.tier", lambda s: (s.tier.value,)),
        _site("site.operator", lambda s: _word(s.operator)),
        _site("site.operatorJurisdiction", lambda s: _word(s.compelled_by), groups=True),
        _site("site.jurisdiction", lambda s: _word(s.jurisdiction), groups=True),
        _site("site.region", lambda s: _word(s.region)),
        _site("site.location", lambda s: _word(s.location)),
        _site("site.agreements", lambda s: s.agreements, Type.TEXTS),
        _site("site.certifications", lambda s: s.certifications, Type.TEXTS),
        _work("data.classes", lambda w: w.data.classes, Type.TEXTS),
        _work("data.subjects", lambda w: w.data.subjects, Type.TEXTS, groups=True),
        _work("data.deidentified", lambda w: _truth(w.data.deidentified), Type.BOOLEAN),
        _work("data.attestation", lambda w: _word(w.data.attestation)),
        _work("data.origin", lambda w: _word(w.data.origin)),
        _work("data.ref", lambda w: _word(w.data.ref)),
        _work("data.bytesPerDay", lambda w: (str(w.data.bytes_per_day),), Type.NUMBER),
        _work("data.sizeBytes", lambda w: (str(w.data.size_bytes),), Type.NUMBER),
        _work("workload.kind", lambda w: (w.kind.value,)),
        _work("workload.name", lambda w: (w.name,)),
        _work("team", lambda w: _word(w.team)),
    )
}
SITE_LABELS = "site.labels."
WORKLOAD_LABELS = "labels."


def attribute(key: str) -> Attribute | None:
    """The attribute of that key, a label's included; None where there is no such attribute."""
    if key in ATTRIBUTES:
        return ATTRIBUTES[key]
    if key.startswith(SITE_LABELS) and len(key) > len(SITE_LABELS):
        label = key.removeprefix(SITE_LABELS)
        return _site(key, lambda s: (s.labels[label],) if label in s.labels else (), Type.LABEL)
    if key.startswith(WORKLOAD_LABELS) and len(key) > len(WORKLOAD_LABELS):
        label = key.removeprefix(WORKLOAD_LABELS)
        return _work(key, lambda w: (w.labels[label],) if label in w.labels else (), Type.LABEL)
    return None


def nearest(key: str) -> str:
    """The known key that looks most like `key`; empty where none does."""
    words = {known.lower(): known for known in ATTRIBUTES}
    close = get_close_matches(key.replace("_", "").lower(), words, n=1, cutoff=0.6)
    return words[close[0]] if close else ""
