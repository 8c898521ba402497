"""Small wrong changes, each of which the harness must find: a harness that finds nothing may just be blind.

Each is a text that stands once in one file, and what is put in its place, in a copy of the tree. Most must be found by
living through seeds; what no history of the simulation can show (a disk below it, one decision's price) must be found
by the tests that are named, or by the oracle of small questions.

    python -m tests.simulation.planted            all of them
    python -m tests.simulation.planted --part 3   every tenth, from the third on
    python -m tests.simulation.planted NAME ...   those
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.disks.wrong import WRONG
from tests.placement.oracle.planted import CASES, CHANGES

ROOT = Path(__file__).resolve().parents[2]
SEEDS = 60
"""How many seeds a planted bug may hide from."""
LONGEST_S = 400


@dataclass(frozen=True)
class Planted:
    """One wrong change."""

    name: str
    file: str
    right: str
    wrong: str
    by: str = "seeds"
    """`seeds`, `oracle`, or the tests that must fail."""


HELD = "tests/agents/core/test_held.py"
TALKS = "tests/broker/core"
PLANTED = (
    # The log and the loop.
    Planted(
        "speak before write",
        "broker/runtime/loop.py",
        "        if pending:\n            await self._log.append(",
        "        for outcome in outcomes:\n            _speak(outcome)\n"
        "        if pending:\n            await self._log.append(",
    ),
    Planted(
        "go on after a failed sync",
        "broker/runtime/loop.py",
        "            going_on = await self._turn(first)",
        "            try:\n                going_on = await self._turn(first)\n"
        "            except TidegateError:\n                continue",
    ),
    Planted(
        "forget what a key was used for",
        "broker/core/decide/keys.py",
        "    if answer is not None and answer.verb != verb:",
        "    answer = None\n    if answer is not None and answer.verb != verb:",
    ),
    Planted(
        "keep no answer",
        "broker/core/state.py",
        "        if not key:\n            return\n        if before := self.answers.get(key):",
        "        if key:\n            return\n        if before := self.answers.get(key):",
    ),
    Planted(
        "an epoch by the clock alone",
        "broker/assembly.py",
        "max(now, state.epoch + 1)",
        "now",
        by="tests/broker/test_assembly.py",
    ),
    Planted(
        "replay from one row too late",
        "broker/runtime/history.py",
        "    async for row in rows_after(log, state.offset):",
        "    async for row in rows_after(log, state.offset + 1):",
    ),
    # The fold.
    Planted(
        "no new generation when work is taken away",
        "broker/core/state.py",
        "        self.sites[site] = replace(before, generation=offset, desired=desired, removed=removed, floor=floor)",
        "        self.sites[site] = replace(before, desired=desired, removed=removed, floor=floor)",
    ),
    Planted(
        "no new generation when work is given",
        "broker/core/state.py",
        "        self.sites[site] = replace(before, generation=offset, desired=desired, removed=removed)\n",
        "        self.sites[site] = replace(before, desired=desired, removed=removed)\n",
    ),
    Planted(
        "remember no removal",
        "broker/core/state.py",
        "removed, floor = {**before.removed, workload_id: offset}, before.floor",
        "removed, floor = dict(before.removed), before.floor",
    ),
    Planted(
        "keep the room of what has gone",
        "broker/core/state.py",
        "        self.fleet.release(_holder(workload_id, site))\n",
        "",
    ),
    Planted(
        "cancel without telling the sites",
        "broker/core/state.py",
        "        for site in holding:\n            self._unassign(record.id, site, offset)\n",
        "",
    ),
    Planted(
        "an old service takes its name back",
        "broker/core/state.py",
        "        elif placed and named.submitted_before(record):",
        "        elif placed:",
    ),
    Planted(
        "a replacement never leaves",
        "broker/core/state.py",
        "            self._leave(record, offset, reachable)\n",
        "            self.workloads[record.id] = record\n",
    ),
    Planted(
        "what stands already is never settled",
        "broker/core/state.py",
        "        elif all(self._said(record, site) for site in sites):",
        "        elif not sites:",
        by=TALKS,
    ),
    Planted(
        "ended when the first site lets go",
        "broker/core/state.py",
        "            if not holding:\n",
        "            if event.status.phase.ended:\n",
    ),
    Planted(
        "a stop by the work's own block counts as a cancel",
        "broker/core/lifecycle.py",
        "    wanted = [Phase.PLACED if phase is Phase.STOPPING else phase for phase in phases]",
        "    wanted = list(phases)\n    if Phase.STOPPING in wanted:\n        return Phase.STOPPING",
    ),
    # What sites are told.
    Planted(
        "skip the newest assignment",
        "broker/core/difference.py",
        "a for a in site.desired.values() if a.generation > held",
        "a for a in site.desired.values() if held < a.generation < site.generation",
    ),
    Planted(
        "name no removal",
        "broker/core/difference.py",
        "workload_id for workload_id, at in site.removed.items() if at > held",
        "workload_id for workload_id, at in site.removed.items() if at < held",
    ),
    Planted(
        "tell without remembering what was told",
        "broker/runtime/sessions.py",
        "        word = difference(state.sites[site], session.told)\n        session.told = word.generation\n",
        "        word = difference(state.sites[site], session.held)\n",
    ),
    Planted(
        "no first word to an agent that holds nothing",
        "broker/runtime/sessions.py",
        "        session.told = word.generation\n        session.say(word)\n        session.say(self._probes",
        "        session.told = word.generation\n        session.say(self._probes",
    ),
    Planted(
        "never take a site for silent",
        "broker/runtime/sessions.py",
        "            if now - self._heard.get(site, self._since) > allowed:",
        "            if now - self._heard.get(site, self._since) > allowed * 1_000:",
        by="tests/broker/runtime/test_sessions.py",
    ),
    Planted(
        "effects that tell nobody",
        "broker/runtime/executors.py",
        "        self._sessions.tell(self._state, effect.site)\n",
        "        return\n",
    ),
    Planted(
        "a report acknowledged before it is durable",
        "broker/rpc/agents.py",
        "                await self._loop.ask(ReportStatuses(0, session.site, statuses))\n"
        "                session.say(Reported(sequence))",
        "                session.say(Reported(sequence))\n"
        "                await self._loop.ask(ReportStatuses(0, session.site, statuses))",
    ),
    Planted(
        "nobody lets go on coming back",
        "broker/core/decide/sites.py",
        "        let_go = workload_id not in hello.running and hello.held_generation >= left_out_at\n",
        "        let_go = False\n",
        by=TALKS,
    ),
    # What agents hold and do.
    Planted(
        "take in an older broker",
        "agents/core/held.py",
        "        if epoch < self.epoch:",
        "        if epoch < 0:",
        by=HELD,
    ),
    Planted(
        "take in what applies to something else",
        "agents/core/held.py",
        "        if not difference.whole and difference.base != self.generation:",
        "        if not difference.whole and difference.base < 0:",
        by=HELD,
    ),
    Planted(
        "go back to an older generation",
        "agents/core/held.py",
        "        if difference.generation < self.generation:",
        "        if difference.generation < 0:",
        by=HELD,
    ),
    Planted(
        "keep what a whole leaves out",
        "agents/core/held.py",
        "        kept = {} if difference.whole else dict(self.assignments)",
        "        kept = dict(self.assignments)",
        by=HELD,
    ),
    Planted(
        "forget what is being wound down",
        "agents/core/held.py",
        "        leaving = {key: each for key, each in gone_now.items() if key not in kept}",
        "        leaving: dict[str, Assignment] = {}",
    ),
    Planted(
        "act before it is written",
        "agents/runtime/site.py",
        "        self._store.write(held)\n        self.held = held\n",
        "        self.held = held\n",
    ),
    Planted(
        "stop what is wanted when the link is gone",
        "agents/core/machine.py",
        "    bound = assignment.workload.disconnect.serve_for_ms\n",
        "    bound = assignment.workload.disconnect.serve_for_ms or 5_000\n",
        by="tests/agents/core/test_machine.py",
    ),
    Planted(
        "drop reports that were not acknowledged",
        "agents/runtime/site.py",
        "if each[0] > sequence}",
        "if each[0] > sequence + 3}",
    ),
    Planted(
        "say nothing of what was never here",
        "agents/runtime/site.py",
        "            if gone not in known:",
        "            if gone not in known and self.held.away_since:",
        by="tests/agents/runtime/test_site.py",
    ),
    Planted(
        "stop for good what begins again",
        "agents/runtime/site.py",
        "                tended.phase = Phase.PLACED  # it",
        "                pass  # it",
        by="tests/agents/runtime/test_site.py",
    ),
    Planted(
        "never want less",
        "agents/runtime/site.py",
        "            if key not in self.held.assignments:\n                self._want(tended, False)\n",
        "            if key not in self.held.assignments:\n                continue\n",
    ),
    Planted(
        "die with the session",
        "agents/link/fault.py",
        "        if task is None or task.cancelling():\n            raise\n",
        "        raise\n",
        by="tests/agents/link/test_artifacts.py",
    ),
    # Telemetry.
    Planted(
        "forget before the receipt",
        "agents/link/telemetry.py",
        "    await call.write(agents_pb2.SyncTelemetryRequest(site=site, stream=stream, chunks=chunks))\n",
        "    await asyncio.to_thread(reader.acknowledge, stream, records[-1].seq)\n"
        "    await call.write(agents_pb2.SyncTelemetryRequest(site=site, stream=stream, chunks=chunks))\n",
    ),
    Planted(
        "take what is sent again",
        "broker/telemetry/store.py",
        "                    duplicates += 1\n                    continue\n",
        "                    duplicates += 1\n"
        "                    self._keep(site, stream, chunk, chunk.seq - 1, now_ms)\n                    continue\n",
        by="tests/broker/telemetry/test_store.py",
    ),
    Planted(
        "take what comes too early",
        "broker/telemetry/store.py",
        "                if not reached:\n                    raise Hole(",
        "                if not reached and chunk.seq < 0:\n                    raise Hole(",
        by="tests/broker/telemetry/test_store.py",
    ),
    Planted(
        "a spool that does not sync",
        "agents/spool/writer.py",
        "            file.sync()\n",
        "            pass\n",
        by="tests/properties/test_spool.py",
    ),
    Planted(
        "a window that is never told",
        "edge/core/modes.py",
        "[EndWindow(since, max(since, at))] if since else []",
        "[]",
        by="tests/edge/core/test_modes.py",
    ),
    # Placement.
    Planted(
        "just in time is too late",
        "placement/rules/latency.py",
        "self._arrivals.us <= workload.latency.p99_us",
        "self._arrivals.us < workload.latency.p99_us",
        by="tests/placement",
    ),
    Planted(
        "a link that is just enough is not",
        "placement/rules/volume.py",
        "fits = needed <= columns.uplink - columns.uplink_used",
        "fits = needed < columns.uplink - columns.uplink_used",
        by="tests/placement",
    ),
    Planted(
        "a cost rounded down",
        "placement/scoring/cost.py",
        "(-(-moved * micros * MS_PER_HOUR // (per * DAY_MS * spread))",
        "(moved * micros * MS_PER_HOUR // (per * DAY_MS * spread)",
        by="tests/placement tests/properties/test_placement.py",
    ),
    # Disks.
    *(Planted(*wrong) for wrong in WRONG),
    *(Planted(*change, by="oracle") for change in CHANGES),
)


def main(arguments: list[str]) -> int:
    """Exits with 1 where one is not found, or is no longer to be planted."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.planted", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--part", type=int, choices=range(10))
    chosen = parser.parse_args(arguments)
    planted = [each for each in PLANTED if not chosen.names or each.name in chosen.names]
    if chosen.part is not None:
        planted = planted[chosen.part :: 10]
    missed = 0
    for each in planted:
        began = time.monotonic()
        how = found(each)
        missed += not how
        print(f"{'found' if how else 'MISSED':7} {each.name:52} {how:24} {time.monotonic() - began:5.0f} s", flush=True)
    print(f"{len(planted) - missed} of {len(planted)} planted bugs found")
    return 1 if missed or not planted else 0


