"""Relax: the smallest change that would make a refused workload fit, and what each rule costs a placed one.

A change gives way in what the workload asks, to what was found at the site; or it satisfies the law, by an agreement
that a rule accepts or by de-identifying the data where the rule is about identified data. No change ever asks a rule to
be broken, a site to move or a link to come back. Every proposal is *tried*: the changed workload is judged at the site
(declared as changed), and changed again where that uncovers another lack; only what then fits is proposed.

Work that is spread over sites gives way in their number, or stands at one after all. What a placed workload would have
to give way in to be cheaper is asked apart (`cheaper`), since nobody waits for it.

Limits: the `MOST_TRIED` sites with the fewest refusals are tried, in `MOST_ROUNDS` rounds each; `MOST_PROPOSED`
are kept, fewest changes first, then cheapest. A site costs about a millisecond to try. It is longer than other files
because it has one short function for each thing that a workload can give way in.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from placement.bits import to_bits, to_mask
from placement.columns import Mask, Numbers
from placement.compiled import Legal
from placement.explain import record
from placement.fleet import Fleet
from placement.packing import Packing
from placement.rules.law import LawRule, lawful_offers
from placement.rules.rule import Column, Rule
from placement.scoring.cost import costs
from placement.verdicts import Question, Verdicts, judge, legal_of
from tidegate.model.decision import Change, Cost, Miss, Relaxation, RulePrice
from tidegate.model.policy import Operator
from tidegate.model.site import Site
from tidegate.model.workload import Gang, Spread, Workload

MOST_TRIED = 12
MOST_ROUNDS = 4
MOST_PROPOSED = 5


@dataclass(frozen=True, slots=True)
class Trial:
    """A workload and a site as they would be, and what was changed to get there."""

    workload: Workload
    site: Site
    changes: tuple[Change, ...] = ()


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
        if column.refuses and column.rule.name not in GIVE_WAY:
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
    for _ in range(MOST_ROUNDS):
        verdicts = judge(trial.workload, alone, question, legal=_legal(trial, alone, fleet, question, row))
        refusing = [column for column in verdicts.columns if column.rule.enforced and column.refuses]
        if not refusing:
            return Relaxation(trial.changes, trial.site.name, verdicts.costs.of(0).total)
        changed = trial
        for column in refusing:
            if isinstance(column.rule, LawRule):
                after = _satisfy_law(column.rule, changed, alone)
            else:
                (miss,) = record(column, trial.workload, alone).misses(alone.columns.names)
                after = _satisfy(column.rule, miss, changed)
            if after is None:
                return None
            changed = after
        trial = changed
    return None


def _legal(trial: Trial, alone: Fleet, fleet: Fleet, question: Question, row: int) -> Legal:
    """What the law says to a trial. Of the site, a trial changes agreements alone, so only rules on these ask anew."""
    legal = legal_of(trial.workload, fleet, question.law).at(row, fleet.columns.offers_of(row))
    if trial.site == fleet.columns.sites[row]:
        return legal
    still = [column for column in legal.refusing if not _is_about_agreements(column.rule)]
    for rule in question.law.rules:
        if rule.enforced and _is_about_agreements(rule):
            offers = trial.site.offers if rule.of_offers else ()
            if not any(rule.allows_one(trial.workload, trial.site, offer) for offer in offers or (None,)):
                still.append(Column(rule, 1, 1))
    return replace(legal, columns=tuple(still), refusing=tuple(still), once=int(bool(still)))


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


def _satisfy(rule: Rule, miss: Miss, trial: Trial) -> Trial | None:
    """The trial changed just enough for one rule; None where nothing that may be changed would do."""
    change = GIVE_WAY.get(rule.name)
    return change(trial, miss) if change and not miss.found else None


def _satisfy_law(rule: LawRule, trial: Trial, alone: Fleet) -> Trial | None:
    lacking = _lacking_agreements(rule, trial, alone)
    if lacking is not None:
        agreements = (*trial.site.agreements, *lacking)
        change = Change("site.agreements", ", ".join(trial.site.agreements), ", ".join(agreements))
        return _with(trial, change, site=replace(trial.site, agreements=agreements))
    deidentified = [
        (c, c.holds(("true",))) for c in (*rule.when, *rule.unless) if c.attribute.key == "data.deidentified"
    ]
    about_identified = any(holds == (condition in rule.unless) for condition, holds in deidentified)
    data = replace(trial.workload.data, deidentified=True)
    if not about_identified or (trial.workload.data == data and data.attestation):
        return None
    if not trial.workload.data.deidentified:
        trial = _with(trial, Change("data.deidentified", "false", "true"), workload=replace(trial.workload, data=data))
    if data.attestation:
        return trial
    attested = replace(data, attestation="required")
    change = Change("data.attestation", "", "required")
    return _with(trial, change, workload=replace(trial.workload, data=attested))


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


def _with(trial: Trial, change: Change, *, workload: Workload | None = None, site: Site | None = None) -> Trial:
    """The trial with one more change; a field that was changed before keeps its first `before`."""
    earlier = next((one for one in trial.changes if one.field == change.field), None)
    kept = tuple(one for one in trial.changes if one is not earlier)
    change = replace(change, before=earlier.before) if earlier else change
    return Trial(workload or trial.workload, site or trial.site, (*kept, change))


# What the workload can give way in, by rule.


def _latency(trial: Trial, miss: Miss) -> Trial | None:
    latency = trial.workload.latency
    assert latency is not None
    after = -(-miss.found_number // 1000) * 1000
    change = Change("latency.p99", _duration(latency.p99_us), _duration(after))
    return _with(trial, change, workload=replace(trial.workload, latency=replace(latency, p99_us=after)))


def _volume(trial: Trial, miss: Miss) -> Trial | None:
    """Less data; what telemetry takes of the link is not the data's to give."""
    data = trial.workload.data
    after = data.bytes_per_day - (miss.wanted_number - miss.found_number)
    if after <= 0:
        return None
    change = Change("data.bytesPerDay", _bytes(data.bytes_per_day), _bytes(after))
    return _with(trial, change, workload=replace(trial.workload, data=replace(data, bytes_per_day=after)))


