"""The least of a set of changes: none that the others make needless, and none that goes further than it must.

What the misses say is true of the workload that they were found for. Once other things have changed as well, some of it
is needless or goes too far: copies that are smaller have room more often, and of fewer copies another quota speaks.
"""

from collections.abc import Callable
from dataclasses import replace

from placement.proposals.amounts import AMOUNTS, boundary
from placement.proposals.lawful import agreed
from placement.proposals.trial import AGREEMENTS, PATHS, Place, Trial, at_home, refusing
from placement.verdicts import Verdicts

MOST_ROUNDS = 4
Satisfy = Callable[[Trial, Verdicts], Trial | None]
"""A trial changed for all rules that refuse it, as `relax` does it; None where one of them cannot be satisfied."""


def least(trial: Trial, verdicts: Verdicts, place: Place, satisfy: Satisfy) -> tuple[Trial, Verdicts]:
    """The least of the trial's changes, where all of them together fit, and what the rules say then."""
    several = len(trial.changes) > 1
    if several:
        trial, verdicts = _needed(trial, verdicts, place, satisfy)
    quotas = place.by_quota or place.question.law.tree.models
    if several or quotas or any(one.field not in PATHS for one in trial.changes):
        nearer = no_further(trial, place)
        if nearer is not trial:
            trial, verdicts = nearer, place.ask(nearer)
    return trial, verdicts


def _needed(trial: Trial, verdicts: Verdicts, place: Place, satisfy: Satisfy) -> tuple[Trial, Verdicts]:
    """Without each change, or with what its absence leads on to where that is less."""
    for _ in range(MOST_ROUNDS):
        before = trial
        for change in trial.changes:
            if len(trial.changes) == 1 or not trial.changed(change.field):
                continue
            fewer = trial.without(change, place.first)
            found = place.ask(fewer)
            nearer = satisfy(fewer, found) if refusing(found) else fewer
            others = {one for one in trial.changes if one.field != change.field}
            if nearer is None:
                continue
            same = {one for one in nearer.changes if one.field != change.field} == others
            if not same and len(nearer.changes) >= len(trial.changes):
                continue
            if nearer is not fewer:
                found = place.ask(nearer)
            if not refusing(found):
                trial, verdicts = nearer, found
        if set(trial.changes) == set(before.changes):
            break
    return trial, verdicts


def no_further(trial: Trial, place: Place, but: tuple[str, ...] = ()) -> Trial:
    """Each amount as near to what was asked as it fits beside the other changes, and no needless agreement.

    `but`: fields that are left as they are.
    """
    for change in [one for one in trial.changes if one.field not in but]:
        amount = AMOUNTS.get(change.field)
        if amount is not None:
            trial = to_the_boundary(trial, change.field, place)
        elif change.field not in PATHS:
            trial = fewest_agreements(trial, change.field, place)
    return trial


def to_the_boundary(trial: Trial, field: str, place: Place, guesses: tuple[int, ...] = ()) -> Trial:
    """The trial, which fits, with one of its amounts as near to what was asked as fits too."""
    amount = AMOUNTS[field]
    step, far = amount.step, amount.of(trial)
    number = boundary(
        lambda number: place.fits(amount.at(trial, number * step)),
        amount.of(place.first) // step,
        far // step,
        [guess // step for guess in guesses],
    )
    return trial if number * step == far else amount.at(trial, number * step)


def fewest_agreements(trial: Trial, field: str, place: Place) -> Trial:
    """The trial, which fits, with no more agreements of a site or a home than it takes."""
    change = next(one for one in trial.changes if one.field == field)
    bare = trial.without(change, place.first)
    site = next(one for one in (bare.site, *trial.homes) if field in (AGREEMENTS, at_home(one.name)))
    before = _names(change.before)
    more = [one for one in _names(change.after) if one not in before]
    for one in more[::-1] if len(more) > 1 else ():
        kept = tuple(other for other in more if other != one)
        fewer = agreed(bare, replace(site, agreements=before), kept)
        if kept and place.fits(fewer):
            trial, more = fewer, list(kept)
    return trial


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(", ")) if text else ()
