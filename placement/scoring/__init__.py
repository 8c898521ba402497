"""Scoring: what is better among places that every rule allows. Lower wins, fields compare top to bottom.

1. `displaced`: work that would be lost, in GPU-seconds. The engine displaces nothing, so it is 0; where others make
   room, the broker decides again without them and enters what they lose, which is the same at every candidate.
2. `dispreferred` (`prefer`): the workload leans elsewhere. A leaning is not money, so it stands above money; it can
   never outbid a rule, since only allowed places are scored.
3. `cost_micros_per_hour` (`cost`): compute, egress, uplift, the idle share, expected spot loss and
   what is paid for while it is not there, in one sum.
4. `fragmentation`: GPUs that would be left over beside the workload, where nobody else may be able to use them.
5. `tie`: a hash of workload and site, so that the order is total, the same everywhere, and favours no name.
"""
