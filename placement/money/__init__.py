"""Money: which prices hold, what a month costs, and whether to own or to rent. Pure arithmetic on whole numbers.

Reading order: `books` (which price books hold at a moment), `tariff` (one book, ready to be asked), then
`placement.scoring.cost` (what a candidate costs an hour), `range` (what a placed workload costs a month), `means` and
`advise` (every way to have the capacity, compared).
"""
