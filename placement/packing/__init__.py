"""What fits: how many copies of a demand a place has room for, and where each of them would stand.

packing.py     copies at every site, and the offers that they would be on
repacking.py   which sites must be packed again after a change
several.py     where copies stand on more than one offer; `settled.py`, where that is known
usable.py      the offers that may be used; `ground.py`, them as rows
room.py        copies per offer, now and if nothing stood there; `looking.py`, the loops; `most.py`, the most on a unit
price_list.py  what the copies would cost on each offer
charged.py     what they cost where they would stand
seating.py     the unit and the GPUs of each copy; `pooled.py`, by what the leftovers are worth
"""