def found(planted: Planted) -> str:
    """By what it was found; empty where it was not."""
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        tree = Path(folder)
        for name in ("agents", "broker", "edge", "placement", "tidegate", "tests", "deploy", "pyproject.toml"):
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__", "bench"))
            else:
                shutil.copy(source, tree / name)
        plant(planted, tree)
        if planted.by == "seeds":
            command = ["-m", "tests.simulation", "--until-found", "--seeds", str(SEEDS)]
        elif planted.by == "oracle":
            command = ["-m", "tests.placement.oracle", "--until-found", "--cases", str(CASES)]
        else:
            command = ["-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *planted.by.split()]
        done = subprocess.run(
            [sys.executable, *command], cwd=tree, capture_output=True, text=True, timeout=LONGEST_S, check=False
        )
        if done.returncode not in (0, 1) or (planted.by == "seeds" and done.returncode and not done.stdout):
            raise RuntimeError(f"{planted.name}: the harness itself fell\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        if not done.returncode:
            return ""
        return done.stdout.split(":")[0] if planted.by in ("seeds", "oracle") else "its tests"


def plant(planted: Planted, tree: Path) -> None:
    """Make the wrong change. AssertionError where the right text does not stand there (once)."""
    path = tree / planted.file
    text = path.read_text()
    assert text.count(planted.right) >= 1, f"{planted.name}: the text is no longer in {planted.file}"
    path.write_text(text.replace(planted.right, planted.wrong, 1))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
