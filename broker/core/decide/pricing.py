"""Bid prices: whether the fleet wants new ones, for what, and whether an answer is taken.

What stands are the units of offers of two or more that are not bought as needed, with 1 to 8 GPUs each, at sites that
have been seen and are not cordoned; a silent site keeps its units. All sites are one pool: the programme knows no law
and no reach, and takes every GPU for one that can be shared.

New prices are wanted where there are none, where the mix has had a new edition since, or where more than an eighth of
the GPUs have come or gone. How often that is asked is the runtime's affair.

Limits: no prices before `LEAST_ASKS` copies have been asked for; worths below 2**40, as the tables hold.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from broker.core.commands import SetBidPrices
from broker.core.decide.placing import Deciding, Watch
from broker.core.demanded import asked_as, name_of_shape, shaped_as
from broker.core.records import DECLARED
from broker.core.state import State
from placement.pool.nouns import MOST_GPUS, Shape
from tidegate.model.errors import Refused
from tidegate.model.event import BidPricesSet

LEAST_ASKS = 64
CHANGED = 8
"""Capacity has changed much where a share of this many has come or gone."""
MOST_WORTH = 2**40 - 1


@dataclass(frozen=True, slots=True)
class Question:
    """What a solver is asked for: prices for an edition's mix over the units that stand."""

    edition: int
    mix: dict[str, int]
    units: dict[str, int]


def wanted(state: State) -> Question | None:
    """What to ask a solver, if new prices are wanted."""
    demanded = state.demanded
    if demanded.edition_at < LEAST_ASKS or not any(asked_as(name).gpus for name in demanded.edition):
        return None
    units, prices = standing_units(state), demanded.prices
    if not units:
        return None
    if prices and prices.edition == demanded.edition_at and not _changed(prices.units, units):
        return None
    return Question(demanded.edition_at, demanded.edition, units)


def standing_units(state: State) -> dict[str, int]:
    """Units by the name of their shape; empty where no ranking has anything to choose among."""
    units: dict[str, int] = {}
    for shape, count in _standing(state):
        name = name_of_shape(shape)
        units[name] = units.get(name, 0) + count
    return units


def _standing(state: State) -> Iterator[tuple[Shape, int]]:
    for record in state.sites.values():
        if record.state == DECLARED or record.cordoned:
            continue
        for offer in record.effective.offers:
            unit = offer.resources
            if offer.count > 1 and not offer.elastic and 0 < unit.gpus <= MOST_GPUS:
                yield Shape(unit.cpus_milli, unit.memory_bytes, unit.gpus, offer.gpu_model), offer.count


def _changed(before: dict[str, int], now: dict[str, int]) -> bool:
    came_or_went = sum(abs(now.get(name, 0) - before.get(name, 0)) * shaped_as(name).gpus for name in {*before, *now})
    return came_or_went * CHANGED > sum(count * shaped_as(name).gpus for name, count in before.items())


def set_prices(state: State, command: SetBidPrices, watch: Watch) -> Deciding[None]:
    """Take an answer, unless it prices nothing or a newer mix has been priced already. Refused where it cannot be."""
    for name, worth in command.worths.items():
        if not 0 <= worth <= MOST_WORTH:
            raise Refused("is out of bounds", field=f"worths[{name}]", found=worth, wanted=f"0 to {MOST_WORTH}")
    prices = state.demanded.prices
    if not any(command.worths.values()) or (prices and command.edition < prices.edition):
        return
    yield BidPricesSet(command.at, command.edition, command.worths, command.units)
