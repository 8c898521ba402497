"""The process in which targets run: bounded, and watched from outside (`run.py`).

    python -m tests.fuzzing.worker REPORT LAST ENGINE SEED RUNS SECONDS TARGET...

It writes its report whole, again and again, so that a crash loses nothing; and the input under way into `LAST`, a file
mapped into memory, before it is executed.
"""

import base64
import json
import mmap
import os
import struct
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzzing import corpus
from tests.fuzzing.measure import Finding, bounded, execute
from tests.fuzzing.mutation import mutated
from tests.fuzzing.target import Target

LAST_BYTES = 2**20
EVERY_S = 0.5
OWN_FORM = 0.6
"""Of the mutations, those by the target's own knowledge of its form."""
MOST_FOUND = 50
FRESH = 2_000
"""Executions after which memory is bounded anew: what a library keeps for good is not one input's doing."""


@dataclass
class Report:
    """What is told of one target."""

    target: str
    engine: str
    inputs: int = 0
    runs: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    done: bool = False
    found: list[dict[str, str]] = field(default_factory=list)


class Watched:
    """Runs targets one after another and tells of it."""

    def __init__(self, report: Path, last: Path) -> None:
        self._path = report
        self._told: list[Report] = []
        last.write_bytes(bytes(LAST_BYTES))
        self._file = last.open("r+b")
        self._last = mmap.mmap(self._file.fileno(), LAST_BYTES)
        self._keys: set[tuple[str, str, str]] = set()
        self._total = 0
        self._since = self._cpu = self._written = 0.0

    @contextmanager
    def about(self, target: Target, engine: str) -> Any:
        self._told.append(Report(target.name, engine))
        self._keys.clear()
        self._since, self._cpu = time.monotonic(), time.process_time()
        self.write()
        yield self._told[-1]
        self._told[-1].done = True
        self.write()

    def run(self, target: Target, data: bytes) -> Finding | None:
        """One execution, told before it begins."""
        report = self._told[-1]
        self._total += 1
        kept = data[: LAST_BYTES - 12]
        self._last[12 : 12 + len(kept)] = kept
        struct.pack_into("<QI", self._last, 0, self._total, len(kept))
        finding = execute(target, data)
        report.runs += 1
        if finding is not None and finding.key not in self._keys and len(report.found) < MOST_FOUND:
            self._keys.add(finding.key)
            finding = corpus.smaller(target, finding)
            report.found.append(
                {
                    "kind": finding.kind,
                    "where": finding.where,
                    "story": finding.story,
                    "data": base64.b64encode(finding.data).decode(),
                }
            )
            self.write()
        elif time.monotonic() - self._written > EVERY_S:
            self.write()
        return finding

    def write(self) -> None:
        self._written = time.monotonic()
        report = self._told[-1]
        report.seconds = self._written - self._since
        report.cpu_seconds = time.process_time() - self._cpu
        unfinished = self._path.with_suffix(".new")
        unfinished.write_text(json.dumps([vars(one) for one in self._told]))
        unfinished.replace(self._path)


def by_mutation(watched: Watched, target: Target, seed: int, runs: int, seconds: float) -> None:
    """The kept inputs, twice (the first time what is loaded and remembered comes in), then their mutations."""
    random = Random(f"{seed} {target.name}")
    with watched.about(target, "mutations") as report:
        seeds = corpus.inputs(target)
        report.inputs = len(seeds)
        for data in seeds:
            watched.run(target, data)
        until = time.monotonic() + seconds if seconds else float("inf")
        first, left = True, runs or sys.maxsize
        while left > 0 and time.monotonic() < until:
            with bounded(target.memory_bytes):
                for data in seeds if first else ():
                    watched.run(target, data)
                first = False
                for _ in range(min(left, FRESH)):
                    data = random.choice(seeds)
                    if target.mutation and random.random() < OWN_FORM:
                        data = target.mutation(random, data)[: target.largest]
                    else:
                        data = mutated(random, data, seeds, target.tokens, target.largest)
                    watched.run(target, data)
                    if time.monotonic() > until:
                        return
            left -= FRESH


def by_coverage(watched: Watched, name: str, seed: int, seconds: float) -> None:
    """libFuzzer, by `atheris`: an input that takes the code somewhere new becomes one to go on from. Never returns."""
    import atheris

    grown = corpus.GROWN / name
    grown.mkdir(parents=True, exist_ok=True)
    with atheris.instrument_imports(include=["tidegate", "placement", "broker", "agents", "edge"]):
        from tests.fuzzing.targets import target as find

        target = find(name)
        seeds = corpus.inputs(target)
    with watched.about(target, "coverage") as report:
        report.inputs = len(seeds)
        for index, data in enumerate(seeds):
            watched.run(target, data)
            (grown / f"seed-{index:04d}").write_bytes(data)

        def mutate(data: bytes, most: int, chance: int) -> bytes:
            random = Random(chance)
            if random.random() < 0.5:
                return bytes(atheris.Mutate(data, most))
            if target.mutation and random.random() < OWN_FORM:
                return target.mutation(random, data)[:most]
            return mutated(random, data, seeds, target.tokens, most)

        def one(data: bytes) -> None:
            watched.run(target, data)
            report.inputs = max(report.inputs, 1)

        options = [
            *(sys.argv[0], f"-max_total_time={int(seconds)}", f"-seed={seed + 1}", f"-max_len={target.largest}"),
            *("-timeout=30", "-rss_limit_mb=4096", "-print_final_stats=0", "-verbosity=0", str(grown)),
        ]
        atheris.Setup(options, one, custom_mutator=mutate)
        with bounded(8 * target.memory_bytes):  # libFuzzer's own tables are in it
            atheris.Fuzz()


def main(arguments: list[str]) -> int:
    report, last, engine, seed, runs, seconds, *names = arguments
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    watched = Watched(Path(report), Path(last))
    if engine == "coverage":
        by_coverage(watched, names[0], int(seed), float(seconds))
        return 0
    from tests.fuzzing.targets import target

    for name in names:
        by_mutation(watched, target(name), int(seed), int(runs), float(seconds))
    return 0


if __name__ == "__main__":
    import logging

    logging.disable(logging.CRITICAL)
    sys.exit(main(sys.argv[1:]))
