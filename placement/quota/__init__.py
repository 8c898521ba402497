"""Quotas: what a team may hold, what it can always have, what it lends, what it spends, and who makes room for whom.

    amounts.py     what is counted: GPUs, CPUs, memory, and GPUs by model, as whole numbers by name
    tree.py        the teams in force, compiled: paths to the root, guarantees, limits, what is lent
    ledger.py      who holds what, by which right; sums over teams, kept as they change
    bounds.py      the arithmetic of the rules: limits, borrowing, lending, firm work
    coverage.py    which work its team's guarantee covers, and which it only borrows room for
    reclaim.py     who may be displaced by whom, and the least set that helps
    order.py       who is next in line
    forecast.py    when what waits is likely to start
    accounts.py    what a team has spent this month, and what it will have spent at its end

Pure. The rules that speak of these are `placement/rules/team_*.py`; the events that carry them out are the broker's.

The words. A team's *guarantee* is what it can always have; a *limit* is never exceeded. What it holds beyond its
guarantee is *borrowed*: room that nobody is guaranteed, or the idle guarantee of another. Work *yields* where it may be
displaced (all but production work that does not say so); the rest is *firm*. So that a guarantee stays reachable, firm
work never borrows what is guaranteed to others: by count, all that yields and is borrowed can be taken back.
"""
