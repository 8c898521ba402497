"""What an agent decides, and nothing that it does: the held state, the one next step of each task, phases, backoff.

Pure: no clock, no chance, no files, no network. `machine` gives the next step, `lifecycle` what may be reported after
what, `held` what survives a restart and which news of the broker is taken, `backoff` how long to wait.
"""
