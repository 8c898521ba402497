"""Broker, agents and edges in one thread, on a simulated clock, network, log and disks: one seed, one history.

What runs is the daemons' own code: `broker.core`, `broker.runtime`, `broker.rpc`, `agents.runtime`, `agents.link`,
`agents.spool`, `edge.core`. What is simulated stands behind the ports: time and threads (`loop`), the wire
(`network`, `transport`), the broker's disk (`store`), a site's disk (`disk`) and engine (`engine`).

Reading order: loop, network, transport, store, disk, engine, solver; `broker` and `agent` put a process together;
`swarm` draws a seed's settings; `people` ask for `wishes` on the `ground` that is declared; `faults` are drawn and
`breaking` brings them about; `checks` and the `witness` hold the invariants, `coverage` counts them, `guards` refuse
what goes past the ports; `world` is one seed from its start to its verdict, `shrinking` makes it smaller. `plants` are
wrong changes, which `planted` must find.
"""
