"""Which invariant was checked under which fault, how often, and what is not covered at all.

A fault is *active* from when it happens until `LINGERS_S` after it is mended. What is checked while a history runs
counts each check with the faults active then; what is checked at its end counts once for each kind that happened in it.
Numbers are those of the fault model and the invariants that this harness was built to: F a fault, S safety, V liveness.
"""

from collections import Counter
from collections.abc import Iterable

from tests.simulation.faults import KINDS

LINGERS_S = 10.0

RUNNING = ("S8", "S9", "S10", "S15")
ENDING = ("S1", "S2", "S3", "S5", "S6", "S7", "S12", "S13", "S35")
RESTING = ("V1", "V2", "V3", "V4", "V7", "V8")
INVARIANTS = {
    "S1": "what was acknowledged is in the log",
    "S2": "what was refused is not",
    "S3": "the log's chain holds",
    "S5": "deciding again, and folding again, gives the same bytes",
    "S6": "what was placed is lawful and fits, by the auditor and by brute force",
    "S7": "what was refused had no place, and says why of each",
    "S8": "no unit and no limit is exceeded",
    "S9": "one decision in force, and work stands where it says",
    "S10": "no agent goes back to an older word",
    "S12": "each request is carried out once, and what was told to have ended never runs again",
    "S13": "each span arrives once, or a gap stands for it",
    "S15": "nothing is stopped but by a word or its own block",
    "S35": "snapshot and tail give the fold",
    "V1": "every site holds and runs what it should",
    "V2": "nobody waits who could be asked",
    "V3": "the broker serves",
    "V4": "telemetry has drained",
    "V7": "no site comes and goes",
    "V8": "nothing stays half done",
}
MODELLED = {
    "kill broker": "F2",
    "kill broker in a write": "F2 F8",
    "kill agent": "F2",
    "cut power": "F3 F29",
    "cut link": "F15",
    "cut up": "F16",
    "cut down": "F16",
    "slow link": "F17",
    "reset": "F19",
    "reset all": "F20",
    "cut engineers": "F15",
    "failing log": "F4 F9",
    "full log": "F5",
    "slow log": "F8",
    "damage snapshot": "F6 F30",
    "engine trouble": "F24",
    "suspend": "F8",
    "set clock": "F11 F12",
    "full disk": "F5",
    "failing disk": "F4 F9",
    "disk error": "F4",
    "rot": "F6",
    "drift": "F13",
    "no artifacts": "F26",
    "no telemetry": "F5 F26",
}
GAPS = {
    "F1": "one task's crash is the process' own end here; no part of it is supervised alone",
    "F3 broker": "the broker's disk is cut in `tests/disks`",
    "F7": "memory and descriptors are the machine's, which has no bounds here",
    "F10": "no backup is restored",
    "F14": "no leap seconds and no zones; all moments are whole milliseconds",
    "F18": "a stream is TCP's: it breaks, and is neither doubled nor put in another order; requests are sent again",
    "F21": "there are no names to resolve",
    "F22 F23": "one broker alone; there is no standby yet",
    "F25 F28": "engines are simulated whole; their own faults are in the drivers' tests",
    "F27": "no file comes other than it left: `tests/agents/cache`, `tests/agents/link`",
    "F31": "one version of the code",
    "F32-F47": "nobody attacks; identity and signatures are not built yet",
    "S4 S11 S16-S30 S33 S34 S36": "not about this process alone, or about what is not built: see the row's own tests",
    "S14": "`tests/properties/test_spool.py`",
    "S31": "by the planted bug `go on after a failed sync`, and `tests/broker/runtime/test_loop.py`",
    "S32": "bounds of queues are each tested where they are; no history fills them",
    "V5 V6 V9-V15": "storms, certificates, fairness and availability need real time, or parts that are not built",
}


class Covered:
    """One seed's."""

    def __init__(self) -> None:
        self.cells: Counter[tuple[str, str]] = Counter()
        self._until: dict[str, float] = {}

    def happens(self, kind: str, until: float) -> None:
        self._until[kind] = max(until + LINGERS_S, self._until.get(kind, 0.0))

    def checked(self, now: float) -> None:
        """The invariants of a running history were."""
        for kind, until in self._until.items():
            if now <= until:
                self._count(kind, RUNNING)

    def ended(self, resting: bool) -> None:
        for kind in self._until:
            self._count(kind, ENDING)
            if resting:
                self._count(kind, RESTING)

    def _count(self, kind: str, invariants: Iterable[str]) -> None:
        for one in invariants:
            self.cells[kind, one] += 1


def table(cells: Counter[tuple[str, str]]) -> list[str]:
    """Lines of Markdown: a row each fault kind, a column each invariant; thousands from 10,000 on."""
    names = list(INVARIANTS)
    lines = [
        "| fault | model | " + " | ".join(names) + " |",
        "|---|---|" + "---:|" * len(names),
    ]
    for kind in KINDS:
        counts = " | ".join(_short(cells[kind, one]) for one in names)
        lines.append(f"| {kind} | {MODELLED[kind]} | {counts} |")
    return lines


def empty(cells: Counter[tuple[str, str]], least: int) -> list[str]:
    """The cells with fewer checks than that."""
    return [f"{kind} x {one}: {cells[kind, one]}" for kind in KINDS for one in INVARIANTS if cells[kind, one] < least]


def _short(count: int) -> str:
    return f"{count // 1_000}k" if count >= 10_000 else str(count)
