"""`python -m tests.simulation`: live through seeds, or through one of them again.

--seeds N [--from S]   N seeds from S on; the tables at the end say what happened in them and what was checked
--seed S               one seed, with its settings and its findings; `--shrink` leaves out what is not needed
--until-found          one after another, until something is found

A long run that was broken off goes on with `--from`. Exit codes: 0 nothing found, 1 something was, 3 too little
happened for that to mean anything.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.coverage import GAPS, INVARIANTS, empty, table
from tests.simulation.faults import KINDS
from tests.simulation.planted import head
from tests.simulation.shrinking import Shrinking
from tests.simulation.swarm import Settings
from tests.simulation.world import Outcome, run

EVERY = 500
"""Seeds between two lines of progress."""
WORTH = 200
"""Seeds from which on a run is held to what must have happened."""
VERBS = ("submit", "cancel", "cordon", "drain", "law", "team", "price", "plan", "site")
LEAST = {"events": 50, "decisions": 10, "acknowledged": 20, "work started": 5, "spans": 10} | {
    "event workload_queued": 0.1,
    "event workload_displaced": 0.05,
    "event assignment_outlawed": 0.1,
    "event plan_adopted": 0.002,
    "snapshot damaged": 0.2,
    "forsaken": 0.05,
    "calls of a disk failed": 1,
    "agent fell with its disk": 0.2,
    "bytes rotten": 0.3,
}
"""What must have happened in each seed, on the average."""
LEAST_OF_A_FAULT, LEAST_OF_A_VERB, LEAST_OF_A_CELL = 0.2, 0.05, 0.1


def main(arguments: list[str]) -> int:
    """Exits with 1 where anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--shrink", action="store_true")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--until-found", action="store_true", help="one after another, until something is found")
    chosen = parser.parse_args(arguments)
    if chosen.seed is not None:
        return _one(chosen.seed, chosen.shrink)
    seeds = range(chosen.first, chosen.first + chosen.seeds)
    return _until_found(seeds) if chosen.until_found else _many(seeds, chosen.processes)


def _one(seed: int, shrinking: bool) -> int:
    outcome = run(Settings.draw(seed))
    if shrinking and outcome.found:
        shrunk = Shrinking(outcome)
        outcome = shrunk.shrink()
        print(f"shrunk in {shrunk.tries} runs")
    print(outcome.settings)
    for line in outcome.story:
        print(f"  {line}")
    print(f"trace {outcome.digest[:16]}")
    if not shrinking:
        for key, count in sorted(outcome.did.items()):
            print(f"  {key:26} {count}")
    for finding in outcome.found:
        print(f"FOUND {finding}")
    return 1 if outcome.found else 0


def _until_found(seeds: range) -> int:
    for seed in seeds:
        if found := run(Settings.draw(seed)).found:
            print(f"seed {seed}: {found[0]}")
            return 1
    return 0


def _many(seeds: range, processes: int) -> int:
    began, bad = time.monotonic(), 0
    did, cells = Counter[str](), Counter[tuple[str, str]]()
    for number, outcome in enumerate(_lived(seeds, processes), 1):
        did.update(outcome.did)
        cells.update(outcome.cells)
        if outcome.found:
            bad += 1
            print(f"seed {outcome.settings.seed}: {outcome.found[0]}", flush=True)
            print(f"  again: python -m tests.simulation --seed {outcome.settings.seed} --shrink", flush=True)
        if number % EVERY == 0:
            took = time.monotonic() - began
            print(f"{number:,} of {len(seeds):,} seeds in {took:,.0f} s, {bad} with findings", flush=True)
    print("\n".join(report(did, cells)))
    took = time.monotonic() - began
    print(f"{len(seeds):,} seeds from {seeds.start} at {head()[:12]} in {took:,.0f} s, {bad} with findings")
    if missing := too_little(len(seeds), did, cells):
        print("too little happened: " + "; ".join(missing))
    return 1 if bad else 3 if missing else 0


def _lived(seeds: range, processes: int) -> Iterator[Outcome]:
    if processes == 1:
        yield from map(run, map(Settings.draw, seeds))
        return
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(run, map(Settings.draw, seeds), chunksize=8)


def report(did: Counter[str], cells: Counter[tuple[str, str]]) -> list[str]:
    """What happened, what was checked under which fault, and what is not covered; Markdown for the record."""
    lines = ["", "| what | times |", "|---|---:|"]
    lines += [f"| {key} | {count:,} |" for key, count in sorted(did.items()) if key not in KINDS]
    lines += [f"| fault: {kind} | {did[kind]:,} |" for kind in KINDS]
    lines += ["", *table(cells), ""]
    lines += [f"- {name}: {meaning}" for name, meaning in INVARIANTS.items()]
    return [*lines, "", "Not covered here:", "", *(f"- {name}: {why}" for name, why in GAPS.items()), ""]


def too_little(seeds: int, did: Counter[str], cells: Counter[tuple[str, str]]) -> list[str]:
    """What happened so seldom that nothing follows from what was not found."""
    if seeds < WORTH:
        return []
    least = {key: share * seeds for key, share in LEAST.items()}
    least |= dict.fromkeys(KINDS, LEAST_OF_A_FAULT * seeds)
    least |= {f"asked to {verb}": LEAST_OF_A_VERB * seeds for verb in VERBS}
    few = [f"{key}: {did[key]} of at least {most:.0f}" for key, most in least.items() if did[key] < most]
    return few + empty(cells, int(LEAST_OF_A_CELL * seeds))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
