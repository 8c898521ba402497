"""The brute-force oracle: the answer to small placement questions, worked out the long way from the nouns alone.

It imports nothing of the engine, its columns or its auditor: sites, offers and copies are what they are declared, a
unit is a list of copies, and room is found by trying every seat. Written from the design and from the docstrings of the
rules, so that a misreading has to be made twice to go unnoticed. Facts that are tables (what a GPU divides into, which
countries are in which group) are shared. What follows from a decision is found by asking again: what a rule costs, by
leaving it out; whether work waits, by emptying the world.

    question.py    everything that a decision follows from; chance.py and drawn_*.py draw them from a number
    room.py        one unit, every way another copy could sit on it; packed.py: the copies of one workload at one site
    laws.py        what a rule of a policy says of a place
    reach.py       how long an answer takes, and what travels
    money.py       what copies cost there
    teams.py       what teams hold, may hold, are guaranteed, lend and have spent
    judge.py       every verdict on every site, and who wins
    prices.py      what each rule costs
    waiting.py     who waits; victims.py: who makes room for it; giving_way.py: whether what would help does
    compare.py     the engine's decision against the oracle's; seats.py: whether each seat is free
    kinds.py       what a run must have met to mean anything; shrink.py makes a failing case smaller
    planted.py     wrong changes of the engine that it must find (`python -m tests.simulation.planted`)

    python -m tests.placement.oracle --cases 200000 --seed 7 --processes 2
    python -m tests.placement.oracle --case 7000123     one case again, made smaller
"""
