"""`python -m tests.simulation`: live through seeds, or through one of them again.

--seeds N [--from S]   N seeds from S on; the table at the end says what happened in them
--seed S               one seed, with its settings and its findings; `--shrink` leaves out what is not needed
"""

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

from tests.simulation.world import Outcome, Settings, run


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
    if chosen.until_found:
        return _until_found(range(chosen.first, chosen.first + chosen.seeds))
    return _many(range(chosen.first, chosen.first + chosen.seeds), chosen.processes)


def _one(seed: int, shrinking: bool) -> int:
    settings = Settings.draw(seed)
    outcome = run(settings)
    if shrinking and outcome.found:
        outcome = shrink(outcome)
        settings = outcome.settings
    print(f"seed {seed}: {len(settings.sites)} sites, {len(settings.people)} engineers, {settings.lasts_s:.0f} s")
    for fault in settings.plan:
        print(f"  {fault}")
    print(f"trace {outcome.digest[:16]}")
    for key, count in sorted(outcome.did.items()):
        print(f"  {key:16} {count}")
    for finding in outcome.found:
        print(f"FOUND {finding}")
    return 1 if outcome.found else 0


def shrink(outcome: Outcome) -> Outcome:
    """Leave out one fault after another, as long as something is still found."""
    smallest = outcome
    for fault in outcome.settings.plan:
        plan = tuple(each for each in smallest.settings.plan if each != fault)
        tried = run(replace(smallest.settings, plan=plan))
        if tried.found:
            smallest = tried
    return smallest


def _until_found(seeds: range) -> int:
    for seed in seeds:
        if found := run(Settings.draw(seed)).found:
            print(f"seed {seed}: {found[0]}")
            return 1
    return 0


def _many(seeds: range, processes: int) -> int:
    began, did, bad = time.monotonic(), Counter[str](), 0
    with ProcessPoolExecutor(processes) as pool:
        for outcome in pool.map(run, map(Settings.draw, seeds), chunksize=8):
            did += outcome.did
            if outcome.found:
                bad += 1
                print(f"seed {outcome.settings.seed}: {outcome.found[0]}", flush=True)
                print(f"  again: python -m tests.simulation --seed {outcome.settings.seed} --shrink", flush=True)
    took = time.monotonic() - began
    for key, count in sorted(did.items()):
        print(f"{key:16} {count:>12,}")
    print(f"{len(seeds)} seeds in {took:.0f} s, {bad} with findings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
