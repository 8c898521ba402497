"""One long conversation with the core, from a seed, and a digest of every event's bytes and of the state's.

Run by `test_across_processes.py` in processes of their own: `python -m tests.broker.core.told_again`.
"""

import random
import sys
from dataclasses import replace
from hashlib import sha256

from broker.core.commands import (
    ApplyDeclarations,
    CancelWorkload,
    DrainSite,
    RecordLinks,
    RecordServiceTimes,
    RegisterModel,
    ReportStatuses,
    Served,
    SiteAttached,
    SiteSilent,
    SubmitWorkload,
)
from broker.core.freeze import freeze
from tests.placement.oracle.chance import case
from tests.placement.oracle.question import Case
from tests.support.builders import model
from tests.support.playbook import Playbook
from tidegate.model.assignment import Phase, Status
from tidegate.model.errors import Refused
from tidegate.model.event import WorkloadDecided
from tidegate.model.money import PriceBook
from tidegate.model.session import Hello, Probed
from tidegate.model.sketch import sketch_of
from tidegate.wire.codec import encode, encode_event

COMMANDS = 120


def conversation(seed: int) -> Playbook:
    """Declarations, submissions and reports in an order that the seed gives; the same for ever."""
    dice, play = random.Random(seed), Playbook()
    at, names = 1, [f"press {number} \N{SNOWMAN} ü" for number in range(6)]
    drawn = [case(seed * 1_000 + number) for number in range(60)]
    sites = [facts.site for one in drawn for facts in one.question.sites.values()][: len(names)]
    play.ask(ApplyDeclarations(at, tuple(replace(s, name=n) for s, n in zip(sites, names, strict=False))))
    for name in list(play.state.sites):
        play.ask(SiteAttached(at, Hello(name, "boot", 0, f"{name}:1")))
    play.ask(RegisterModel(at, model("m")))
    for number in range(COMMANDS):
        at += dice.randint(1, 40_000)
        site, one = dice.choice(names), dice.choice(drawn)
        work = replace(one.question.work, name=f"work {dice.randint(0, 30)}", carries=())
        times = sketch_of(dice.randint(1, 40_000) for _ in range(dice.randint(1, 400)))
        probed = Probed(
            dice.choice(("plant", "branch")),
            site,
            times.percentile_us(990_000),
            times.samples,
            0,
            times.bound_us(990_000),
        )
        command = dice.choice(
            (
                ApplyDeclarations(at, (*one.law.policies[:1], *one.law.teams, *books(dice, number, one, at))),
                SubmitWorkload(at, work, key=f"k{number}"),
                SubmitWorkload(at, work),
                SubmitWorkload(at, work),
                RecordLinks(at, (probed,)),
                RecordServiceTimes(at, (Served("ab" * 32, "gpu", 900, 400, 500, 950, 1_000),)),
                CancelWorkload(at, work.name),
                SiteSilent(at, site),
                SiteAttached(at, Hello(site, "boot", 0)),
                DrainSite(at, site) if number % 9 == 0 else SubmitWorkload(at, work),
                ReportStatuses(at, site, (Status(f"w{dice.randint(1, 200)}", 1, dice.choice(list(Phase)), at=at),)),
            )
        )
        try:
            play.ask(command)
        except Refused:
            continue
    return play


def books(dice: random.Random, number: int, one: Case, at: int) -> tuple[PriceBook, ...]:
    """Of several names, from some moment on, which may be past or to come."""
    return tuple(
        replace(
            book, name=f"b{number % 3}", version=number + 1, effective_from=max(at + dice.randint(-60_000, 60_000), 0)
        )
        for book in one.law.books[:1]
    )


def main() -> None:
    play = conversation(int(sys.argv[1]))
    lines = [sha256(encode_event(recorded.event)).hexdigest() for recorded in play.recorded]
    decided = [recorded.event.decision for recorded in play.recorded if isinstance(recorded.event, WorkloadDecided)]
    lines += [sha256(encode(decision)).hexdigest() for decision in decided]
    lines += [f"{len(decided)} decided", sha256(freeze(play.state)).hexdigest()]
    sys.stdout.write("\n".join(lines))


if __name__ == "__main__":
    main()
