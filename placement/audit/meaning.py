"""The auditor's own reading of the law: one rule, one workload, one place, in plain words and no compiled form.

It shares no code with `placement.rules`; what a condition means is written here a second time, from the same text:
a condition is true, false or open (None); what is open counts against the workload, so it makes a rule apply, meets no
requirement and grants no exemption. (The table of jurisdictions is shared, as a fact.)
"""

from collections.abc import Callable
from dataclasses import replace

from tidegate.model.jurisdiction import GROUPS, REGIONS
from tidegate.model.money import Team
from tidegate.model.policy import Expression, Rule
from tidegate.model.site import Offer, Site
from tidegate.model.workload import Data, Workload

NUMBERS = {"Gt": (1,), "Ge": (0, 1), "Lt": (-1,), "Le": (-1, 0)}
"""How what was found may compare with the bound."""


def lawful(rule: Rule, workload: Workload, site: Site, offers: tuple[Offer, ...], team: Team | None) -> bool:
    """Whether a rule allows a site: on some offer of it, where the rule speaks of offers and the site makes any."""
    if not speaks_of_offers(rule):
        return lawful_at(rule, workload, site, None, team)
    return not offers or any(lawful_at(rule, workload, site, offer, team) for offer in offers)


def lawful_at(rule: Rule, workload: Workload, site: Site, offer: Offer | None, team: Team | None) -> bool:
    """Whether a rule allows one offer of a site, for each of the data that the workload holds."""
    return all(_lawful(rule, replace(workload, data=data), site, offer, team) for data in held(rule, workload))


def held(rule: Rule, workload: Workload) -> list[Data]:
    """The sets of data that a rule is asked about: each, and all as one where it names several classes at once."""
    sets = [workload.data, *workload.carries]
    named = [set(e.values) if e.operator.value == "ContainsAll" else {""} for e in rule.when if _names_classes(e)]
    return [*sets, as_one(sets)] if len(sets) > 1 and sum(map(len, named)) > 1 else sets


def as_one(sets: list[Data]) -> Data:
    """Every class and everybody's country; a claim is made of all of it only where it is made of each."""
    classes: dict[str, None] = {}
    people: dict[str, None] = {}
    for data in sets:
        classes |= dict.fromkeys(data.classes)
        people |= dict.fromkeys(data.subjects or ("",))
    return replace(
        sets[0],
        classes=tuple(classes),
        subjects=() if "" in people else tuple(people),
        deidentified=not any(not data.deidentified for data in sets),
        attestation="" if any(data.attestation == "" for data in sets) else sets[0].attestation,
    )


def _names_classes(e: Expression) -> bool:
    return e.key == "data.classes" and e.operator.value in ("ContainsAny", "ContainsAll")


def speaks_of_offers(rule: Rule) -> bool:
    """Whether any of its conditions is about an offer."""
    return any(e.key.split(".")[0] == "offer" for e in _expressions(rule))


def keys_of(rule: Rule) -> set[str]:
    """The attributes that it speaks of."""
    return {e.key for e in _expressions(rule)}


def _expressions(rule: Rule) -> list[Expression]:
    ways = [e for way in rule.require_any for e in way.expressions]
    return [*rule.when, *rule.unless, *rule.require, *ways]


def _lawful(rule: Rule, work: Workload, site: Site, offer: Offer | None, team: Team | None) -> bool:
    def true(e: Expression) -> bool:
        return truth(e, value(e.key, work, site, offer, team)) is True

    def false(e: Expression) -> bool:
        return truth(e, value(e.key, work, site, offer, team)) is False

    if any(false(e) for e in rule.when):
        return True
    if rule.unless and all(true(e) for e in rule.unless):
        return True
    if not all(true(e) for e in rule.require):
        return False
    return not rule.require_any or any(all(true(e) for e in way.expressions) for way in rule.require_any)


def truth(e: Expression, found: tuple[str, ...]) -> bool | None:
    """Whether an expression is true or false of what was found; None where that is open."""
    operator, values = e.operator.value, set(e.values)
    if e.key.startswith("data.") and "unknown" in found and "unknown" not in values:
        return None
    if operator == "Exists":
        return len(found) > 0
    if operator == "DoesNotExist":
        return len(found) == 0
    if operator in NUMBERS:
        sign = _compare(found, int(e.values[0]))
        return sign is not None and sign in NUMBERS[operator]
    if e.key.lower().endswith("jurisdiction") or e.key == "data.subjects":
        return _geography(operator, e.values, found)
    have = set(found)
    return {
        "In": len(have) > 0 and have.issubset(values),
        "NotIn": have.isdisjoint(values),
        "ContainsAny": not have.isdisjoint(values),
        "ContainsAll": have.issuperset(values),
    }[operator]


def _compare(found: tuple[str, ...], bound: int) -> int | None:
    """-1, 0 or 1 where what was found is less, the same or more; None where it is no number."""
    if (
        not found
        or len(found[0]) > 20
        or not found[0].isascii()
        or not (found[0][1:] if found[0][:1] == "-" else found[0]).isdigit()
    ):
        return None
    return (int(found[0]) > bound) - (int(found[0]) < bound)