def _amount(key: str, field: str, show: Callable[[int], str]) -> Callable[[Trial, Miss], Trial | None]:
    """Giving way in one amount of the demand. An amount of 0 is no less of the same but something else."""

    def change(trial: Trial, miss: Miss) -> Trial | None:
        if miss.found_number <= 0:
            return None
        demand = trial.workload.demand
        resources = replace(demand.resources, **{field: miss.found_number})
        workload = replace(trial.workload, demand=replace(demand, resources=resources))
        return _with(trial, Change(key, show(miss.wanted_number), show(miss.found_number)), workload=workload)

    return change


def _gpus_free(trial: Trial, miss: Miss) -> Trial | None:
    """Fewer whole GPUs, or a smaller share; an instance is what it is."""
    demand = trial.workload.demand
    if demand.gpu_share_milli and miss.found_number > 0:
        smaller = replace(trial.workload, demand=replace(demand, gpu_share_milli=miss.found_number))
        before, after = f"{miss.wanted_number}m", f"{miss.found_number}m"
        return _with(trial, Change("demand.gpuShare", before, after), workload=smaller)
    return None if demand.mig_profile else _amount("demand.gpus", "gpus", str)(trial, miss)


def _copies(trial: Trial, miss: Miss) -> Trial | None:
    if miss.found_number <= 0:
        return None
    workload, after = trial.workload, miss.found_number
    if workload.training:
        changed = replace(workload, training=replace(workload.training, workers=after))
        return _with(trial, Change("training.workers", str(workload.copies), str(after)), workload=changed)
    assert workload.inference is not None
    replicas = replace(workload.inference.replicas, minimum=after)
    changed = replace(workload, inference=replace(workload.inference, replicas=replicas))
    return _with(trial, Change("replicas.min", str(workload.copies), str(after)), workload=changed)


def _spread(trial: Trial, miss: Miss) -> Trial | None:
    if trial.workload.training:
        packed = replace(trial.workload, training=replace(trial.workload.training, gang=Gang.PACKED))
        return _with(trial, Change("training.gang", Gang.SPREAD.value, Gang.PACKED.value), workload=packed)
    inference = trial.workload.inference
    assert inference is not None
    replicas = replace(inference.replicas, spread=Spread.NONE)
    changed = replace(trial.workload, inference=replace(inference, replicas=replicas))
    return _with(trial, Change("replicas.spread", trial.workload.spread.value, Spread.NONE.value), workload=changed)


def _max_cost(trial: Trial, miss: Miss) -> Trial | None:
    change = Change("maxCost", _dollars(miss.wanted_number), _dollars(miss.found_number))
    return _with(trial, change, workload=replace(trial.workload, max_cost_micros_per_hour=miss.found_number))


def _duration(us: int) -> str:
    return f"{us // 1000}ms" if us % 1000 == 0 else f"{us}us"


def _bytes(count: int) -> str:
    for unit, size in (("Ti", 2**40), ("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10)):
        if count and count % size == 0:
            return f"{count // size}{unit}"
    return str(count)


def _cpus(milli: int) -> str:
    return f"{milli}m" if milli % 1000 else str(milli // 1000)


def _dollars(micros: int) -> str:
    """Dollars per hour, exactly: six digits, less trailing zeros."""
    return f"{micros // 1_000_000}.{micros % 1_000_000:06d}".rstrip("0").rstrip(".")


GIVE_WAY: dict[str, Callable[[Trial, Miss], Trial | None]] = {
    "latency": _latency,
    "volume": _volume,
    "volume-free": _volume,
    "gpus": _amount("demand.gpus", "gpus", str),
    "gpu-memory": _amount("demand.gpuMemory", "gpu_memory_bytes", _bytes),
    "cpus": _amount("demand.cpus", "cpus_milli", _cpus),
    "memory": _amount("demand.memory", "memory_bytes", _bytes),
    "gpus-free": _gpus_free,
    "gpu-memory-free": _amount("demand.gpuMemory", "gpu_memory_bytes", _bytes),
    "cpus-free": _amount("demand.cpus", "cpus_milli", _cpus),
    "memory-free": _amount("demand.memory", "memory_bytes", _bytes),
    "copies": _copies,
    "copies-free": _copies,
    "spread": _spread,
    "max-cost": _max_cost,
}
"""By rule; a rule that is not here cannot be cured by asking for less."""


@dataclass(frozen=True, slots=True)
class Cheapest:
    """The best place that one rule alone refuses, and what it would cost there, micros per hour."""

    rule: str
    site: str
    total: int


def cheapest_without(verdicts: Verdicts, fleet: Fleet, below: int) -> tuple[Cheapest, ...]:
    """For each enforced rule, the cheapest site below a price which only this rule refuses, where there is one.

    A site has a price where the copies could stand, if only nothing stood there now or they stood closer, the answer
    came sooner or the model were another (`placement.packing`); so rules on room have theirs too: it is what waiting
    would save.
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
        rows = np.flatnonzero(open_to & packing.fits & packing.priced & (total < below))
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
