"""What must hold, and what was found not to. Numbers name the invariants of DESIGN, section 6.

While a history runs: the core's own invariants after each durable turn that changed something (1, 3, 4, 5); generations
and stops at each agent (4, 5). At its end: acknowledgements against the log (2), the fold against the live state and
against snapshot and tail, every decision decided again, every third put to brute force, all of them told to a witness
who folds by hand (6), telemetry (7), every refusal's list (8). At rest, all faults of the core mended and the fleet
left alone for a while: desired against held and run, nothing half done, and nobody who waits beside free room.
"""

from collections import Counter
from collections.abc import Mapping

from agents.spool import SpoolReader
from broker.core import freeze
from broker.core.again import Again
from broker.core.decide.waiting import ask, overdue, pending
from broker.core.invariants import violations
from broker.core.records import JOINED, WorkloadRecord
from broker.core.state import State
from broker.log.record import Head, first_damage
from broker.log.snapshots import Snapshots
from broker.runtime.history import restore, to_recorded
from broker.telemetry.finding import TelemetryReader
from tests.simulation import brute
from tests.simulation.agent import AgentMachine, AgentProcess
from tests.simulation.broker import BrokerMachine
from tests.simulation.loop import Process
from tests.simulation.people import History
from tests.simulation.store import SimulatedLog
from tests.simulation.wishes import UNASKED
from tests.simulation.witness import Witness
from tidegate.model.assignment import Phase
from tidegate.model.decision import Outcome
from tidegate.model.event import Event, KeyAnswered, WorkloadDecided, WorkloadQueued

MOST_KEPT = 20
ASKED = 3
"""One decision in so many is put to brute force, which takes as long as several decisions."""
WAITING = 3
"""So many that wait are asked once more at the end."""


class Findings:
    """Everything that did not hold, the first few of it."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, what: str) -> None:
        if len(self.found) < MOST_KEPT and what not in self.found:
            self.found.append(what)


def after_a_turn(state: State, findings: Findings) -> None:
    """On the broker's state, when a turn is durable and nobody has heard of it yet."""
    for violation in violations(state):
        findings.add(f"at offset {state.offset}: {violation}")


def acknowledged(machine: BrokerMachine, history: History, findings: Findings) -> None:
    """2. What was acknowledged is in the log once, what was refused is not there, and no key is there twice."""
    keys: Counter[str] = Counter()
    answers: dict[str, str] = {}
    for row in machine.log.rows:
        event = to_recorded(row).event
        if key := getattr(event, "key", ""):
            keys[key] += 1
            answers[key] = event.about if isinstance(event, KeyAnswered) else f"w{row.offset}"
    for key, times in keys.items():
        if times > 1:
            findings.add(f"2: {key} was carried out {times} times")
    for asked in history.asked:
        if asked.otherwise:
            findings.add(f"2: {asked.key} was answered {asked.acknowledged}, then {asked.otherwise}")
        if asked.refused and keys[asked.key]:
            findings.add(f"2: {asked.key} was refused ({asked.refused}) and is in the log")
    for asked in history.acknowledged:
        if asked.acknowledged == UNASKED:
            continue
        has = answers.get(asked.key, "nothing")
        if has == "nothing" or (asked.verb == "submit" and asked.acknowledged != has):
            findings.add(f"2: {asked.key} was answered {asked.acknowledged}, and the log has it as {has}")


async def replayed(machine: BrokerMachine, history: History, live: State | None, findings: Findings) -> int:
    """6. The chain holds; fold, live state (if any) and what a start would find are one; decisions come out again."""
    damage = first_damage(Head(), machine.log.rows)
    if damage is not None:
        findings.add(f"the log is damaged at {damage.offset}: {damage.because}")
    fold, again, judged = State(), Again(), 0
    witness = Witness(revisions={asked.key: asked.revision for asked in history.asked if asked.revision})
    for row in machine.log.rows:
        recorded = to_recorded(row)
        event = recorded.event
        witness.hears(recorded)
        _decide_again(fold, event, again, findings)
        if isinstance(event, WorkloadDecided) and recorded.offset % ASKED == 0 and brute.can_judge(event):
            judged += 1
            for said in brute.disagreements(fold, event)[:3]:
                findings.add(f"6: {event.workload_id} at {recorded.offset}: {said}")
        fold.apply(recorded)
    for said in witness.found:
        findings.add(f"6: {said}")
    frozen = freeze.freeze(fold)
    if live is not None and frozen != freeze.freeze(live):
        findings.add("6: the fold of the log is not the live state")
    started, _ = await restore(SimulatedLog(machine.log, Process("judge")), Snapshots(machine.snapshots, freeze.FORMAT))
    if frozen != freeze.freeze(started):
        findings.add("6: snapshot and tail do not give the fold")
    for violation in violations(fold):
        findings.add(f"at the end: {violation}")
    return judged


