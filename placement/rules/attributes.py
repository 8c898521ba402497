"""The attributes that policies may speak of: dotted key, type, and where the value comes from.

This table is the vocabulary of the law. A key that is not here (or under `labels.`, `site.labels.` and `team.labels.`)
is refused when a policy is applied, with the nearest known key. Every value is handed to the operators as a tuple of
words: one word for `TEXT`, none where there is nothing, `true` or `false` for `BOOLEAN`, digits for `NUMBER`.

What is not known of data is the word `unknown`: its classes, its subjects or its origin where nothing was said, and
whether it is de-identified where that is claimed and nobody attests it. A claim that nobody vouches for is no fact, and
what is not known is treated as strictest (`placement.rules.expressions`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum, StrEnum

from tidegate.model.jurisdiction import is_known
from tidegate.model.jurisdiction import nearest as nearest_jurisdiction
from tidegate.model.money import Team
from tidegate.model.policy import Operator
from tidegate.model.site import Engine, Offer, Pricing, Site, Tier
from tidegate.model.workload import STRICTEST, Audit, Data, Workload, WorkloadKind

Found = tuple[str, ...]

CLASSES = ("phi", "pii", "pci", "financial", "trade-secret", "special-category", "biometric", "public", STRICTEST)
"""The classes of data that the packs speak of. Any other word is a class too: the user's own."""
CLASS_CUTOFF = 0.8
"""How much a word must look like a known class to be taken for a slip of the pen: one letter of four or five."""


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
    """One attribute: exactly one of `of_site`, `of_offer`, `of_workload` and `of_team` is there."""

    key: str
    type: Type
    of_site: Callable[[Site], Found] | None = None
    of_offer: Callable[[Offer], Found] | None = None
    of_workload: Callable[[Workload], Found] | None = None
    of_team: Callable[[Team], Found] | None = None
    jurisdiction: bool = False
    """Whether its values are jurisdictions: a group stands for its members, a country for its regions."""
    choices: Found = ()
    """The only values there are, where there are so few."""


def _word(value: str) -> Found:
    return (value,) if value else ()


def _truth(value: bool) -> Found:
    return ("true" if value else "false",)


def _known(values: Found) -> Found:
    return values or (STRICTEST,)


def deidentified(data: Data) -> Found:
    """Whether nobody can be recognised from the data; `unknown` where that is claimed without an attestation."""
    return (STRICTEST,) if data.deidentified and not data.attestation else _truth(data.deidentified)


def _of(choices: type[StrEnum]) -> Found:
    return tuple(choice.value for choice in choices)


def _site(key: str, of: Callable[[Site], Found], type: Type = Type.TEXT, **more: bool | Found) -> Attribute:
    return Attribute(key, type, of_site=of, **more)  # type: ignore[arg-type]


def _offer(key: str, of: Callable[[Offer], Found], type: Type = Type.TEXT, choices: Found = ()) -> Attribute:
    return Attribute(key, type, of_offer=of, choices=choices)


def _work(key: str, of: Callable[[Workload], Found], type: Type = Type.TEXT, **more: bool | Found) -> Attribute:
    return Attribute(key, type, of_workload=of, **more)  # type: ignore[arg-type]


