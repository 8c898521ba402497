"""Broker, agents and edges in one thread, on a simulated clock, network, log and disks: one seed, one history.

What runs is the daemons' own code: `broker.core`, `broker.runtime`, `broker.rpc`, `agents.runtime`, `agents.link`,
`agents.spool`, `edge.core`. What is simulated stands behind the ports: time and threads (`loop`), the wire
(`network`, `transport`), the broker's disk (`store`), a site's disk (`tests.support.power`) and engine (`engine`).

Reading order: loop, network, transport, store, engine; `broker` and `agent` put a process together; `people` ask for
things; `faults` break them; `checks` hold the invariants; `world` is one seed from its start to its verdict.
"""
