"""Several fields at once: where no field alone would make a site fit, and the misses lead to nothing.

What stands at a site may be had in no one amount and yet in several: fewer copies under a higher ceiling, less data and
a GPU less. So all that may give way does, as far as it goes; where even that does not fit, nothing would. Else each
change is taken back that is not needed beside the others, in a fixed order, and the rest go no further than they must.
What is left is a set of which none can be left out. It is not always the smallest there is.
"""

from placement.proposals.amounts import MAX_COST
from placement.proposals.giving_way import stand_closer
from placement.proposals.lawful import agreed, deidentified, named, satisfy_home
from placement.proposals.nearer import no_further
from placement.proposals.one_field import all_the_way
from placement.proposals.trial import Place, Trial, refusing
from placement.verdicts import Verdicts
from tidegate.model.workload import Spread

LIFTED = 2**40
"""A ceiling that is none, micros per hour."""


def by_several_fields(place: Place, verdicts: Verdicts) -> tuple[Trial, Verdicts] | None:
    """Changes that make the site fit, each of them needed; None where nothing does. `verdicts`: on nothing changed."""
    trial = _everything(place, verdicts)
    if trial is None or not trial.changes or not place.fits(trial):
        return None
    for change in trial.changes:
        fewer = trial.without(change, place.first)
        if fewer.changes and place.fits(fewer):
            trial = fewer
    trial = no_further(trial, place, but=(MAX_COST.field,))
    said = place.ask(trial)
    if trial.changed(MAX_COST.field):
        trial = MAX_COST.at(trial, said.costs.of(0).total)
        said = place.ask(trial)
    return trial, said


def _everything(place: Place, verdicts: Verdicts) -> Trial | None:
    """All that may give way, all the way; of the law, where it may be in the way. None where nothing satisfies it.

    A rule on offers may be, wherever it leaves one: that one may have no room.
    """
    trial = place.first
    refused = [column.rule for column in refusing(verdicts)]
    if law := tuple(rule for rule in place.rules if rule.of_offers or rule in refused):
        more = named(law, trial.site)
        trial = agreed(trial, trial.site, more) if more else trial
        trial = deidentified(trial) or trial
    if any(rule.name == "products" for rule in refused):
        home = satisfy_home(trial, place.homes(trial), place.rules)
        if home is None:
            return None
        trial = home
    if trial.workload.spread in (Spread.NODE, Spread.ZONE):
        trial = stand_closer(trial)
    for amount, far in all_the_way(place):
        trial = amount.at(trial, far)
    return MAX_COST.at(trial, LIFTED) if trial.workload.max_cost_micros_per_hour else trial
