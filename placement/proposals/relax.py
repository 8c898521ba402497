"""Relax: the smallest change that would make a refused workload fit, and what each rule costs a placed one.

A change gives way in what the workload asks, to what was found at the site; or it satisfies the law, by an agreement
that a rule accepts or by de-identifying the data where the rule is about identified data. No change ever asks a rule to
be broken, a site to move or a link to come back. Every proposal is *tried*: the changed workload is judged at the site
(declared as changed), and changed again where that uncovers another lack; only what then fits is proposed.

Work that is spread over sites gives way in their number, or stands at one after all. What a placed workload would have
to give way in to be cheaper is asked apart (`cheaper`), since nobody waits for it.

Once a site fits, what the other changes made needless is taken back, and what went too far beside them goes no further
than it must. Not found are: smaller copies where each amount could be had but not all on one unit, copies so small that
more of them go on one, what would help against a price that nobody knows or a budget, and what would let the work's
products come home where the law at home forbids them (`rules.products`). Where quotas speak of models
of GPU, fewer copies may be proposed than must be.

Limits: the `MOST_TRIED` sites with the fewest refusals are tried, in `MOST_ROUNDS` rounds each; `MOST_PROPOSED`
are kept, fewest changes first, then cheapest. A site costs about a millisecond to try. What is asked less of, rule by
rule, is in `placement.proposals.giving_way`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from placement.bits import to_bits, to_mask
from placement.explain import record
from placement.fleet.columns import Mask, Numbers
from placement.fleet.fleet import Fleet
from placement.law.legal import Legal, refused_by
from placement.packing.packing import Packing
from placement.proposals.giving_way import GIVE_WAY, QUOTAS, Trial, satisfy, with_change, without
from placement.rules.law import LawRule, lawful_offers
from placement.rules.rule import Column, Rule
from placement.scoring.cost import costs
from placement.verdicts import Question, Verdicts, judge, legal_of
from tidegate.model.decision import Change, Cost, Relaxation, RulePrice
from tidegate.model.policy import Operator
from tidegate.model.site import Offer
from tidegate.model.workload import Spread, Workload

MOST_TRIED = 12
MOST_ROUNDS = 4
MOST_PROPOSED = 5


def relaxations(verdicts: Verdicts, workload: Workload, fleet: Fleet, question: Question) -> tuple[Relaxation, ...]:
    """The smallest changes for a refused workload: fewest first, then cheapest, then by name of site."""
    if workload.spread is Spread.SITE:
        return _fewer_sites(workload, fleet, question)
    order = np.argsort(verdicts.refusals, kind="stable")
    return _best(_try(order[~_hopeless(verdicts)[order]].tolist(), workload, fleet, question))


def cheaper(
    verdicts: Verdicts, workload: Workload, fleet: Fleet, question: Question, chosen: Cost
) -> tuple[Relaxation, ...]:
    """The smallest changes that would make a placed workload cheaper than what was chosen: the cheapest places first.

    Nothing for work that is spread over sites: there is no one place whose price could be compared.
    """
    if workload.spread is Spread.SITE:
        return ()
    total = verdicts.costs.total
    better = verdicts.packing.priceable & (total < chosen.total) & ~_hopeless(verdicts) & ~verdicts.allowed
    rows = np.flatnonzero(better)
    tried = _try(rows[np.argsort(total[rows], kind="stable")].tolist(), workload, fleet, question)
    return _best([one for one in tried if one.cost_micros_per_hour < chosen.total])


def _best(found: list[Relaxation]) -> tuple[Relaxation, ...]:
    found.sort(key=lambda one: (len(one.changes), one.cost_micros_per_hour, one.site))
    return tuple(found[:MOST_PROPOSED])


def _hopeless(verdicts: Verdicts) -> Mask:
    """Shape (sites,): True where a rule refuses that no change of the workload or of an agreement can satisfy."""
    found = np.zeros(verdicts.legal.sites, dtype=np.bool_)
    for column in verdicts.own:
        if column.refuses and column.rule.name not in GIVE_WAY and column.rule.name not in QUOTAS:
            found |= ~column.allowed
    return found


def _try(rows: list[int], workload: Workload, fleet: Fleet, question: Question) -> list[Relaxation]:
    question = replace(question, source_region=fleet.columns.region_of_location(workload.data.origin))
    tried = (_relax(workload, fleet, question, row) for row in rows[:MOST_TRIED])
    return [one for one in tried if one is not None]


def _relax(workload: Workload, fleet: Fleet, question: Question, row: int) -> Relaxation | None:
    """Change one thing after another until the site fits; None where that does not succeed."""
    site = fleet.columns.sites[row]
    trial, alone = Trial(workload, site), fleet.only(site)

    def ask(trial: Trial) -> Verdicts:
        return judge(trial.workload, alone, question, legal=_legal(trial, alone, fleet, question, row))

    for _ in range(MOST_ROUNDS):
        verdicts = ask(trial)
        if not _refusing(verdicts):
            trial, verdicts = _least(trial, verdicts, ask, workload, alone)
            return Relaxation(trial.changes, trial.site.name, verdicts.costs.of(0).total)
        changed = _changed(trial, verdicts, alone)
        if changed is None:
            return None
        trial = changed
    return None


def _refusing(verdicts: Verdicts) -> list[Column]:
    return [column for column in verdicts.columns if column.rule.enforced and column.refuses]


def _changed(trial: Trial, verdicts: Verdicts, alone: Fleet) -> Trial | None:
    """Changed for every rule that refuses it; None where one of them cannot be satisfied.

    A quota that asking for less of one thing does not meet may be met by what is changed for other rules.
    """
    changed, unmet = trial, False
    for column in sorted(
        _refusing(verdicts), key=lambda column: column.rule.name == "spread"
    ):  # after what makes fewer
        if isinstance(column.rule, LawRule):
            after = _satisfy_law(column.rule, changed, alone)
        else:
            (miss,) = record(column, trial.workload, alone).misses(alone.columns.names)
            after = satisfy(column.rule, miss, changed, trial.workload)
        if after is None and column.rule.name not in QUOTAS:
            return None
        unmet |= after is None
        changed = after or changed
    return None if unmet and changed is trial else changed


def _least(
    trial: Trial, verdicts: Verdicts, ask: Callable[[Trial], Verdicts], workload: Workload, alone: Fleet
) -> tuple[Trial, Verdicts]:
    """No change that the others make needless, and none that goes further than it must beside them."""
    site = alone.columns.sites[0]
    for _ in range(MOST_ROUNDS):
        before = trial
        for change in trial.changes if len(trial.changes) > 1 else ():
            fewer = without(trial, change, workload, site)
            found = ask(fewer)
            nearer = _changed(fewer, found, alone) if _refusing(found) else fewer
            others = {one for one in trial.changes if one.field != change.field}
            if nearer is None:
                continue
            same = {one for one in nearer.changes if one.field != change.field} == others
            if not same and len(nearer.changes) >= len(trial.changes):
                continue
            if nearer is not fewer:
                found = ask(nearer)
            if not _refusing(found):
                trial, verdicts = nearer, found
        if set(trial.changes) == set(before.changes):
            break
    return trial, verdicts


def _legal(trial: Trial, alone: Fleet, fleet: Fleet, question: Question, row: int) -> Legal:
    """What the law says to a trial. Of the site, a trial changes agreements alone, so only rules on these ask anew."""
    legal = legal_of(trial.workload, fleet, question.law).at(row, fleet.columns.offers_of(row))
    if trial.site == fleet.columns.sites[row]:
        return legal
    still = [column for column in legal.refusing if not _is_about_agreements(column.rule)]
    rules = [rule for rule in question.law.rules if rule.enforced]
    here = alone.sites[trial.site.name].offers

    def allowed(rule: LawRule, offer: Offer | None) -> bool:
        return rule.allows_one(trial.workload, trial.site, offer)

    for rule in rules:
        if _is_about_agreements(rule):
            offers = here if rule.of_offers else ()
            if not any(allowed(rule, offer) for offer in offers or (None,)):
                still.append(Column(rule, 1, 1))
    legal = replace(legal, groups=(refused_by(still),), once=int(bool(still)))
    of_offers = [rule for rule in rules if rule.of_offers]
    if not any(_is_about_agreements(rule) for rule in of_offers):
        return legal
    mask = np.array([all(allowed(rule, offer) for rule in of_offers) for offer in here], dtype=np.bool_)
    some = all(any(allowed(rule, offer) for offer in here or (None,)) for rule in of_offers)
    return replace(legal, offers=mask, for_offers=int(some))


def _is_about_agreements(rule: Rule) -> bool:
    return isinstance(rule, LawRule) and any(one.attribute.key == "site.agreements" for one in rule.conditions)


def _fewer_sites(workload: Workload, fleet: Fleet, question: Question) -> tuple[Relaxation, ...]:
    """Of work that is spread over more sites than will do: as many copies as there are sites, or all at one site."""
    inference = workload.inference
    if inference is None:
        return ()
    found: list[Relaxation] = []
    minimum = workload.copies - 1
    for _ in range(MOST_ROUNDS if minimum else 0):
        fewer = replace(workload, inference=replace(inference, replicas=replace(inference.replicas, minimum=minimum)))
        verdicts = judge(fewer, fleet, question)
        rows = np.flatnonzero(verdicts.allowed)
        if len(rows) >= minimum:
            totals = verdicts.costs.total[rows]
            order = np.lexsort((rows, totals))[:minimum]
            names = ", ".join(sorted(fleet.columns.names[site] for site in rows[order].tolist()))
            change = Change("replicas.min", str(workload.copies), str(minimum))
            found.append(Relaxation((change,), names, int(totals[order].sum())))
            break
        minimum = len(_but_for_number(verdicts))
        if minimum == 0:
            break
    together = replace(workload, inference=replace(inference, replicas=replace(inference.replicas, spread=Spread.NONE)))
    verdicts = judge(together, fleet, question)
    rows = np.flatnonzero(verdicts.allowed)
    if len(rows):
        cheapest = int(rows[np.lexsort((rows, verdicts.costs.total[rows]))[0]])
        change = Change("replicas.spread", Spread.SITE.value, Spread.NONE.value)
        found.append(Relaxation((change,), fleet.columns.names[cheapest], int(verdicts.costs.total[cheapest])))
    return _best(found)


def _but_for_number(verdicts: Verdicts) -> Numbers:
    """The sites that are refused for no other reason than that they are too few."""
    refused = ~verdicts.legal.allowed
    for column in verdicts.own:
        if column.rule.name not in ("spread", "copies-free"):
            refused = refused | ~column.allowed
    return np.flatnonzero(~refused)


def _satisfy_law(rule: LawRule, trial: Trial, alone: Fleet) -> Trial | None:
    lacking = _lacking_agreements(rule, trial, alone)
    if lacking is not None:
        agreements = (*trial.site.agreements, *lacking)
        change = Change("site.agreements", ", ".join(trial.site.agreements), ", ".join(agreements))
        return with_change(trial, change, site=replace(trial.site, agreements=agreements))
    deidentified = [
        (c, c.holds(("true",))) for c in (*rule.when, *rule.unless) if c.attribute.key == "data.deidentified"
    ]
    about_identified = any(holds == (condition in rule.unless) for condition, holds in deidentified)
    data = replace(trial.workload.data, deidentified=True)
    if not about_identified or (trial.workload.data == data and data.attestation):
        return None
    if not trial.workload.data.deidentified:
        trial = with_change(
            trial, Change("data.deidentified", "false", "true"), workload=replace(trial.workload, data=data)
        )
    if data.attestation:
        return trial
    attested = replace(data, attestation="required")
    change = Change("data.attestation", "", "required")
    return with_change(trial, change, workload=replace(trial.workload, data=attested))


def _lacking_agreements(rule: LawRule, trial: Trial, alone: Fleet) -> tuple[str, ...] | None:
    """The agreements that alone would satisfy the rule at this site, by the shortest of its alternatives."""
    site = trial.site
    ways = [rule.require + alternative for alternative in rule.require_any or ((),)]
    enough: list[tuple[str, ...]] = []
    for way in ways:
        lacking: list[str] = []
        for condition in way:
            if all(condition.holds(rule.found(condition, each, site)) for each in rule.each(trial.workload)):
                continue
            if condition.attribute.key != "site.agreements":
                break
            match condition.expression.operator:
                case Operator.CONTAINS_ALL:
                    lacking.extend(v for v in condition.expression.values if v not in site.agreements)
                case Operator.CONTAINS_ANY:
                    lacking.append(condition.expression.values[0])
                case _:
                    break
        else:
            enough.append(tuple(dict.fromkeys(lacking)))
    return min(enough, key=len, default=()) or None


@dataclass(frozen=True, slots=True)
class Cheapest:
    """The best place that one rule alone refuses, and what it would cost there, micros per hour."""

    rule: str
    site: str
    total: int


def cheapest_without(verdicts: Verdicts, fleet: Fleet, below: int) -> tuple[Cheapest, ...]:
    """For each enforced rule, the cheapest site below a price which only this rule refuses, where there is one.

    A site has a price where the copies could stand, if only nothing stood there now or they stood closer, the answer
    came sooner or the model were another (`placement.packing.packing`); so rules on room have theirs too: it is what
    waiting would save.
    """
    found: list[Cheapest] = []
    total, packing = verdicts.costs.total, verdicts.packing
    for column, alone in verdicts.by_one_alone(to_bits(packing.priceable & packing.priced & (total < below))):
        rows = np.flatnonzero(to_mask(alone, len(total)))
        cheapest = int(rows[np.argmin(total[rows])])
        found.append(Cheapest(column.rule.name, fleet.columns.names[cheapest], int(total[cheapest])))
    return tuple(found)


def cheapest_with_offers(
    verdicts: Verdicts, workload: Workload, fleet: Fleet, question: Question, below: int
) -> tuple[Cheapest, ...]:
    """The same for each enforced rule on offers, packed again with those that it forbids: of a site that it allows too.

    A packing for each such rule that forbids an offer here; there are few.
    """
    law, columns = question.law, fleet.columns
    on_offers = (
        [rule for rule in law.rules if rule.enforced and rule.of_offers] if verdicts.legal.offers is not None else []
    )
    found: list[Cheapest] = []
    for rule in on_offers:
        if rule.offers(workload, fleet).all():
            continue
        lawful = lawful_offers(tuple(one for one in on_offers if one is not rule), workload, fleet)
        packing = Packing(workload, columns, law.prices(columns), verdicts.usable.within(lawful, lawful))
        source = question.source_region or columns.region_of_location(workload.data.origin)
        total = costs(workload, columns, law.tariff, packing.charge, source).total
        open_to = verdicts.refusals == ~rule.allows(workload, fleet)  # by no rule, or by this one alone
        kept_dearer = ~rule.allows(workload, fleet) | (total < verdicts.costs.total)
        rows = np.flatnonzero(open_to & packing.fits & packing.priced & (total < below) & kept_dearer)
        if len(rows):
            cheapest = int(rows[np.argmin(total[rows])])
            found.append(Cheapest(rule.name, columns.names[cheapest], int(total[cheapest])))
    return tuple(found)


def rule_prices(without: tuple[Cheapest, ...], chosen: Cost) -> tuple[RulePrice, ...]:
    """What each rule costs: the chosen cost less that of the best place without it. Only those that cost something.

    With `spread: site` the chosen cost is a sum over sites, not to be compared with one site: do not ask.
    """
    saved = ((one, chosen.total - one.total) for one in without)
    return tuple(RulePrice(one.rule, one.site, money) for one, money in saved if money > 0)
