"""SIGKILL at named points: the real broker and agents as processes, under load, killed between two named calls.

    points.py      where a process can die: a port's method, before it or after it
    doomed.py      runs a daemon that dies at one of them; nothing in the daemon knows of it
    fleet.py       the processes, each armed anew whenever it is started again
    engineers.py   who asks meanwhile, and what was answered
    checks.py      what must hold: at each death, and at rest
    standin.py     a process in a model server's place
    __main__.py    `python -m tests.simulation.kills --kills N --seed S`

The kernel survives here, so nothing that was written is lost: what a power cut loses is `tests/disks`.
"""
