"""One field alone: where giving way in it, however far, would make a site fit, as little of that as will do.

The misses do not always say so. Each amount could be had, but not all of them on one unit; an offer that answers a
little later has room; fewer or smaller copies stand where prices are known, or cost what a budget has left; an
agreement opens an offer. So where the misses led to several changes or to none, each field that every rule which
refuses the site could be cured by is tried all the way, and then as near as it fits. The cheapest is kept.
"""

from collections.abc import Callable, Iterator

from placement.law.law import Law
from placement.proposals.amounts import CPUS, GPU_MEMORY, GPUS, LATENCY, MEMORY, SHARE, VOLUME, Amount, one_by_one
from placement.proposals.giving_way import copies_of, stand_closer
from placement.proposals.guesses import answers, guesses
from placement.proposals.lawful import OF_DATA, agreed, deidentified, named
from placement.proposals.nearer import fewest_agreements, to_the_boundary
from placement.proposals.trial import AGREEMENTS, QUOTAS, Place, Trial, refusing
from placement.rules.law import LawRule
from placement.verdicts import Verdicts
from tidegate.model.workload import Spread, Workload

MONEY = frozenset({"max-cost", "team-budget"})
TOGETHER = MONEY | {"copies", "copies-free", "spread"}
"""Rules that follow from where all the copies would stand."""
CURES: dict[str, frozenset[str]] = {
    "latency.p99": TOGETHER | {"latency"},
    "data.bytesPerDay": MONEY | {"volume", "volume-free"},
    "demand.gpus": TOGETHER | {*QUOTAS, "gpus", "gpus-free"},
    "demand.gpuShare": TOGETHER | {*QUOTAS, "gpus-free"},
    "demand.gpuMemory": TOGETHER | {"gpu-memory", "gpu-memory-free", "gpus-free"},
    "demand.cpus": TOGETHER | {*QUOTAS, "cpus", "cpus-free"},
    "demand.memory": TOGETHER | {*QUOTAS, "memory", "memory-free"},
}
"""By field, the rules that giving way in it can cure."""
CURED_BY_FEWER = TOGETHER | {*QUOTAS}
CURED_BY_STANDING_CLOSER = MONEY | {"spread", "copies-free"}


def by_one_field(place: Place, verdicts: Verdicts, below: int | None = None) -> tuple[Trial, Verdicts] | None:
    """The cheapest trial with one field changed that fits, of those that cost less than `below`; None where none does.

    `verdicts`: what the rules say to what is asked. De-identified data and its attestation count as one field.
    """
    rules = [column.rule for column in refusing(verdicts)]
    own = frozenset(rule.name for rule in rules if not isinstance(rule, LawRule))
    law = tuple(rule for rule in rules if isinstance(rule, LawRule))
    found: list[tuple[Trial, Verdicts]] = []
    for trial in (*_lawful(place, own, law), *([] if law else _amounts(place, own))):
        said = place.ask(trial)
        if not refusing(said) and (below is None or said.costs.of(0).total < below):
            found.append((trial, said))
    return min(found, key=lambda one: one[1].costs.of(0).total, default=None)


def is_fickle(workload: Workload, law: Law) -> bool:
    """Whether less of something may not fit where more of it does: under a ceiling, and where teams lend or pay."""
    return bool(workload.max_cost_micros_per_hour or law.teams)


def is_one_field(trial: Trial) -> bool:
    """Whether no more than one field is changed."""
    return len(trial.changes) == 1 or all(one.field in OF_DATA for one in trial.changes)


def _lawful(place: Place, own: frozenset[str], law: tuple[LawRule, ...]) -> Iterator[Trial]:
    """Agreements, and de-identified data, where every rule of the law that refuses speaks of it, or one on offers."""
    if not own <= TOGETHER | {"products"}:
        return
    first = place.first
    for keys, trials in (((AGREEMENTS,), _agreements), (OF_DATA, _data)):
        about = tuple(rule for rule in place.rules if any(one.attribute.key in keys for one in rule.conditions))
        if all(rule in about for rule in law) and (law or any(rule.of_offers for rule in about)):
            yield from trials(place, first, about)


def _agreements(place: Place, first: Trial, about: tuple[LawRule, ...]) -> Iterator[Trial]:
    more = named(about, first.site)
    if more and place.fits(every := agreed(first, first.site, more)):
        yield fewest_agreements(every, AGREEMENTS, place)
    elif len(more) > 1:
        yield from (agreed(first, first.site, (one,)) for one in more)


def _data(place: Place, first: Trial, about: tuple[LawRule, ...]) -> Iterator[Trial]:
    cleared = deidentified(first)
    if cleared:
        yield cleared


def _amounts(place: Place, own: frozenset[str]) -> Iterator[Trial]:
    """For each field that may cure these rules, the nearest trial that fits."""
    first = place.first
    may_be_otherwise = is_fickle(first.workload, place.question.law)
    for amount, far in all_the_way(place):
        if not own <= CURES.get(amount.field, CURED_BY_FEWER):
            continue
        trial = amount.at(first, far)
        if place.fits(trial):
            yield to_the_boundary(trial, amount.field, place, guesses(place, amount, place.ask(trial)))
        elif may_be_otherwise and amount in (GPUS, copies_of(first)):
            number = one_by_one(_fits(place, amount), amount.of(first))
            yield from [amount.at(first, number)] if number else []
    if own <= CURED_BY_STANDING_CLOSER and first.workload.spread in (Spread.NODE, Spread.ZONE):
        yield stand_closer(first)


def _fits(place: Place, amount: Amount) -> Callable[[int], bool]:
    return lambda number: place.fits(amount.at(place.first, number))


def all_the_way(place: Place) -> list[tuple[Amount, int]]:
    """Each amount that is asked for, and how far it can give way."""
    first = place.first
    amounts = (VOLUME, GPUS, SHARE, GPU_MEMORY, CPUS, MEMORY, copies_of(first))
    found = [(amount, 1) for amount in amounts if amount.of(first) > 1]
    late = answers(place) if first.workload.latency else ()
    return [(LATENCY, max(late)), *found] if late else found
