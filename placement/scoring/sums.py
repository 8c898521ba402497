"""Sums of money over sites, over shapes of offers, and over the offers of a site, as machine code (`placement.native`).

What they mean stands in `placement.scoring.cost` and, of price lists, in `placement.packing.price_list`. Amounts are
micros an hour, none below 0, and all divisions round up. They lie in one file since code that is kept on disk does not
notice when what it calls has changed in another.

`shapes`, five of shape (shapes,), is what `Charges.columns` gives: what a unit costs that is bought, and one that
stands anyway; the millionths lost, and absent; interruptions an hour. They are handed on one by one: a column that is
handed on costs more than the sum. `known`, shape (shapes,): whether there is a price. Then `build`, shape (shapes,);
`each` and `gpus`, shapes (builds,): copies on an empty unit and its GPUs; and `places`, shape (6,): where each field of
`Charge` stands in a row, -1 where it is nothing everywhere.
A row ends with the thousandths of a GPU that the copies strand, and with whether every price is known. Copies strand
the GPUs that are left over beside them on the units they stand on: one that needs no GPU all those of a GPU node.
"""

import numpy as np

from placement.fleet.columns import GREATEST, Mask, Numbers
from placement.gpu.unit import MILLI
from placement.native import INT, TRUTH, alike, column, native, strided, written

SHAPES = alike(column(INT), 5)
MILLION = 1_000_000
MOST_LOST_PPM = 100 * MILLION


