"""The pool: many standing nodes with GPUs, work that asks for whole GPUs or a share of one, and who gets which.

Why it is a room of its own: on a fleet whose GPUs are shared, the choice of the node decides how much of the fleet can
be used at all. What is lost is not seen when it is lost: a leftover of 190 thousandths, a node with free GPUs and no
CPU left. So a placement is charged for what it takes away from the work that is still to come.

    nouns       a shape of node, what is asked, the seat that is given
    gradient    fragmentation gradient descent (FGD, "Beware of Fragmentation", USENIX ATC 2023), exactly as published
    value       what a node's leftovers are worth at the bid prices of a fluid linear programme
    scoring     the two as one ranking, with its bands; the house's own is value and a share of FGD's gradient
    nodes       the state: what is free on every node
    exhaustive  place by looking at every node; the reference, and enough for a few thousand decisions
    indexed     place from an ordered index per class; compiled, and the same placements
    rollout     which of several scorings suits a mix of work, by simulating arrivals ahead
    popularity  the mix of work, learnt from what has been asked

Three things hold everywhere. **Work-conserving**: what fits on a node is placed. **Whole numbers**: worths and prices
come in as data, rounded once (the linear programme is solved at the rim, `broker.solver.bid_prices`); nothing is
decided on a float. **Bands and a fixed order**: scores are rounded to coarse bands, and within the best band the first
node in the pool's order is taken. Both are part of the quality, not of the style: with random ties FGD leaves twice as
much unallocated, and with exact scores a fifth more, so tests pin them.

Limits: 8 GPUs a node; shares of one GPU only; whole numbers below 2**62.
"""
