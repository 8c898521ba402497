"""Looking: what one demand finds on the offers of some ground, as machine code (`placement.native`).

What an offer has room for is what its fresh units have, and what those in use have left; see `placement.packing.room`.
Shapes: (sites,), (offers,), (shapes,) and (units in use,) of the ground; site `s` has the offers from `stops[s]` up to
`stops[s + 1]`. `holds`, shape (shapes,): copies on an empty unit. `usable`, shape (offers,): where copies may stand;
empty where that is everywhere. `left`, three of shape (units in use,), and `needs`, shape (3,): GPUs, CPUs and memory
left on each unit in use, and what a copy takes of each.

A key is a rank with the offer's place at its site in the bits below. `NEVER`: none has room.
"""

from placement.fleet.columns import GREATEST, Mask, Numbers
from placement.native import INT, TRUTH, alike, column, native, written

LEFT = alike(column(INT), 3)
NEVER = GREATEST
MOST_PER_UNIT = 1_000_000
"""Copies of a demand of nothing at all."""


@native(*[INT] * 6)
def times(gpus: int, cpus: int, memory: int, a_gpu: int, a_cpu: int, a_memory: int) -> int:
    """How many copies have room on a unit on which so much is left, each of which takes so much; 0: none of that."""
    found = GREATEST if a_gpu else MOST_PER_UNIT
    if a_gpu:
        found = min(found, gpus // a_gpu if gpus >= a_gpu else 0)
    if a_cpu:
        found = min(found, cpus // a_cpu if cpus >= a_cpu else 0)
    if a_memory:
        found = min(found, memory // a_memory if memory >= a_memory else 0)
    return found


@native(*[column(INT)] * 5, INT, written(INT))
def on_empty_units(
    gpus: Numbers, cpus: Numbers, memory: Numbers, needs: Numbers, gpu_memory: Numbers, a_gpu: int, each: Numbers
) -> None:
    """Writes, shape (builds,), the copies that an empty unit holds; none where a GPU has less memory than `a_gpu`."""
    for build in range(len(each)):
        each[build] = (
            times(gpus[build], cpus[build], memory[build], needs[0], needs[1], needs[2])
            if gpu_memory[build] >= a_gpu
            else 0
        )


@native(*[column(INT)] * 5, column(TRUTH), *[column(INT)] * 4, LEFT, column(INT), *[INT] * 2, *[written(INT)] * 3)
def best_now(
    stops: Numbers,
    shape: Numbers,
    fresh: Numbers,
    holds: Numbers,
    ranks: Numbers,
    usable: Mask,
    unit_offer: Numbers,
    unit_site: Numbers,
    unit_shape: Numbers,
    unit_place: Numbers,
    left: tuple[Numbers, ...],
    needs: Numbers,
    copies: int,
    apart: int,
    begun: Numbers,
    better: Numbers,
    keys: Numbers,
) -> None:
    """Writes the least key of each site's offers that have room for all copies now.

    By fresh units first; those in use are only looked at of offers that would be better. `begun`, shape (offers,), and
    `better`, shape (units in use,), are written over.
    """
    gpus, cpus, memory = left
    everywhere = len(usable) == 0
    for site in range(len(keys)):
        best, start = NEVER, stops[site]
        if everywhere:
            for offer in range(start, stops[site + 1]):
                one = shape[offer]
                key = ranks[one] | offer - start
                best = min(best, key if fresh[offer] * holds[one] >= copies else NEVER)
        else:
            for offer in range(start, stops[site + 1]):
                one = shape[offer]
                key = ranks[one] | offer - start
                best = min(best, key if usable[offer] & (fresh[offer] * holds[one] >= copies) else NEVER)
        keys[site] = best
    count = 0
    for unit in range(len(unit_offer)):
        better[count] = unit
        count += (ranks[unit_shape[unit]] | unit_place[unit]) < keys[unit_site[unit]]
    for place in range(count):
        begun[unit_offer[better[place]]] = 0
    for place in range(count):
        unit = better[place]
        offer, site, one = unit_offer[unit], unit_site[unit], unit_shape[unit]
        if holds[one] and (everywhere or usable[offer]):
            more = times(gpus[unit], cpus[unit], memory[unit], needs[0], needs[1], needs[2])
            begun[offer] += min(more, 1) if apart else more
            if fresh[offer] * holds[one] + begun[offer] >= copies:
                keys[site] = min(keys[site], ranks[one] | unit_place[unit])


@native(
    column(TRUTH),
    *[column(INT)] * 5,
    column(TRUTH),
    *[column(INT)] * 2,
    LEFT,
    column(INT),
    *[INT] * 3,
    *[written(INT)] * 3,
)
def counted(
    here: Mask,
    stops: Numbers,
    shape: Numbers,
    free: Numbers,
    holds: Numbers,
    ranks: Numbers,
    usable: Mask,
    unit_offer: Numbers,
    unit_site: Numbers,
    left: tuple[Numbers, ...],
    needs: Numbers,
    copies: int,
    apart: int,
    begun: int,
    has: Numbers,
    sums: Numbers,
    keys: Numbers,
) -> None:
    """Writes, of sites that are `here`, the copies each offer has room for; of all, that in sum, and the least key.

    `free`, shape (offers,): empty units. `begun`: whether units in use are counted too; `apart`: how many of these have
    room for one.
    """
    gpus, cpus, memory = left
    everywhere = len(usable) == 0
    for site in range(len(keys)):
        sums[site], keys[site] = 0, NEVER
        if here[site]:
            for offer in range(stops[site], stops[site + 1]):
                has[offer] = free[offer] * holds[shape[offer]] if everywhere or usable[offer] else 0
    if begun:
        for unit in range(len(unit_offer)):
            offer = unit_offer[unit]
            if here[unit_site[unit]] and holds[shape[offer]] and (everywhere or usable[offer]):
                more = times(gpus[unit], cpus[unit], memory[unit], needs[0], needs[1], needs[2])
                has[offer] += min(more, 1) if apart else more
    for site in range(len(keys)):
        if here[site]:
            for offer in range(stops[site], stops[site + 1]):
                sums[site] += has[offer]
                if has[offer] >= copies and holds[shape[offer]]:
                    keys[site] = min(keys[site], ranks[shape[offer]] | offer - stops[site])


@native(column(INT), column(INT), column(INT), INT, written(INT), written(TRUTH))
def stand(keys: Numbers, stops: Numbers, rows: Numbers, places: int, chosen: Numbers, settled: Mask) -> None:
    """Settles where there is a key and nothing was: writes the row of the offer. `places`: the low bits of keys."""
    for site in range(len(keys)):
        if keys[site] != NEVER and not settled[site]:
            chosen[site], settled[site] = rows[stops[site] + (keys[site] & places)], True


@native(column(INT), column(INT), written(INT, 2), written(INT, 2))
def charged_at(chosen: Numbers, shape: Numbers, rows: Numbers, found: Numbers) -> None:
    """Writes the row of a price list for the offer chosen at each site, the last row where it is none."""
    for site in range(len(chosen)):
        row = shape[chosen[site]] if chosen[site] >= 0 else len(rows) - 1
        for field in range(rows.shape[1]):
            found[site, field] = rows[row, field]
