"""Reclaim upon reclaim among many equal candidates, and digests of who made room and of every event's bytes.

Run by `test_across_processes.py` in processes of their own: `python -m tests.broker.core.reclaimed_again`.
"""

import random
import sys
from dataclasses import replace
from hashlib import sha256

from broker.core.commands import ApplyDeclarations, CancelWorkload, SiteAttached, SubmitWorkload
from broker.core.freeze import freeze
from tests.broker.core.test_waiting import NODE, guaranteed, train
from tests.support.builders import book, cloud
from tests.support.playbook import Playbook
from tidegate.model.errors import Refused
from tidegate.model.event import WorkloadDisplaced
from tidegate.model.session import Hello
from tidegate.model.workload import Priority
from tidegate.wire.codec import encode_event

SITES = tuple(f"hall-{number}" for number in range(4))
TEAMS = ("a", "b", "c", "d")
COMMANDS = 90


def conversation(seed: int) -> Playbook:
    """Four halls of sixteen GPUs, four teams with a quarter each: all of them borrow, and all claim."""
    dice, play, at = random.Random(seed), Playbook(), 1_000
    halls = tuple(cloud(name, offers=(replace(NODE, count=4),)) for name in SITES)
    play.ask(ApplyDeclarations(at, (*halls, book(), *(guaranteed(team, 16) for team in TEAMS))))
    for name in SITES:
        play.ask(SiteAttached(at, Hello(name, "boot", 0)))
    for number in range(COMMANDS):
        at += 60_000
        team = TEAMS[min(number // 20, len(TEAMS) - 1)]  # the first to come borrows from those who come later
        gpus, workers = dice.choice(((1, 1), (2, 1), (2, 2), (4, 1), (4, 2)))
        job = train(f"job-{number}", gpus, workers, team=team, priority=dice.choice(tuple(Priority)))
        job = replace(job, preemptible=True)
        cancelled = CancelWorkload(at, f"job-{dice.randint(0, number)}")
        try:
            play.ask(cancelled if dice.random() < 0.1 else SubmitWorkload(at, job))
        except Refused:
            continue
    return play


def main() -> None:
    play = conversation(int(sys.argv[1]))
    moved = [one.event for one in play.recorded if isinstance(one.event, WorkloadDisplaced)]
    lines = [f"{event.victim.name} ({event.workload_id}) for {event.by}: {event.victim.because}" for event in moved]
    lines += [sha256(encode_event(recorded.event)).hexdigest() for recorded in play.recorded]
    lines += [f"{len(moved)} displaced", sha256(freeze(play.state)).hexdigest()]
    sys.stdout.write("\n".join(lines))


if __name__ == "__main__":
    main()