def _decide_again(state: State, event: Event, again: Again, findings: Findings) -> None:
    """A decision, to wait included, with those who make room for it."""
    for divergence in again.before(state, event):
        assert isinstance(event, WorkloadDecided | WorkloadQueued)
        revision = event.decision.revision
        findings.add(f"6: {event.workload_id} would be decided otherwise at {revision}: {divergence}")
    if isinstance(event, WorkloadDecided | WorkloadQueued) and event.decision.outcome is not Outcome.PLACED:
        decision = event.decision
        refused = {miss.site for miss in decision.misses}
        if refused != set(decision.candidates):
            findings.add(f"8: {event.workload_id} was refused without a miss for {set(decision.candidates) - refused}")


def at_rest(
    state: State, at: int, core: list[AgentMachine], agents: dict[str, AgentProcess], findings: Findings
) -> None:
    """Every site of the core holds what it should, and runs it: nothing is left undone once the core is whole."""
    names = {machine.name for machine in core}
    for machine in core:
        agent, record = agents.get(machine.name), state.sites[machine.name]
        site, desired = agent.site if agent else None, record.desired
        if site is None:
            findings.add(f"{machine.name} did not come up")
            continue
        if record.state != JOINED:
            findings.add(f"{machine.name} is {record.state}, though it is whole")
        held = {key: each.generation for key, each in site.held.assignments.items()}
        wanted = {key: each.generation for key, each in desired.items()}
        if held != wanted:
            findings.add(f"{machine.name} holds {held}, should hold {wanted}")
        extra = set(machine.engine.work) - set(wanted)
        if extra:
            findings.add(f"{machine.name} still runs {sorted(extra)}")
        waits = sum(stream.records for stream in SpoolReader(machine.files, "/spool").backlog().values())
        if waits:
            findings.add(f"{machine.name} has {waits} records that the broker does not have")
    for record in state.workloads.values():
        _record_at_rest(record, names, findings)
    for one in [state.workloads[name] for name in state.waiting][:WAITING]:
        decision, found, _, _ = ask(state, one.workload, one.model, at, record=one)
        if decision.outcome is Outcome.PLACED or found:
            findings.add(f"{one.id} waits, and there is room for it at {decision.sites}")
        named = state.find(one.workload.name)
        if named is not None and named.live and one.submitted_before(named):
            findings.add(f"{one.id} waits, though {named.id} of that name is newer")
    if pending(state, at):
        findings.add(f"{sorted(state.waiting)} wait, and nobody asks them again")
    if late := overdue(state, at):
        findings.add(f"{[one.id for one in late]} have waited for longer than they would")


def _record_at_rest(record: WorkloadRecord, core: set[str], findings: Findings) -> None:
    """One workload, as far as the sites of the core have to do with it."""
    settled = record.phase in (Phase.RUNNING, Phase.WAITING)
    if record.live and record.workload.inference and not settled and core.issuperset(record.sites):
        findings.add(f"{record.id} is {record.phase}, not running: {record.detail}")
    if record.phase is Phase.STOPPING and core.intersection(record.holding):
        findings.add(f"{record.id} is still being stopped at {record.holding}")
    if record.phase is Phase.RUNNING and core.intersection(record.leaving):
        findings.add(f"{record.id} runs at {record.sites} and has never left {record.leaving}")


def telemetry(
    machine: BrokerMachine, machines: list[AgentMachine], drained: Mapping[str, int], findings: Findings
) -> None:
    """7. Each span that was kept is there once, or a gap stands for it; none is there twice, drained or not.

    `drained`: how many a site had kept when its spool was found to be drained.

    What rots at the end of a spool that a power cut may have torn is lost in silence: that is promised to nobody.
    """
    reader = TelemetryReader(machine.folder)
    try:
        for each in machines:
            counts = reader.counts(each.name)
            gone = sum(gap.to_seq - gap.from_seq + 1 for gap in reader.gaps(each.name))
            least = 0 if each.disk.end_in_doubt else drained.get(each.name, 0)
            if not least <= counts.spans + gone <= each.asked:
                findings.add(
                    f"7: {each.name} kept {least} of {each.asked} spans; {counts.spans} are there, {gone} in gaps"
                )
    finally:
        reader.close()
