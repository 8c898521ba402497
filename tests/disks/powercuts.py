"""`python -m tests.disks.powercuts`: power cuts by the thousand on the real log, snapshots, spool, store and files.

--cuts N [--seed S]    lives from seed S on, until N cuts were lived through; the table says where they fell
--life NAME --seed S   one life again
--lie                  disks that lie about their flush: outside the promise; what happened is printed, nothing fails

A run in which no cut fell where cuts matter (`Life.needed`) proves little, and fails.
"""

import argparse
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.disks.lives import LIVES
from tests.disks.lives.life import CUTS
from tests.disks.vfs import PlatterVfs

SHARES = {"log": 8, "spool": 8, "agent": 6, "telemetry": 2, "readers": 4}
"""Lives of each kind in a round: the kinds whose lives are long come seldom."""
ROUND = tuple(name for name, share in SHARES.items() for _ in range(share))
FEW = 5_000
"""Below so many cuts no place is missed: a short run shows nothing but that it runs."""


@dataclass
class Found:
    """What came of some lives."""

    cuts: Counter[str] = field(default_factory=Counter)
    fell: Counter[str] = field(default_factory=Counter)
    did: Counter[str] = field(default_factory=Counter)
    cpu_s: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def add(self, other: "Found") -> None:
        self.cuts += other.cuts
        self.fell += other.fell
        self.did += other.did
        self.cpu_s += other.cpu_s
        self.wrong += other.wrong


def live(name: str, seed: int, home: Path, vfs: PlatterVfs, lie: bool = False) -> Found:
    """One life."""
    found, began = Found(), time.process_time()
    life = LIVES[name](seed, home, vfs, lie=lie)
    try:
        life.run()
    except Exception as error:
        where = " ".join(life.platter.cut_in[:2])
        story = "".join(traceback.format_exception(error)[-2:]).strip().replace("\n", " | ")
        found.wrong.append(f"life {name} seed {seed}, after a cut in {where}: {story}")
    finally:
        life.drop()
    found.cuts[name] += sum(life.fell.values())
    found.fell.update({f"{name}: {key}": count for key, count in life.fell.items()})
    found.did.update(life.did)
    found.cpu_s[name] += time.process_time() - began  # type: ignore[assignment]
    return found


def rounds(first: int, count: int, lie: bool = False) -> Found:
    """Whole rounds of lives, in this process."""
    found = Found()
    vfs = PlatterVfs("platter")
    try:
        with tempfile.TemporaryDirectory(dir=memory()) as folder:
            for number in range(first, first + count):
                for place, name in enumerate(ROUND):
                    found.add(live(name, number * len(ROUND) + place, Path(folder), vfs, lie))
    finally:
        vfs.unregister()
    return found


def memory() -> str | None:
    """Lock files are real ones; no disk of this machine has to hold them."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _rounds(arguments: tuple[int, int, bool]) -> Found:
    return rounds(*arguments)


def missing(found: Found) -> list[str]:
    """Where cuts should have fallen and did not."""
    wanted = [f"{name}: {where}" for name, life in LIVES.items() for where in life.needed]
    return [where for where in wanted if not found.fell[where]]


def _many(cuts: int, seed: int, processes: int, lie: bool) -> int:
    began, found = time.monotonic(), Found()
    each = max(1, min(8, cuts // (len(ROUND) * CUTS * processes * 2)))

    def orders() -> Iterator[tuple[int, int, bool]]:
        made = 0
        while made * len(ROUND) * CUTS < cuts:
            yield seed + made, each, lie
            made += each

    with ProcessPoolExecutor(processes) as pool:
        for number, some in enumerate(pool.map(_rounds, orders()), 1):
            for wrong in some.wrong if not lie else ():
                name, again = wrong.split()[1], wrong.split()[3].rstrip(",")
                print(f"FOUND {wrong}", flush=True)
                print(f"  again: python -m tests.disks.powercuts --life {name} --seed {again}", flush=True)
            found.add(some)
            if number % max(1, 100 // each) == 0:
                total, took = sum(found.cuts.values()), time.monotonic() - began
                print(f"{total:,} cuts, {took:.0f} s, {len(found.wrong)} found", file=sys.stderr, flush=True)
    return _told(found, time.monotonic() - began, lie)


def _told(found: Found, took: float, lie: bool) -> int:
    total, cpu = sum(found.cuts.values()), sum(found.cpu_s.values())
    for where, count in sorted(found.fell.items()):
        print(f"{where:36} {count:>12,}")
    for what, count in sorted(found.did.items()):
        print(f"{what:36} {count:>12,}")
    for name, count in found.cuts.items():
        print(f"cuts in the life of {name:16} {count:>12,} {count / found.cpu_s[name]:>8,.0f} a second and core")
    print(f"{total:,} cuts in {took:.0f} s, {total / cpu:,.0f} a second and core, {len(found.wrong)} with findings")
    if lie:
        kinds = Counter(wrong.split()[1] for wrong in found.wrong)
        print(f"on disks that lie about their flush, lives that lost something: {dict(kinds)}")
        return 0
    none = missing(found) if total >= FEW else []
    for where in none:
        print(f"NOT ONE CUT in {where}: the run proves nothing of it")
    return 1 if found.wrong or none else 0


def main(arguments: list[str]) -> int:
    """Exits with 1 where anything was found, or too little was done."""
    parser = argparse.ArgumentParser(prog="python -m tests.disks.powercuts", description=__doc__.splitlines()[0])
    parser.add_argument("--cuts", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--life", choices=LIVES)
    parser.add_argument("--lie", action="store_true")
    chosen = parser.parse_args(arguments)
    if chosen.life is None:
        return _many(chosen.cuts, chosen.seed, chosen.processes, chosen.lie)
    vfs = PlatterVfs("platter")
    with tempfile.TemporaryDirectory(dir=memory()) as folder:
        found = live(chosen.life, chosen.seed, Path(folder), vfs, chosen.lie)
    vfs.unregister()
    for wrong in found.wrong:
        print(f"FOUND {wrong}")
    print(f"{sum(found.cuts.values())} cuts")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
