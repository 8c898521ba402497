"""Rules: what may not be, whatever it would save. Each answers for all sites, and none is skipped.

The order decides nothing about the answer, since every rule is asked about every site. It is the order in which a
reader wants the reasons, from what is hardest to change to what is easiest:

1. the law in force, one column for each policy's rule (`law`): nothing can be bought against it;
2. `available`, `engine`: the place as it is now and what runs there, which no change of the workload cures;
3. `latency`, `volume`: distance, which is physics;
4. `gpus`, `gpu-model`, `gpu-memory`, `cpus`, `memory`: what one copy needs on one unit;
5. `spread`: copies as far apart as asked;
6. `max-cost`: money, which a person can raise;
7. `volume-free`, `copies`: what is left of the link, and room for all copies at once, which others may give back;
8. `team-limit`: the team's share.

So what no waiting cures stands before what waiting may cure (`Kind`). `spread` is asked last of all where it speaks of
sites, because it counts the sites that the others allow.
"""
