"""What one rule says of one place, in three values: yes, no, and open where something is not known.

Open is read as whatever is strictest: a rule then applies, is not satisfied, and exempts nobody.
"""

from dataclasses import replace

from tidegate.model.jurisdiction import GROUPS, country_of, is_region
from tidegate.model.money import Team
from tidegate.model.policy import Expression, Rule
from tidegate.model.site import Offer, Site
from tidegate.model.workload import Data, Workload

Truth = bool | None
Asked = tuple[Workload, Data, Site, Offer | None, Team | None]

MAY_BE_UNKNOWN = ("data.classes", "data.subjects", "data.deidentified", "data.origin")
PLACES = ("data.subjects", "site.jurisdiction", "site.operatorJurisdiction", "operator.jurisdiction")


def of_offers(rule: Rule) -> bool:
    every = [*rule.when, *rule.unless, *rule.require, *(e for way in rule.require_any for e in way.expressions)]
    return any(e.key.startswith("offer.") for e in every)


def allows_site(rule: Rule, work: Workload, site: Site, offers: tuple[Offer, ...], team: Team | None) -> bool:
    """A rule on offers wants one offer that it allows, unless there is none at all."""
    if not of_offers(rule):
        return allows(rule, work, site, None, team)
    return len(offers) == 0 or any(allows(rule, work, site, offer, team) for offer in offers)


def allows(rule: Rule, work: Workload, site: Site, offer: Offer | None, team: Team | None) -> bool:
    """For its own data, and for each that its model was made from; for all of it where classes are named together."""
    held = [work.data, *work.carries]
    named = [e for e in rule.when if e.key == "data.classes" and e.operator.value in ("ContainsAny", "ContainsAll")]
    if work.carries and (
        len(named) > 1 or any(e.operator.value == "ContainsAll" and len({*e.values}) > 1 for e in named)
    ):
        held.append(_all_of(held))
    return all(_allows(rule, (work, data, site, offer, team)) for data in held)


def _all_of(held: list[Data]) -> Data:
    whole = held[0]
    for other in held[1:]:
        whole = replace(
            whole,
            classes=whole.classes + other.classes,
            subjects=whole.subjects + other.subjects if whole.subjects and other.subjects else (),
            deidentified=whole.deidentified and other.deidentified,
            attestation=whole.attestation if other.attestation else "",
        )
    return whole


def _allows(rule: Rule, asked: Asked) -> bool:
    when = [truth(e, asked) for e in rule.when]
    unless = [truth(e, asked) for e in rule.unless]
    if False in when or (unless and set(unless) == {True}):
        return True
    if any(truth(e, asked) is not True for e in rule.require):
        return False
    ways = [[truth(e, asked) for e in way.expressions] for way in rule.require_any]
    return not ways or any(set(way) <= {True} for way in ways)


def truth(e: Expression, asked: Asked) -> Truth:
    found = words(e.key, asked)
    if e.key in MAY_BE_UNKNOWN and "unknown" in found and "unknown" not in e.values:
        return None
    match e.operator.value:
        case "Exists":
            return found != ()
        case "DoesNotExist":
            return found == ()
        case "Gt" | "Ge" | "Lt" | "Le" as order:
            if not found or not _number(found[0]):
                return False
            have, bound = int(found[0]), int(e.values[0])
            return {"Gt": have > bound, "Ge": have >= bound, "Lt": have < bound, "Le": have <= bound}[order]
        case operator:
            if e.key in PLACES:
                return _places(operator, found, e.values)
            have_all = [value in found for value in e.values]
            return {
                "In": found != () and all(one in e.values for one in found),
                "NotIn": not any(one in e.values for one in found),
                "ContainsAny": any(have_all),
                "ContainsAll": all(have_all),
            }[operator]


def _places(operator: str, found: tuple[str, ...], values: tuple[str, ...]) -> Truth:
    there = [place for name in found for place in sorted(GROUPS.get(name, {name}))]
    if operator == "ContainsAll":
        return _and([_or([_lies(place, (value,)) for place in there]) for value in values])
    lies = [_lies(place, values) for place in there]
    if operator == "In":
        return _and(lies) if there else False
    any_of = _or(lies)
    return any_of if operator == "ContainsAny" else None if any_of is None else not any_of


def _lies(place: str, values: tuple[str, ...]) -> Truth:
    """A region lies in its country; a country may lie in any of its regions, so that is open."""
    spelled = [one for value in values for one in GROUPS.get(value, {value})]
    if place in spelled or country_of(place) in spelled:
        return True
    hides = not is_region(place) and any(is_region(one) and country_of(one) == place for one in spelled)
    return None if hides else False


def _or(truths: list[Truth]) -> Truth:
    return True if True in truths else None if None in truths else False


def _and(truths: list[Truth]) -> Truth:
    return False if False in truths else None if None in truths else True


def _number(text: str) -> bool:
    digits = text[1:] if text.startswith("-") else text
    return len(text) <= 20 and digits.isascii() and digits.isdigit()


def words(key: str, asked: Asked) -> tuple[str, ...]:
    """What an attribute says, as words."""
    work, data, site, offer, team = asked
    for prefix, labels in (
        ("site.labels.", site.labels),
        ("team.labels.", team.labels if team else {}),
        ("workload.labels.", work.labels),
        ("labels.", work.labels),
    ):
        if key.startswith(prefix):
            return (labels[key[len(prefix) :]],) if key[len(prefix) :] in labels else ()
    if key == "data.deidentified":
        return ("unknown",) if data.deidentified and not data.attestation else (str(data.deidentified).lower(),)
    several = {
        "site.engines": tuple(engine.value for engine in site.engines),
        "site.agreements": site.agreements,
        "site.certifications": site.certifications,
        "data.classes": data.classes or ("unknown",),
        "data.subjects": data.subjects or ("unknown",),
    }
    if key in several:
        return several[key]
    one = {
        "site.name": site.name,
        "site.tier": site.tier.value,
        "site.operator": site.operator,
        "operator.name": site.operator,
        "site.jurisdiction": site.jurisdiction_region or site.jurisdiction,
        "site.operatorJurisdiction": site.operator_jurisdiction or site.jurisdiction,
        "operator.jurisdiction": site.operator_jurisdiction or site.jurisdiction,
        "site.region": site.region,
        "site.location": site.location,
        "site.retentionDays": str(site.retention_days),
        "data.origin": data.origin or "unknown",
        "data.attestation": data.attestation,
        "data.bytesPerDay": str(data.bytes_per_day),
        "data.sizeBytes": str(data.size_bytes),
        "workload.kind": work.kind.value,
        "workload.audit": work.inference.audit.value if work.inference else "",
        "team": work.team,
        "team.name": work.team,
    }
    if offer is not None:
        one |= {
            "offer.name": offer.name,
            "offer.pricing": offer.pricing.value,
            "offer.elastic": str(offer.elastic).lower(),
            "offer.zone": offer.zone,
            "offer.gpuModel": offer.gpu_model,
            "offer.gpus": str(offer.resources.gpus),
        }
    return (one[key],) if one[key] else ()
