"""What would help: the smallest change that makes a refused workload fit, and what each rule costs a placed one.

relax.py       the changes that are tried, and what of them is told
giving_way.py  what a workload can ask less of, rule by rule
"""
