"""The auditor on proposals: every change that is said to make a refused workload fit is made, and judged anew.

A proposal stands where, with all of its changes made, no enforced rule refuses the place it names, at the cost that it
names, and where without any one of them, or with any one of them a step smaller, some rule still does. What may be
changed is what a workload asks and what has been agreed upon for a site or a home (`changes`); so no proposal can ask
for a law to be broken, a site to move or a link to come back. Work that is spread over sites is judged over all.

Limits: a place and its rules are judged anew for each change, some two hundred microseconds each.
"""

from dataclasses import replace

from placement.audit.changes import Asked, changed, nearer
from placement.audit.places import Judge
from placement.audit.sets import LawOverPlaces, Places
from tidegate.model.decision import Decision, Outcome, Relaxation

MOST = 5
"""Proposals of one decision."""


def findings(decision: Decision, judge: Judge, excluded: Places) -> list[str]:
    """What is wrong with the proposals; `excluded` are the places that the caller left out."""
    proposals = decision.relaxations
    if not proposals:
        return []
    if decision.outcome is Outcome.PLACED:
        return ["proposals: it is placed without"]
    found: list[str] = []
    if len(proposals) > MOST or list(proposals) != sorted(
        proposals, key=lambda one: (len(one.changes), one.cost_micros_per_hour, one.site)
    ):
        found.append(f"proposals: not the smallest first, or more than {MOST}")
    for one in proposals:
        told = ", ".join(f"{change.field} {change.before} -> {change.after}" for change in one.changes)
        why = (_wrong_over_sites if judge.by_site else _wrong)(one, judge, excluded)
        found += [f"proposals: {told} at {one.site}: {why}"] if why else []
    return found


def _wrong(one: Relaxation, judge: Judge, excluded: Places) -> str:
    """Why it is no proposal, in words; nothing where it is one."""
    row = judge.ground.rows.get(one.site)
    if row is None or excluded >> row & 1:
        return "there is no such place to be asked"
    before = Asked(judge.workload, judge.ground.sites[one.site].site, tuple(judge.homes))
    if len({change.field for change in one.changes}) < len(one.changes) or not one.changes:
        return "no changes, once each"
    after = changed(before, one.changes)
    if after is None:
        return "is no change of what is asked"
    cost = _cost(judge, one.site, after)
    if cost is None:
        return "does not make it fit"
    if cost != one.cost_micros_per_hour:
        return f"costs {cost}, said {one.cost_micros_per_hour}"
    for change in one.changes:
        rest = changed(before, tuple(other for other in one.changes if other is not change))
        if rest is not None and _cost(judge, one.site, rest) is not None:
            return f"it fits without {change.field}"
    if any(_cost(judge, one.site, less) is not None for less in nearer(before, one.changes)):
        return "it fits with less of a change"
    return ""


def _cost(judge: Judge, name: str, asked: Asked) -> int | None:
    """What it would cost there; None where some enforced rule refuses."""
    workload, site = asked.workload, asked.site
    facts = judge.ground.sites[name]
    binding = {n: rule for n, rule in judge.rules.items() if n not in judge.advises and n not in judge.on_offers}
    if site == facts.site and workload.data == judge.workload.data:
        lawful = all(judge.lawful[rule] >> judge.ground.rows[name] & 1 for rule in binding)
    else:
        law = LawOverPlaces(workload, [site], judge.team)
        lawful = all(law.lawful(rule) for rule in binding.values())
    if not lawful:
        return None
    trial = judge.about(workload, asked.homes)
    if set(trial.refuse(facts, site)) - judge.advises:
        return None
    open_to = not judge.binding or trial.open_to(judge.ground.place(name).lots, site, judge.binding)
    price = trial.price(site, trial.found(facts, site, trial.soon(facts), usable=True)) if open_to else None
    return price[0] if price else None


def _wrong_over_sites(one: Relaxation, judge: Judge, excluded: Places) -> str:
    """The same for work that is spread over sites: fewer of them, or all at one."""
    names, inference = list(judge.ground.sites), judge.workload.inference
    fields = [change.field for change in one.changes]
    if inference is None or fields not in (["replicas.min"], ["replicas.spread"]) or not names:
        return "is no change of what is asked"
    after = changed(Asked(judge.workload, judge.ground.sites[names[0]].site, ()), one.changes)
    if after is None:
        return "is no change of what is asked"
    copies = after.workload.copies if fields == ["replicas.min"] else 1
    cheapest = _cheapest(judge.about(after.workload), excluded)[:copies]
    if len(cheapest) < copies:
        return "does not make it fit"
    sites, cost = ", ".join(sorted(names[row] for _, row in cheapest)), sum(total for total, _ in cheapest)
    if (one.site, one.cost_micros_per_hour) != (sites, cost):
        return f"at {sites} for {cost} it would be"
    if fields == ["replicas.min"] and copies + 1 < judge.workload.copies:
        replicas = replace(inference.replicas, minimum=copies + 1)
        more = replace(judge.workload, inference=replace(inference, replicas=replicas))
        if len(_cheapest(judge.about(more), excluded)) > copies:
            return "it fits with less of a change"
    return ""


def _cheapest(judge: Judge, excluded: Places) -> list[tuple[int, int]]:
    """The price and the row of every place that is allowed, the cheapest first."""
    allowed = judge.allowed(judge.refused(excluded))
    found: list[tuple[int, int]] = []
    for row, facts in enumerate(judge.ground.sites.values()):
        if allowed >> row & 1:
            price = judge.price(facts.site, judge.found(facts, facts.site, judge.soon(facts), usable=True))
            found += [(price[0], row)] if price else []
    return sorted(found)