def _geography(operator: str, values: tuple[str, ...], found: tuple[str, ...]) -> bool | None:
    """Every place that was found, spelled out, against the values; a country may hide one of its regions."""
    places = [place for name in found for place in GROUPS.get(name, (name,))]
    if operator == "ContainsAll":
        inside = [_some([_inside(place, [value]) for place in places]) for value in values]
        return _every(inside)
    inside = [_inside(place, list(values)) for place in places]
    if operator == "In":
        return len(places) > 0 and _every(inside)
    if operator == "ContainsAny":
        return _some(inside)
    some = _some(inside)
    return None if some is None else not some


def _inside(place: str, values: list[str]) -> bool | None:
    members = {member for value in values for member in GROUPS.get(value, (value,))}
    country = place.split("-")[0]
    if place in members or (country in members and _is_region(place)):
        return True
    if not _is_region(place) and any(_is_region(m) and m.split("-")[0] == place for m in members):
        return None
    return False


def _is_region(place: str) -> bool:
    country, dash, rest = place.partition("-")
    return dash == "-" and len(country) == 2 and rest in REGIONS.get(country, (rest,))


def _some(answers: list[bool | None]) -> bool | None:
    if True in answers:
        return True
    return None if None in answers else False


def _every(answers: list[bool | None]) -> bool | None:
    if False in answers:
        return False
    return None if None in answers else True


def is_of_sites(key: str) -> bool:
    """Whether an attribute is the same whatever the workload and the offer."""
    return key.startswith(("site.", "operator."))


def site_says(key: str, site: Site) -> tuple[str, ...]:
    """What an attribute of sites says of one."""
    if key.startswith("site.labels."):
        name = key.removeprefix("site.labels.")
        return (site.labels[name],) if name in site.labels else ()
    return OF_SITE[key](site)


def value(key: str, work: Workload, site: Site, offer: Offer | None, team: Team | None) -> tuple[str, ...]:
    """What an attribute says here: no word, one, or several."""
    if is_of_sites(key):
        return site_says(key, site)
    for prefix in LABELS:
        if key.startswith(prefix):
            return _label(key[len(prefix) :], prefix, work, team)
    if key in OF_WORK:
        return OF_WORK[key](work)
    return OF_OFFER[key](offer) if offer is not None else ()


LABELS = ("team.labels.", "workload.labels.", "labels.")


def _label(name: str, prefix: str, work: Workload, team: Team | None) -> tuple[str, ...]:
    labels = work.labels if prefix != "team.labels." else team.labels if team else {}
    return (labels[name],) if name in labels else ()


def _told(word: str) -> tuple[str, ...]:
    return (word,) if word else ()


def _claimed(data: Data) -> str:
    return "unknown" if data.deidentified and data.attestation == "" else str(data.deidentified).lower()


OF_SITE: dict[str, Callable[[Site], tuple[str, ...]]] = {
    "site.name": lambda site: (site.name,),
    "site.tier": lambda site: (site.tier.value,),
    "site.operator": lambda site: _told(site.operator),
    "site.operatorJurisdiction": lambda site: _told(site.operator_jurisdiction or site.jurisdiction),
    "site.jurisdiction": lambda site: _told(site.jurisdiction_region or site.jurisdiction),
    "site.region": lambda site: _told(site.region),
    "site.location": lambda site: _told(site.location),
    "site.retentionDays": lambda site: (str(site.retention_days),),
    "site.agreements": lambda site: site.agreements,
    "site.certifications": lambda site: site.certifications,
    "site.engines": lambda site: tuple(engine.value for engine in site.engines),
    "operator.name": lambda site: _told(site.operator),
    "operator.jurisdiction": lambda site: _told(site.operator_jurisdiction or site.jurisdiction),
}
OF_WORK: dict[str, Callable[[Workload], tuple[str, ...]]] = {
    "data.classes": lambda work: work.data.classes,
    "data.subjects": lambda work: work.data.subjects or ("unknown",),
    "data.deidentified": lambda work: (_claimed(work.data),),
    "data.attestation": lambda work: _told(work.data.attestation),
    "data.origin": lambda work: (work.data.origin or "unknown",),
    "data.ref": lambda work: _told(work.data.ref),
    "data.bytesPerDay": lambda work: (str(work.data.bytes_per_day),),
    "data.sizeBytes": lambda work: (str(work.data.size_bytes),),
    "workload.kind": lambda work: (work.kind.value,),
    "workload.name": lambda work: (work.name,),
    "workload.audit": lambda work: _told(work.inference.audit.value if work.inference else ""),
    "team": lambda work: _told(work.team),
    "team.name": lambda work: _told(work.team),
}
OF_OFFER: dict[str, Callable[[Offer], tuple[str, ...]]] = {
    "offer.name": lambda offer: (offer.name,),
    "offer.instanceType": lambda offer: (offer.instance_type or offer.name,),
    "offer.pricing": lambda offer: (offer.pricing.value,),
    "offer.elastic": lambda offer: (str(offer.elastic).lower(),),
    "offer.zone": lambda offer: _told(offer.zone),
    "offer.deviceClass": lambda offer: _told(offer.device_class),
    "offer.gpuModel": lambda offer: _told(offer.gpu_model),
    "offer.gpus": lambda offer: (str(offer.resources.gpus),),
    "offer.gpuMemoryBytes": lambda offer: (str(offer.resources.gpu_memory_bytes),),
    "offer.memoryBytes": lambda offer: (str(offer.resources.memory_bytes),),
}
