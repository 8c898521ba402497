"""The planted bugs: small wrong changes that somebody could make, each of which must be found (`planted` tries them).

Each is a text that stands in one file, and what is put in its place, in a copy of the tree. Most must be found by
living through seeds; what no history of the simulation can show (a disk below it, one decision's price) must be found
by the tests that are named, or by the oracle of small questions, whose own list is `tests.placement.oracle.planted`.

Longer than most files, since it is a list.
"""

from dataclasses import dataclass

from tests.disks.wrong import WRONG
from tests.placement.oracle.planted import CHANGES


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
        "keep no answer where all stood already",
        "broker/core/decide/workloads.py",
        "        if command.key:\n            yield KeyAnswered(",
        "        if command.key == command.workload.name:\n            yield KeyAnswered(",
        by=TALKS,
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
        "an unrecorded epoch by the clock",
        "broker/assembly.py",
        "        return state.epoch + 1\n",
        "        return event.epoch\n",
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
        "broker/core/naming.py",
        "    elif placed and named.submitted_before(record):",
        "    elif placed:",
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
        by="tests/broker/core/test_leaving.py",
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
        by="tests/broker/runtime/test_sessions.py",
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
        by="tests/broker/rpc/test_agents.py",
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
        by=HELD,
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
    Planted(
        "ask for a file at once",
        "agents/link/artifacts.py",
        "offset=held, most_bytes=wanted.bytes)",
        "offset=held)",
        by="tests/agents/link/test_artifacts.py",
    ),
    Planted(
        "take only words for life",
        "agents/link/session.py",
        "    def _alive(self) -> None:\n"
        '        """Something came from the broker."""\n'
        "        self._heard_us = self._clock.monotonic_us()\n",
        "    def _alive(self) -> None:\n        self._heard_us = self._heard_us or self._clock.monotonic_us()\n",
        by="tests/agents/link/test_session.py",
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
        "[-(-moved * micros * MS_PER_HOUR // (per * DAY_MS * spread)) for",
        "[moved * micros * MS_PER_HOUR // (per * DAY_MS * spread) for",
        by="tests/placement tests/properties/test_placement.py",
    ),
    # Snapshots.
    Planted(
        "trust a damaged snapshot",
        "broker/log/snapshots.py",
        "    if hashlib.sha256(memoryview(content)[:-32]).digest() != content[-32:]:",
        "    if not content:",
    ),
    Planted(
        "a snapshot forgets the answers",
        "broker/core/freeze.py",
        '_DERIVED = ("fleet", "law", "queues")',
        '_DERIVED = ("fleet", "law", "queues", "answers")',
    ),
    # Law, prices, teams.
    Planted(
        "a policy that was withdrawn still holds",
        "broker/core/state.py",
        "        self.policies[event.policy.name] = event.policy\n",
        "        if event.policy.rules:\n            self.policies[event.policy.name] = event.policy\n",
    ),
    Planted(
        "another policy of the same version",
        "broker/core/decide/fleet_declarations.py",
        "    if standing != noun and noun.version <= standing.version:",
        "    if standing != noun and noun.version < standing.version:",
        by=TALKS,
    ),
    Planted(
        "next hour's prices now",
        "placement/money/books.py",
        "        if book.effective_from <= now:",
        "        if book.effective_from <= now + 3_600_000:",
    ),
    Planted(
        "no book for a clock that is set back",
        "placement/money/books.py",
        "max(book.effective_from, now - BACK_MS)",
        "max(book.effective_from, now)",
        by="tests/placement/money",
    ),
    # Waiting, reclaim, plans.
    Planted(
        "production makes room",
        "tidegate/model/workload.py",
        "        return self.preemptible or self.importance is not Priority.PRODUCTION",
        "        return True",
    ),
    Planted(
        "who was displaced stays where it stood",
        "broker/core/state.py",
        "        for site in dict.fromkeys((*record.sites, *record.leaving)):\n"
        "            self._unassign(record.id, site, offset)\n        record.step(Phase.WAITING)",
        "        record.step(Phase.WAITING)",
    ),
    Planted(
        "wait though it would not",
        "broker/core/decide/waiting.py",
        "    return not workload.patience.never and (kept or bool(hopes_of(decision, workload)))",
        "    return kept or bool(hopes_of(decision, workload))",
    ),
    Planted(
        "nobody who waits is asked again",
        "broker/core/decide/waiting.py",
        "    return bool(state.waiting) and (queues.done != state.freed or queues.month != month_of(at))",
        "    return bool(state.waiting) and queues.month != month_of(at)",
    ),
    Planted(
        "adopt a stale plan",
        "broker/core/decide/rebalance.py",
        "    if not state.placement_offset <= plan.revision <= state.offset:",
        "    if not plan.revision <= state.offset:",
        by="tests/broker/core/test_rebalance.py",
    ),
    Planted(
        "submit on a stale revision",
        "broker/core/decide/workloads.py",
        "    if command.if_revision and command.if_revision < state.placement_offset:",
        "    if command.if_revision > state.offset:",
    ),
    Planted(
        "drain as often as it is asked",
        "broker/core/decide/draining.py",
        "    if answer is not None:\n",
        "    if answer is not None and not record.site:\n",
        by=TALKS,
    ),
    # Sites that return.
    Planted(
        "a drained site keeps what runs elsewhere",
        "broker/core/decide/sites.py",
        "                if now.phase is Phase.RUNNING and hello.site in now.leaving:",
        "                if now.phase is Phase.REFUSED:",
        by=TALKS,
    ),
    Planted(
        "a session for a site that is taken for silent",
        "broker/runtime/sessions.py",
        "        if state.sites[session.site].state != JOINED:",
        "        if not state.sites[session.site].state:",
        by="tests/broker/runtime/test_sessions.py",
    ),
    # Disks that fail while the agent lives, and clocks that drift.
    Planted(
        "tell an end before the disk has it",
        "agents/runtime/site.py",
        "        tended.phase = status.phase\n        if status.workload_id in self.held.assignments:\n",
        "        tended.phase = status.phase\n        self._tell(status)\n"
        "        if status.workload_id in self.held.assignments:\n",
        by="tests/agents/runtime/test_site.py",
    ),
    Planted(
        "hold what the disk did not take",
        "agents/runtime/site.py",
        "        self._store.write(held)\n        self.held = held\n",
        "        with suppress(Unavailable):\n            self._store.write(held)\n        self.held = held\n",
    ),
    Planted(
        "a lost link and a full disk end the agent",
        "agents/runtime/site.py",
        '            log.warning("how long the link has been away is not written down: %s", error)\n',
        "            raise\n",
    ),
    Planted(
        "a spool that cannot be read ends the agent",
        "agents/spool/reader.py",
        '            raise Unavailable(f"reading {directory} failed: {error}") from error\n',
        "            raise\n",
    ),
    # Disks, and the oracle's own.
    *(Planted(*wrong) for wrong in WRONG),
    *(Planted(*change, by="oracle") for change in CHANGES),
)
