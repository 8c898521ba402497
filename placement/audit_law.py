"""The auditor's own reading of the law: one rule, one workload, one place, in plain words and no compiled form.

It shares no code with `placement.rules`; what a condition means is written here a second time, from the same text:
a condition is true, false or open (None); what is open counts against the workload, so it makes a rule apply, meets no
requirement and grants no exemption. (The table of jurisdictions is shared, as a fact.)
"""

from dataclasses import replace

from tidegate.model.jurisdiction import GROUPS, REGIONS
from tidegate.model.money import Team
from tidegate.model.policy import Expression, Rule
from tidegate.model.site import Offer, Site
from tidegate.model.workload import Workload

NUMBERS = {"Gt": (1,), "Ge": (0, 1), "Lt": (-1,), "Le": (-1, 0)}
"""How what was found may compare with the bound."""


def lawful(rule: Rule, workload: Workload, site: Site, offers: tuple[Offer, ...], team: Team | None) -> bool:
    """Whether a rule allows a site: on some offer of it, where the rule speaks of offers and the site makes any."""
    if not speaks_of_offers(rule):
        return lawful_at(rule, workload, site, None, team)
    return not offers or any(lawful_at(rule, workload, site, offer, team) for offer in offers)


def lawful_at(rule: Rule, workload: Workload, site: Site, offer: Offer | None, team: Team | None) -> bool:
    """Whether a rule allows one offer of a site, for each of the data that the workload holds."""
    return all(
        _lawful(rule, replace(workload, data=data), site, offer, team) for data in (workload.data, *workload.carries)
    )


def speaks_of_offers(rule: Rule) -> bool:
    """Whether any of its conditions is about an offer."""
    return any(e.key.split(".")[0] == "offer" for e in _expressions(rule))


def _expressions(rule: Rule) -> list[Expression]:
    ways = [e for way in rule.require_any for e in way.expressions]
    return [*rule.when, *rule.unless, *rule.require, *ways]


def _lawful(rule: Rule, work: Workload, site: Site, offer: Offer | None, team: Team | None) -> bool:
    def true(e: Expression) -> bool:
        return _truth(e, value(e.key, work, site, offer, team)) is True

    def false(e: Expression) -> bool:
        return _truth(e, value(e.key, work, site, offer, team)) is False

    if any(false(e) for e in rule.when):
        return True
    if rule.unless and all(true(e) for e in rule.unless):
        return True
    if not all(true(e) for e in rule.require):
        return False
    return not rule.require_any or any(all(true(e) for e in way.expressions) for way in rule.require_any)


def _truth(e: Expression, found: tuple[str, ...]) -> bool | None:
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
    if not found or not found[0].isascii() or not (found[0][1:] if found[0][:1] == "-" else found[0]).isdigit():
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


def value(key: str, work: Workload, site: Site, offer: Offer | None, team: Team | None) -> tuple[str, ...]:
    """What an attribute says here: no word, one, or several."""
    data = work.data
    for prefix, labels in (
        ("site.labels.", site.labels),
        ("team.labels.", team.labels if team else {}),
        ("workload.labels.", work.labels),
        ("labels.", work.labels),
    ):
        if key.startswith(prefix):
            return (labels[key[len(prefix) :]],) if key[len(prefix) :] in labels else ()
    several = {
        "site.agreements": site.agreements,
        "site.certifications": site.certifications,
        "site.engines": tuple(engine.value for engine in site.engines),
        "data.classes": data.classes,
        "data.subjects": data.subjects or ("unknown",),
    }
    if key in several:
        return several[key]
    claimed = "unknown" if data.deidentified and data.attestation == "" else str(data.deidentified).lower()
    words = {
        "site.name": site.name,
        "site.tier": site.tier.value,
        "site.operator": site.operator,
        "site.operatorJurisdiction": site.operator_jurisdiction or site.jurisdiction,
        "site.jurisdiction": site.jurisdiction_region or site.jurisdiction,
        "site.region": site.region,
        "site.location": site.location,
        "site.retentionDays": str(site.retention_days),
        "operator.name": site.operator,
        "operator.jurisdiction": site.operator_jurisdiction or site.jurisdiction,
        "data.deidentified": claimed,
        "data.attestation": data.attestation,
        "data.origin": data.origin or "unknown",
        "data.ref": data.ref,
        "data.bytesPerDay": str(data.bytes_per_day),
        "data.sizeBytes": str(data.size_bytes),
        "workload.kind": work.kind.value,
        "workload.name": work.name,
        "workload.audit": work.inference.audit.value if work.inference else "",
        "team": work.team,
        "team.name": work.team,
    }
    if offer is not None:
        words |= {
            "offer.name": offer.name,
            "offer.instanceType": offer.instance_type or offer.name,
            "offer.pricing": offer.pricing.value,
            "offer.elastic": str(offer.elastic).lower(),
            "offer.zone": offer.zone,
            "offer.deviceClass": offer.device_class,
            "offer.gpuModel": offer.gpu_model,
            "offer.gpus": str(offer.resources.gpus),
            "offer.gpuMemoryBytes": str(offer.resources.gpu_memory_bytes),
            "offer.memoryBytes": str(offer.resources.memory_bytes),
        }
    word = words.get(key, "")
    return (word,) if word or key in ("site.name", "workload.name", "offer.name", "offer.instanceType") else ()
