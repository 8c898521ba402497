"""Small wrong changes of the engine, each of which the oracle must find within some thousand questions.

Name, file, what stands there, what is put in its place: `tests.simulation.planted` makes the change in a copy of the
tree and asks. What is off by so little that small questions hardly ever show it is not here.
"""

CASES = 12_000
"""How many questions a planted bug may hide from."""

RULES, QUOTA = "placement/rules", "placement/quota"
CHANGES = (
    # At the bound of each kind of rule.
    (
        "an answer that is just in time is too late",
        f"{RULES}/latency.py",
        "soon: Mask = self._arrivals.least <= workload.latency.p99_us",
        "soon: Mask = self._arrivals.least < workload.latency.p99_us",
    ),
    (
        "a link that is just enough is too little",
        f"{RULES}/volume.py",
        "(columns.uplink == 0) | (needed <= columns.uplink)",
        "(columns.uplink == 0) | (needed < columns.uplink)",
    ),
    (
        "what sends nothing needs a link all the same",
        f"{RULES}/volume.py",
        "fits | (columns.uplink == 0) | (needed == 0) |",
        "fits | (columns.uplink == 0) |",
    ),
    (
        "a unit that is just large enough is too small",
        "placement/packing/looking.py",
        "cpus // a_cpu if cpus >= a_cpu else 0",
        "cpus // a_cpu if cpus > a_cpu else 0",
    ),
    (
        "a measurement is old when it is as old as it may be",
        "placement/fleet/reach.py",
        "counted = np.where(age > FRESH_MS,",
        "counted = np.where(age >= FRESH_MS,",
    ),
    (
        "a price book holds from the moment after its own",
        "placement/money/books.py",
        "if book.effective_from <= now:",
        "if book.effective_from < now:",
    ),
    (
        "a site that was left out is asked all the same",
        f"{RULES}/available.py",
        "        allowed[self._rows(fleet)] = False\n",
        "",
    ),
    # Law.
    (
        "law on offers is recorded and not heeded",
        "placement/verdicts.py",
        "lawful = usable.within(legal.offers, legal.offers)",
        "lawful = usable",
    ),
    (
        "what is left behind is not judged at home",
        f"{RULES}/products.py",
        "if not rule.allows_one(workload, home)",
        "if not rule.enforced",
    ),
    (
        "a preference for other places costs nothing",
        "placement/scoring/penalty.py",
        "total += np.where(~column.allowed[rows], rule.penalty_micros_per_hour, 0)",
        "total += np.where(~column.allowed[rows], 0, 0)",
    ),
    (
        "a place whose price nobody knows would have cost nothing",
        "placement/proposals/rule_costs.py",
        "packing.priceable & packing.charged.priced & (total < below)",
        "packing.priceable & (total < below)",
    ),
    # What would help.
    (
        "one field alone is not tried where the misses lead nowhere",
        "placement/proposals/relax.py",
        "found = by_one_field(place, verdicts, below) or found",
        "found = found",
    ),
    (
        "several fields at once are not tried",
        "placement/proposals/relax.py",
        "if found is None and below is None:",
        "if False:",
    ),
    # Money and order.
    (
        "money before leanings",
        "placement/ranking.py",
        "fields = (none, leaning, money, ",
        "fields = (none, none, money, ",
    ),
    (
        "the idle share rounded down",
        "placement/scoring/sums.py",
        "idle = whole * idle_ppm - (-(paid - whole * per) * idle_ppm // per)",
        "idle = whole * idle_ppm + ((paid - whole * per) * idle_ppm // per)",
    ),
    (
        "ties broken by half of the hash",
        "placement/scoring/tie.py",
        "np.int64((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(32))",
        "np.int64((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(33))",
    ),
    # Teams.
    (
        "a limit that is reached is exceeded",
        f"{QUOTA}/amounts.py",
        "if found.get(name, 0) > most[name])",
        "if found.get(name, 0) >= most[name])",
    ),
    (
        "one GPU more may be borrowed than may be",
        f"{QUOTA}/tree.py",
        "name: most + self.guarantee[team.name].get(name, 0)",
        "name: most + self.guarantee[team.name].get(name, 0) + 1000",
    ),
    (
        "a guarantee does not cover its last GPU",
        f"{QUOTA}/tree.py",
        "held.get(name, 0) + amount <= guarantee[name] for",
        "held.get(name, 0) + amount < guarantee[name] for",
    ),
    (
        "what a team keeps to itself is lent",
        f"{QUOTA}/bounds.py",
        "            if amount > most:\n",
        "            if amount > most + kept[name]:\n",
    ),
    (
        "firm work takes guarantees out of reach",
        f"{QUOTA}/bounds.py",
        "        if after > bound:\n",
        "        if before > bound:\n",
    ),
    (
        "room is judged by the models that are left",
        f"{RULES}/team.py",
        "lasting = ever | ~site_any(ever & meant)[of_site]",
        "lasting = now | ~site_any(now & meant)[of_site]",
    ),
    (
        "a model that may be had elsewhere is waited for",
        f"{RULES}/team.py",
        "column.for_good = to_bits(~ever)",
        "pass",
    ),
    (
        "what falls back on CPUs is asked by no quota where there is no GPU",
        f"{RULES}/team.py",
        'if workload.demand.cpu_fallback and not holds(""):',
        "if False:",
    ),
    (
        "a price is told of GPUs that the team could never have",
        f"{RULES}/team.py",
        "return now | lasting & ~site_any(now & meant)[of_site], lasting",
        "return now | ~site_any(now & meant)[of_site], lasting",
    ),
    (
        "a budget is waited for that pays the rest of this month and no whole one",
        f"{RULES}/team_budget.py",
        "return this | following",
        "return this | following | (now <= self._limited(workload)[0][1])",
    ),
    # Who makes room.
    (
        "the most important makes room first",
        f"{QUOTA}/reclaim.py",
        "for rank in sorted({one.rank for one in order}, reverse=True):",
        "for rank in sorted({one.rank for one in order}):",
    ),
    (
        "work lost does not count",
        f"{QUOTA}/reclaim.py",
        "        sum(one.lost for one in chosen),\n",
        "        0,\n",
    ),
    (
        "who is covered makes room as well",
        f"{QUOTA}/coverage.py",
        'return "" if their_side and self.at(other.workload_id, their_side) else "borrowed"',
        'return "borrowed"',
    ),
    (
        "firm work uses nothing of a guarantee up",
        f"{QUOTA}/coverage.py",
        "            if covered or not one.right.yields:\n",
        "            if covered:\n",
    ),
)
