"""What is known of the places: declared, observed, measured, and taken.

fleet.py    where facts go in by row and columns come out
facts.py    the same as nouns, one site at a time
columns.py  NumPy arrays over sites, offers and units; `units.py`, the units in use
journal.py  which units changed, in the order in which they did
reach.py    what a measured time is worth, and how long an answer takes from every offer
"""
