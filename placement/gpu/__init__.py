"""GPUs within one unit: what a copy wants of them, how they divide, where a copy sits, and how many more would.

`wanted` is the demand as numbers; `division` one GPU's MIG geometry as bits; `unit` the state of the GPUs of one unit
and the choice of seats; `count` the same sums over many units at once, as columns. The state of one unit and the
columns are two readings of the same rules, and a property test holds them equal.
"""