@native(INT, INT)
def share_of(amount: int, ppm: int) -> int:
    """So many millionths of an amount; never more than `MOST_LOST_PPM` of it."""
    ppm = min(ppm, MOST_LOST_PPM)
    whole = amount // MILLION
    return whole * ppm - (-(amount - whole * MILLION) * ppm // MILLION)


@native(*[INT] * 10)
def parts_of(
    bought: int,
    standing: int,
    loss_ppm: int,
    absent_ppm: int,
    interruptions: int,
    idle_ppm: int,
    gang: int,
    copies: int,
    units: int,
    each: int,
) -> tuple[int, int, int, int, int, int]:
    """The fields of `Charge`, for copies on so many units of an offer of one shape, `each` of which go on an empty one.

    The first five are the shape's, of those in `shapes`; `gang`: whether all stand still when one is taken away.
    """
    compute, idle = bought * units, 0
    if standing and idle_ppm:
        per, paid = each * MILLION, standing * copies
        whole = paid // per
        idle = whole * idle_ppm - (-(paid - whole * per) * idle_ppm // per)
    stalls = loss_ppm * (units if gang else 1)
    spot_loss, absent = share_of(compute + idle, stalls), share_of(compute + idle, absent_ppm)
    return compute, idle, spot_loss, absent, interruptions * units, min(stalls, MOST_LOST_PPM)


@native(*[strided(INT)] * 4, *[column(INT)] * 4, *[written(INT)] * 3)
def add_up(
    compute: Numbers,
    idle: Numbers,
    spot_loss: Numbers,
    availability: Numbers,
    rate: Numbers,
    rates: Numbers,
    raised: Numbers,
    ppm: Numbers,
    egress: Numbers,
    uplift: Numbers,
    total: Numbers,
) -> None:
    """The last three, shapes (sites,), from the rest: `rate` is which of the `rates`, of which there may be none.

    `raised`, `ppm`: the sites where compliance adds anything, and the millionths of compute and idle that it adds.
    """
    for site in range(len(total)):
        egress[site] = rates[rate[site]] if len(rates) else 0
        uplift[site] = 0
        total[site] = compute[site] + idle[site] + spot_loss[site] + availability[site] + egress[site]
    for place in range(len(raised)):
        site = raised[place]
        uplift[site] = share_of(compute[site] + idle[site], ppm[place])
        total[site] += uplift[site]


@native(SHAPES, column(TRUTH), *[column(INT)] * 4, *[INT] * 6, written(INT, 2), *[written(INT)] * 2)
def listed(
    shapes: tuple[Numbers, ...],
    known: Mask,
    build: Numbers,
    each: Numbers,
    gpus: Numbers,
    places: Numbers,
    copies: int,
    apart: int,
    gang: int,
    gpu_milli: int,
    idle_ppm: int,
    bits: int,
    rows: Numbers,
    holds: Numbers,
    ranks: Numbers,
) -> bool:
    """Writes `rows`, `holds` and `ranks`; False where the ranks have no room for all that they go by: then the prices.

    Shapes (shapes,), but for `rows` (shapes + 1, live + 2), whose last is for what stands nowhere: it has a price, and
    that is nothing. `holds`: copies on an empty unit. `bits`: how many of a rank are to be free.
    """
    bought, standing, lost, absent, often = shapes
    stranded = rows.shape[1] - 2
    dearest = widest = 0
    for shape in range(len(build)):
        one = build[shape]
        on_one = max(each[one], 1)
        units = copies if apart else -(-copies // on_one)
        parts = parts_of(
            bought[shape],
            standing[shape],
            lost[shape],
            absent[shape],
            often[shape],
            idle_ppm,
            gang,
            copies,
            units,
            on_one,
        )
        for part in range(len(places)):
            if places[part] >= 0:
                rows[shape, places[part]] = parts[part]
        rows[shape, stranded] = max(gpus[one] * units * MILLI - copies * gpu_milli, 0)
        rows[shape, stranded + 1] = known[shape]
        holds[shape] = min(each[one], 1) if apart else each[one]
        ranks[shape] = parts[0] + parts[1] + parts[2] + parts[3]
        dearest, widest = max(dearest, ranks[shape]), max(widest, rows[shape, stranded])
    rows[len(build), :] = 0
    rows[len(build), stranded + 1] = 1
    fits = dearest < (GREATEST >> bits) // (widest + 1) - 1
    if fits:
        for shape in range(len(build)):
            ranks[shape] = (ranks[shape] * (widest + 1) + rows[shape, stranded]) << bits
    return fits


@native(SHAPES, column(TRUTH), *[column(INT)] * 9, *[INT] * 6, *[written(INT)] * 3, written(INT, 2))
def filled(
    shapes: tuple[Numbers, ...],
    known: Mask,
    build: Numbers,
    each: Numbers,
    gpus: Numbers,
    places: Numbers,
    sites: Numbers,
    stops: Numbers,
    shape: Numbers,
    zone: Numbers,
    has: Numbers,
    copies: int,
    apart: int,
    gang: int,
    gpu_milli: int,
    idle_ppm: int,
    zones: int,
    offers: Numbers,
    counts: Numbers,
    lengths: Numbers,
    rows: Numbers,
) -> int:
    """Fills the offers of each of these sites, the cheapest per copy first, and says how many slots that makes.

    Writes the offer and the copies of each slot, how many slots each site has, and a row as in a price list for each.
    `has`, shape (offers,): copies that an offer has room for. `zone`, shape (offers,): where `zones` is not 0 one copy
    goes in each of so many. The rest as in `listed`; `shape` is that of each offer.
    """
    bought, standing, lost, absent, often = shapes
    slots, seen = 0, np.full(zones, -1)
    for number in range(len(sites)):
        start, stop = stops[sites[number]], stops[sites[number] + 1]
        some, price = np.empty(stop - start, dtype=np.int64), np.empty(stop - start, dtype=np.int64)
        found = 0
        for offer in range(start, stop):
            if has[offer] > 0:
                one = shape[offer]
                full = max(each[build[one]], 1)
                parts = parts_of(
                    bought[one], standing[one], lost[one], absent[one], often[one], idle_ppm, gang, full, 1, full
                )
                some[found], price[found] = offer, -(-(parts[0] + parts[1] + parts[2] + parts[3]) // full)
                found += 1
        left, first = copies, slots
        compute = idle = spot_loss = availability = interruptions = stalls = stranded = 0
        priced = True
        for place in price[:found].argsort(kind="mergesort"):
            offer = some[place]
            one = shape[offer]
            takes = min(has[offer], left)
            if zones:
                takes = min(takes, 1) if seen[zone[offer]] < number else 0
                seen[zone[offer]] = number
            if takes == 0:
                continue
            on_one = each[build[one]]
            units = takes if apart else -(-takes // on_one)
            parts = parts_of(
                bought[one], standing[one], lost[one], absent[one], often[one], idle_ppm, gang, takes, units, on_one
            )
            compute, idle, spot_loss = compute + parts[0], idle + parts[1], spot_loss + parts[2]
            availability, interruptions, stalls = availability + parts[3], interruptions + parts[4], stalls + parts[5]
            stranded += max(gpus[build[one]] * units * MILLI - takes * gpu_milli, 0)
            priced &= known[one]
            offers[slots], counts[slots] = offer, takes
            slots, left = slots + 1, left - takes
        if gang:
            spot_loss = share_of(compute + idle, stalls)
        sums = (compute, idle, spot_loss, availability, interruptions, stalls)
        for part in range(len(places)):
            if places[part] >= 0:
                rows[number, places[part]] = sums[part]
        rows[number, rows.shape[1] - 2], rows[number, rows.shape[1] - 1] = stranded, priced
        lengths[number] = slots - first
    return slots
