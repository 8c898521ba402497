"""The auditor: an independent judge of decisions, which shares no code with the engine that it judges.

    auditor.py    one decision, point by point: start here
    places.py     what every rule says of every place, and what a place would cost; the other files serve it:
    meaning.py    what a rule of the law means, in plain words and no compiled form; `sets.py` over a whole fleet
    ground.py     what stands on every unit and what every team holds, kept from one decision to the next
    fit.py        how often one need fits; `room.py`, whether a seat is one
    reach.py      measured times, and what travels
    teams.py      limits, what may be borrowed, budgets
    money.py      what an hour costs; `month.py`, what a month does
    prices.py     what each enforced rule costs
    proposals.py  every change that is said to help is made and judged anew; `changes.py`, what it changes
    victims.py    whether whoever makes room was anybody's to displace

It reads nouns alone, in plain loops: what it and the engine have in common are the declared facts
(`placement.fleet.facts`) and the law as it is in force (`placement.law.law`), never how either is looked up.
"""
