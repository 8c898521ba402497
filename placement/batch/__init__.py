"""Many workloads at once: the batch as arrays, a bound on what it must cost, and whole assignments close to it.

    candidates.py   workloads, fleet and law to arrays, by the engine's own verdicts and prices
    problem.py      the arrays; an assignment, and what is infeasible about one
    ascent.py       bid prices and a bound, without a solver
    near.py         the few arcs of each kind that are worth a closer look
    rounding.py     from prices to a whole assignment
    search.py       from a whole assignment to a cheaper one
    annealing.py    from there on through dearer ones to cheaper ones
    answer.py       all of it in a row; the solvers at the rim (`broker/solver`) bring better prices
    bids.py         prices for work that comes one by one

Nothing here decides: an assignment is a proposal, and each of its moves is asked of the engine again.
"""
