"""Which sites must be packed again for a class of workloads, of those where units changed since it was packed.

What a site comes to follows from which of its offers have room for all copies and, where none has, from how much room
each has. So a unit that has room for as many copies as before changes nothing, nor does one of an offer that has room
for all copies before and after. Most changes are of that kind, and are told here by a few divisions; a site where a
change may matter is packed again, by itself. Where this is in doubt it says yes.

Limits: an offer with more than `MOST_COUNTED` units in use is in doubt.
"""

from placement.fleet.columns import UNKNOWN
from placement.fleet.journal import Change, Changes
from placement.gpu.wanted import Wanted, variants
from placement.packing.packing import Packing
from placement.packing.room import often
from tidegate.model.workload import Spread

MOST_COUNTED = 64


def to_pack_again(packing: Packing, changes: Changes, told: int) -> tuple[int, ...]:
    """The rows of the sites, ascending. `told`: those of which the decision says how many copies have room, as bits."""
    columns = packing.columns
    by_offer: dict[int, list[Change]] = {}
    for (offer, _), change in changes.items():
        by_offer.setdefault(offer, []).append(change)
    found: set[int] = set()
    for offer, units in by_offer.items():
        site = int(columns.offer_site[offer])
        if site not in found and _matters(packing, offer, site, units, bool(told >> site & 1)):
            found.add(site)
    return tuple(sorted(found))


def _matters(packing: Packing, offer: int, site: int, units: list[Change], told: bool) -> bool:
    if packing.usable.now is not None and not packing.usable.now[offer]:
        return False
    columns, asked = packing.columns, variants(packing.demand)
    build = columns.build[offer]
    for (wanted, models), each in zip(asked, packing.each, strict=True):
        if not each[build]:
            continue
        other = packing.other_models is not None and packing.other_models[site]
        if models and not other and columns.offers[offer].gpu_model not in models:
            continue
        if _moves(packing, wanted, offer, site, units, told, int(each[build]), len(asked) == 1):
            return True
    return False


def _moves(
    packing: Packing, wanted: Wanted, offer: int, site: int, units: list[Change], told: bool, each: int, only: bool
) -> bool:
    """For one variant of the demand; `each`: copies on an empty unit; `only`: whether there is no other variant."""
    on, gained, opened, differs = packing.columns.units, 0, False, False
    for change in units:
        had, has = often(wanted, change.had), often(wanted, change.has)
        if wanted.share_milli or wanted.mig_profile:
            if change.gpus_changed or had != has:
                return True
        elif had != has:
            gained, differs = gained + has - had, True
            opened |= (had > 0) != (has > 0)
    if not differs or told:
        return differs
    if packing.spread in (Spread.NODE, Spread.ZONE) and packing.wanted > 1:
        return opened or not packing.stands[site]
    if packing.wanted == 1 and not opened:
        return False
    standing = on.rows_of(offer)
    if len(standing) > MOST_COUNTED:
        return True
    now = int(on.fresh[offer]) * each + sum([often(wanted, on.left_on(offer, number)) for number in standing])
    before_all, now_all = now - gained >= packing.wanted, now >= packing.wanted
    if before_all != now_all:
        return True
    if now_all or packing.wanted == 1:
        return False
    return not (only and packing.fits[site] and packing.chosen(site) != UNKNOWN)