ATTRIBUTES: dict[str, Attribute] = {
    attribute.key: attribute
    for attribute in (
        _site("site.name", lambda s: (s.name,)),
        _site("site.tier", lambda s: (s.tier.value,), choices=_of(Tier)),
        _site("site.operator", lambda s: _word(s.operator)),
        _site("site.operatorJurisdiction", lambda s: _word(s.compelled_by), jurisdiction=True),
        _site("site.jurisdiction", lambda s: _word(s.jurisdiction_region or s.jurisdiction), jurisdiction=True),
        _site("site.region", lambda s: _word(s.region)),
        _site("site.location", lambda s: _word(s.location)),
        _site("site.engines", lambda s: tuple(e.value for e in s.engines), Type.TEXTS, choices=_of(Engine)),
        _site("site.agreements", lambda s: s.agreements, Type.TEXTS),
        _site("site.certifications", lambda s: s.certifications, Type.TEXTS),
        _site("site.retentionDays", lambda s: (str(s.retention_days),), Type.NUMBER),
        _site("operator.name", lambda s: _word(s.operator)),
        _site("operator.jurisdiction", lambda s: _word(s.compelled_by), jurisdiction=True),
        _offer("offer.name", lambda o: (o.name,)),
        _offer("offer.instanceType", lambda o: (o.instance_type or o.name,)),
        _offer("offer.pricing", lambda o: (o.pricing.value,), choices=_of(Pricing)),
        _offer("offer.elastic", lambda o: _truth(o.elastic), Type.BOOLEAN),
        _offer("offer.zone", lambda o: _word(o.zone)),
        _offer("offer.deviceClass", lambda o: _word(o.device_class)),
        _offer("offer.gpuModel", lambda o: _word(o.gpu_model)),
        _offer("offer.gpus", lambda o: (str(o.resources.gpus),), Type.NUMBER),
        _offer("offer.gpuMemoryBytes", lambda o: (str(o.resources.gpu_memory_bytes),), Type.NUMBER),
        _offer("offer.memoryBytes", lambda o: (str(o.resources.memory_bytes),), Type.NUMBER),
        _work("data.classes", lambda w: _known(w.data.classes), Type.TEXTS),
        _work("data.subjects", lambda w: _known(w.data.subjects), Type.TEXTS, jurisdiction=True),
        _work("data.deidentified", lambda w: deidentified(w.data), Type.BOOLEAN),
        _work("data.attestation", lambda w: _word(w.data.attestation)),
        _work("data.origin", lambda w: (w.data.origin or STRICTEST,)),
        _work("data.ref", lambda w: _word(w.data.ref)),
        _work("data.bytesPerDay", lambda w: (str(w.data.bytes_per_day),), Type.NUMBER),
        _work("data.sizeBytes", lambda w: (str(w.data.size_bytes),), Type.NUMBER),
        _work("workload.kind", lambda w: (w.kind.value,), choices=_of(WorkloadKind)),
        _work("workload.name", lambda w: (w.name,)),
        _work("workload.audit", lambda w: _word(w.inference.audit.value if w.inference else ""), choices=_of(Audit)),
        _work("team", lambda w: _word(w.team)),
        _work("team.name", lambda w: _word(w.team)),
    )
}
"""`team` is the older name of `team.name`, and `site.operator...` that of `operator...`; each pair is one attribute."""


def _label(value: Mapping[str, str], name: str) -> Found:
    return (value[name],) if name in value else ()


_LABELS: dict[str, Callable[[str, str], Attribute]] = {
    "site.labels.": lambda key, name: _site(key, lambda s: _label(s.labels, name), Type.LABEL),
    "team.labels.": lambda key, name: Attribute(key, Type.LABEL, of_team=lambda t: _label(t.labels, name)),
    "labels.": lambda key, name: _work(key, lambda w: _label(w.labels, name), Type.LABEL),
    "workload.labels.": lambda key, name: _work(key, lambda w: _label(w.labels, name), Type.LABEL),
}


def attribute(key: str) -> Attribute | None:
    """The attribute of that key, a label's included; None where there is no such attribute."""
    if key in ATTRIBUTES:
        return ATTRIBUTES[key]
    for prefix, make in _LABELS.items():
        if key.startswith(prefix) and len(key) > len(prefix):
            return make(key, key.removeprefix(prefix))
    return None


def nearest(key: str) -> str:
    """The known key that looks most like `key`; empty where none does."""
    words = {known.lower(): known for known in ATTRIBUTES}
    close = get_close_matches(key.replace("_", "").lower(), words, n=1, cutoff=0.6)
    return words[close[0]] if close else ""


def wanted_instead(known: Attribute, value: str) -> str:
    """What the value of an expression on this attribute should be, where it can be no value; empty where it can."""
    if known.jurisdiction:
        if is_known(value) or (known.key.startswith("data.") and value == STRICTEST):
            return ""
        close = nearest_jurisdiction(value)
        return f"{close} (did you mean that?)" if close else "a country such as DE, a region such as US-CA, or EU, EEA"
    if not known.choices or value in known.choices:
        return ""
    close = "".join(get_close_matches(value.lower(), known.choices, n=1, cutoff=0.6))
    return f"one of {', '.join(known.choices)}" + (f" (did you mean {close}?)" if close else "")


def mistaken_class(name: str, known: frozenset[str] = frozenset()) -> str:
    """The known class that a class of data seems to be a slip of the pen for; empty where it is known or one's own.

    `known` are one's own classes, as the policies in force name them.
    """
    if name in CLASSES or name in known:
        return ""
    close = get_close_matches(name.lower().replace("_", "-"), (*CLASSES, *sorted(known)), n=1, cutoff=CLASS_CUTOFF)
    return close[0] if close else ""
