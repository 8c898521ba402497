"""What would help: the smallest change that makes a refused workload fit, and what each rule costs a placed one.

`relax` lists the rooms.
"""
