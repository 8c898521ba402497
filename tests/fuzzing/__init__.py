"""Any bytes are taken or refused with a typed error: one table of targets, fed by seeds and their mutations.

A target is a function of bytes over the project's own readers (`targets/`). For each input it must return, or raise one
of the errors that the reader promises, within `CPU_MS` of processor time and `MEMORY_BYTES`; nothing else may come out
of it, no crash, no `RecursionError`, no hang. Two engines feed the same table:

    make test     seeded mutations, the same on every machine, a few hundred inputs a target (`test_fuzzing.py`)
    make fuzz     for minutes or hours: coverage-guided where `atheris` is there, the same mutations where it is not

    python -m tests.fuzzing --target manifests --seconds 60
    python -m tests.fuzzing --target manifests --input FILE      one input, with its whole story

Targets run in a process of their own, whose data may grow by `MEMORY_BYTES` and no further; a crash or a hang of it is
a finding as well. What was found becomes a file in `corpus/<target>/`, which every run begins with.

What it is not: a proof of speed. `CPU_MS` is for inputs of `Target.largest` bytes (16 KiB, of some more or less); what
the largest that a reader takes may cost is measured by `limits.py`.
"""

CPU_MS = 50
MEMORY_BYTES = 64 * 2**20
