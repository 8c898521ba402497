"""Relax: the smallest change that would make a refused workload fit, or a placed one cheaper.

A change gives way in what the workload asks, to what was found at the site; or it satisfies the law, by an agreement
that a rule accepts or by data that is de-identified, at the site and at the broker's home. No change ever asks a rule
to be broken, a site to move or a link to come back. Every proposal is *tried*: the changed workload is judged at the
site (declared as changed), and changed again where that uncovers another lack; only what then fits is proposed.

What it would cost is told of the cheapest offers, as if no rule preferred others (`placement.leaning`).

Where one change alone would do it is found, whatever the misses say (`one_field`); and where they lead nowhere, what
several would do (`several_fields`). Of several, none is needless beside the others, and none goes further than it must
(`nearer`).

Work that is spread over sites gives way in their number, or stands at one after all. What a placed workload would have
to give way in to be cheaper is asked apart (`cheaper`), since nobody waits for it.

Not proposed are: another model of GPU or another way of sharing one; and, of work that is spread over sites, anything
but the two above.

Limits: the `MOST_TRIED` sites with the fewest refusals are tried, in `MOST_ROUNDS` rounds each; `MOST_PROPOSED`
are kept, one for each site, fewest changes first, then cheapest. A site costs about a millisecond to try.

    relax.py       the sites that are tried, and what of it is told
    trial.py       a workload and a site as they would be, judged
    giving_way.py  what a workload can ask less of, rule by rule; amounts.py: where that stands
    lawful.py      what would satisfy the law
    one_field.py   one field alone, all the way; several_fields.py: several at once
    guesses.py     at which amounts something changes
    nearer.py      the least of several changes
    over_sites.py  work that is spread over sites
    rule_costs.py  what each rule costs a placed workload
"""

import numpy as np

from placement.explain import record
from placement.fleet.columns import Mask
from placement.fleet.fleet import Fleet
from placement.proposals.giving_way import FOR_OTHERS, GIVE_WAY, satisfy
from placement.proposals.lawful import satisfy_home, satisfy_law
from placement.proposals.nearer import least
from placement.proposals.one_field import by_one_field, is_one_field
from placement.proposals.over_sites import over_sites
from placement.proposals.several_fields import by_several_fields
from placement.proposals.trial import Place, Trial, refusing
from placement.rules.law import LawRule
from placement.verdicts import Question, Verdicts
from tidegate.model.decision import Cost, Relaxation
from tidegate.model.workload import Spread, Workload

MOST_TRIED = 12
MOST_ROUNDS = 4
MOST_PROPOSED = 5


def relaxations(verdicts: Verdicts, workload: Workload, fleet: Fleet, question: Question) -> tuple[Relaxation, ...]:
    """The smallest changes for a refused workload: fewest first, then cheapest, then by name of site."""
    if workload.spread is Spread.SITE:
        return _best(over_sites(workload, fleet, question))
    order = np.argsort(verdicts.refusals, kind="stable")
    return _best(
        _try(order[~_hopeless(verdicts, workload, fleet, question)[order]].tolist(), workload, fleet, question)
    )


def cheaper(
    verdicts: Verdicts, workload: Workload, fleet: Fleet, question: Question, chosen: Cost
) -> tuple[Relaxation, ...]:
    """The smallest changes that would make a placed workload cheaper than what was chosen: the cheapest places first.

    Nothing for work that is spread over sites: there is no one place whose price could be compared.
    """
    if workload.spread is Spread.SITE:
        return ()
    total = verdicts.costs.total
    hopeless = _hopeless(verdicts, workload, fleet, question)
    rows = np.flatnonzero(verdicts.packing.priceable & (total < chosen.total) & ~hopeless & ~verdicts.allowed)
    cheapest_first = rows[np.argsort(total[rows], kind="stable")].tolist()
    return _best(_try(cheapest_first, workload, fleet, question, below=chosen.total))


def _best(found: list[Relaxation]) -> tuple[Relaxation, ...]:
    found.sort(key=lambda one: (len(one.changes), one.cost_micros_per_hour, one.site))
    return tuple(found[:MOST_PROPOSED])


def _hopeless(verdicts: Verdicts, workload: Workload, fleet: Fleet, question: Question) -> Mask:
    """Shape (sites,): True where a rule refuses that nothing which may be changed can satisfy."""
    found = np.zeros(verdicts.legal.sites, dtype=np.bool_)
    for column in verdicts.own:
        name = column.rule.name
        if not column.refuses or name in GIVE_WAY or name in FOR_OTHERS:
            continue
        if name == "products" and _may_come_home(workload, fleet, question):
            continue
        found |= ~column.allowed
    return found


def _may_come_home(workload: Workload, fleet: Fleet, question: Question) -> bool:
    """Whether anything would let the work's products come home; if so, it would wherever the work stood."""
    rules = tuple(rule for rule in question.law.rules if rule.enforced)
    return satisfy_home(Trial(workload, fleet.columns.sites[0]), fleet.homes, rules) is not None


def _try(
    rows: list[int], workload: Workload, fleet: Fleet, question: Question, below: int | None = None
) -> list[Relaxation]:
    """What would help at each of the first of these sites, and cost less than `below`."""
    question = question._replace(source_region=fleet.columns.region_of_location(workload.data.origin))
    tried = (_relax(Place(workload, fleet, question, row), below) for row in rows[:MOST_TRIED])
    return [one for one in tried if one and (below is None or one.cost_micros_per_hour < below)]


def _relax(place: Place, below: int | None) -> Relaxation | None:
    """What the misses lead to or, where one field alone would do, that; else what several would; None where none does.

    What would be cheaper is not looked for in several fields.
    """
    verdicts = place.ask(place.first)
    found = _by_misses(place, verdicts)
    if found is None or not is_one_field(found[0]):
        found = by_one_field(place, verdicts, below) or found
    if found is None and below is None:
        found = by_several_fields(place, verdicts)
    if found is None:
        return None
    trial, said = least(*found, place, lambda trial, verdicts: _changed(trial, verdicts, place))
    return Relaxation(trial.changes, trial.site.name, said.costs.of(0).total)


def _by_misses(place: Place, verdicts: Verdicts) -> tuple[Trial, Verdicts] | None:
    """Change one thing after another until the site fits; None where that does not succeed."""
    trial = place.first
    for _ in range(MOST_ROUNDS):
        if not refusing(verdicts):
            return trial, verdicts
        changed = _changed(trial, verdicts, place)
        if changed is None:
            return None
        trial, verdicts = changed, place.ask(changed)
    return None if refusing(verdicts) else (trial, verdicts)


def _changed(trial: Trial, verdicts: Verdicts, place: Place) -> Trial | None:
    """Changed for every rule that refuses it; None where one of them cannot be satisfied.

    One that names no amount which would do may be met by what is changed for others.
    """
    changed, unmet = trial, False
    # Spread comes after what makes fewer.
    for column in sorted(refusing(verdicts), key=lambda column: column.rule.name == "spread"):
        rule = column.rule
        if isinstance(rule, LawRule):
            after = satisfy_law(rule, changed, place)
        elif rule.name == "products":
            after = satisfy_home(changed, place.homes(changed), place.rules)
        else:
            (miss,) = record(column, trial.workload, place.alone).misses(place.alone.columns.names)
            after = satisfy(rule, miss, changed, trial.workload)
        if after is None and rule.name not in FOR_OTHERS:
            return None
        unmet |= after is None
        changed = after or changed
    return None if unmet and changed is trial else changed
