"""Rules: what may not be, whatever it would save. Each answers for all sites, and none is skipped.

The order decides nothing about the answer, since every rule is asked about every site. It is the order in which a
reader wants the reasons, from what is hardest to change to what is easiest:

1. the law in force, one column for each policy's rule (`law`): nothing can be bought against it; and the same law where
   what the work leaves behind goes (`products`);
2. `available`, `engine`: the place as it is now and what runs there, which no change of the workload cures;
3. `latency`, `volume`: distance, which is physics;
4. `gpus`, `gpu-model`, `gpu-memory`, `gpu-sharing`, `cpus`, `memory`: what one copy needs on one unit, if nothing stood
   there; then `copies`, all of them at once, and `spread`, as far apart as asked;
5. `max-cost`: money, which a person can raise;
6. `volume-free`, what is left of the link, and `gpus-free`, `gpu-memory-free`, `cpus-free`, `memory-free` and
   `copies-free`, what is left of 4: others may give it back. They are silent where 3 and 4 have said no;
7. `team-limit`, `team-quota`, `team-budget`: what the team may hold, borrow and spend.

So what no waiting cures stands before what waiting may cure (`Kind`). Where they speak of sites together, `spread` and
`copies-free` are asked after the rules before them, because they count the sites that those allow.
"""
