"""Placement: a workload, a fleet and the law in; a decision out. Pure, and the same bytes on every machine.

Reading order: `fleet` (what is known of the places), `law` (what is in force), `rules` (what may not be; `verdicts`
asks them all), `packing` (what fits), `scoring` (what is better; `ranking`), `engine` (the numbered steps), `classes`
(what is considered once), `explain` and `proposals` (why, and what would help), `audit` (the independent judge).
`quota`, `money`, `gpu` and `pool` are the arithmetic of what they name; `batch` is many workloads at once.

What it is not: it keeps no state of its own, reads no clock, and never places anything; a decision is a proposal
until the broker has written it down.
"""
