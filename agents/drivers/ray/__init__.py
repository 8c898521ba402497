"""Training on Ray: a cluster that comes up when work is there, runs gangs, and goes down when idle.

Read in this order: `provider` (where clusters come from), `local` (one on this machine), `driver` (the contract of
`agents.drivers.base` over any provider). Beside them: `gang` and `record`, which decide; `workspace`, what a task
finds there; `api`, Ray's HTTP interface with deadlines of ours; `package`, code by digest; `namespace` and
`processes`, what `local` stands on. Two modules run elsewhere and import nothing of this house: `runner` in front of
each job, `raylets` inside Ray's autoscaler.

What Ray does: scheduling, actors, placement groups, the autoscaler's decision. What is done here: clusters on demand,
isolation, tokens, gangs whole or not at all, retries, deadlines, logs that survive the cluster, and an end that leaves
no process behind. Checked with Ray 2.60.
"""
