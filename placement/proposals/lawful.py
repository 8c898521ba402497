"""What would satisfy the law: an agreement that a rule accepts or, of data, that it is de-identified and attested.

A rule is never asked to be broken. What it names is tried, the fewest agreements first: of a rule that asks for any of
several, one; of one that exempts who has signed, that; and data that is de-identified as well only where no agreement
alone will do. Where the rule binds the work's products at the broker's home (`placement.rules.products`), the same is
tried there: `home.NAME.agreements` are what would be agreed upon for a home other than the site itself.

Limit: of `MOST_NAMED` agreements that one rule names.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

from placement.proposals.trial import AGREEMENTS, Place, Trial, at_home
from placement.rules.law import LawRule
from tidegate.model.decision import Change
from tidegate.model.site import Offer, Site

MOST_NAMED = 6
OF_DATA = ("data.deidentified", "data.attestation")


def satisfy_law(rule: LawRule, trial: Trial, place: Place) -> Trial | None:
    """The trial changed just enough for a rule that refuses the site; None where nothing there is will do."""
    offers = place.alone.sites[trial.site.name].offers if rule.of_offers else ()
    return _satisfy(rule, trial, trial.site, offers or (None,))


def satisfy_home(trial: Trial, homes: tuple[Site, ...], rules: tuple[LawRule, ...]) -> Trial | None:
    """The same for what the work leaves behind, wherever it comes home to. `rules`: those that are enforced.

    The trial itself where it was changed enough already.
    """
    changed = trial
    for name in [home.name for home in homes]:
        for rule in rules:
            home = _declared(changed, name, homes)
            if rule.of_offers or rule.allows_one(changed.workload, home):
                continue
            after = _satisfy(rule, changed, home, (None,))
            if after is None:
                return None
            changed = after
    return changed


def deidentified(trial: Trial) -> Trial | None:
    """The trial with its data de-identified, by an attestation that is still to be had; None where it is already."""
    data = trial.workload.data
    if data.deidentified and data.attestation:
        return None
    if not data.deidentified:
        data = replace(data, deidentified=True)
        workload = replace(trial.workload, data=data)
        trial = trial.with_change(Change("data.deidentified", "false", "true"), workload=workload)
    if not data.attestation:
        workload = replace(trial.workload, data=replace(data, attestation="required"))
        trial = trial.with_change(Change("data.attestation", "", "required"), workload=workload)
    return trial


def agreed(trial: Trial, site: Site, more: tuple[str, ...]) -> Trial:
    """The trial with more agreements for the site, or for a home."""
    field = AGREEMENTS if site.name == trial.site.name else at_home(site.name)
    agreements = (*site.agreements, *more)
    change = Change(field, ", ".join(site.agreements), ", ".join(agreements))
    return trial.with_change(change, site=replace(site, agreements=agreements))


def named(rules: tuple[LawRule, ...], site: Site) -> tuple[str, ...]:
    """The agreements that these rules speak of and the site has not."""
    conditions = [one for rule in rules for one in rule.conditions if one.attribute.key == AGREEMENTS]
    values = dict.fromkeys(value for one in conditions for value in one.expression.values)
    return tuple(value for value in values if value not in site.agreements)


def _satisfy(rule: LawRule, trial: Trial, site: Site, offers: tuple[Offer | None, ...]) -> Trial | None:
    about_data = any(one.attribute.key in OF_DATA for one in rule.conditions)
    cleared = deidentified(trial) if about_data else None
    for data in (trial, cleared) if cleared else (trial,):
        for more in _sets(named((rule,), site)):
            declared = replace(site, agreements=(*site.agreements, *more))
            if any(rule.allows_one(data.workload, declared, offer) for offer in offers):
                return agreed(data, site, more) if more else data
    return None


def _sets(names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """None of them, then each, then every two, ..."""
    some = names[:MOST_NAMED]
    return (chosen for count in range(len(some) + 1) for chosen in combinations(some, count))


def _declared(trial: Trial, name: str, homes: tuple[Site, ...]) -> Site:
    """A home as the trial would have it."""
    return next(site for site in (trial.site, *trial.homes, *homes) if site.name == name)
