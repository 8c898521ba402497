"""The brute-force oracle: the answer to small placement questions, worked out the long way from the nouns alone.

It imports nothing of the engine, its columns or its auditor: sites, offers and copies are what they are declared, a
unit is a list of copies, and room is found by trying every seat. Written from the design and from the docstrings of the
rules, so that a misreading has to be made twice to go unnoticed. Facts that are tables (what a GPU divides into, which
countries are in which group) are shared.

    room.py    one unit, every way another copy could sit on it
    laws.py    what a rule of a policy says of a place
    money.py   what copies cost there
    judge.py   every verdict on every site, and who wins
    chance.py  random small questions, from a seed
    compare.py the engine's decision against the oracle's

    python -m tests.placement.oracle --cases 200000 --seed 7
"""
