"""What must hold, and what was found not to. Numbers name the invariants of DESIGN, section 6.

While a history runs: the core's own invariants after each durable turn (1, 3, 4, 5); generations and stops at each
agent (4, 5). At its end, all faults mended and the fleet left alone for a while: acknowledgements against the log (2),
the fold against the live state and every decision decided again (6), telemetry (7), desired against held and run, and
every refusal's list (8).
"""

from collections import Counter

from broker.core import freeze
from broker.core.again import Again
from broker.core.invariants import violations
from broker.core.state import State
from broker.log.record import Head, first_damage
from broker.runtime.history import to_recorded
from broker.telemetry.finding import TelemetryReader
from tests.simulation.agent import AgentMachine, AgentProcess
from tests.simulation.broker import BrokerMachine
from tests.simulation.people import History
from tidegate.model.assignment import Phase
from tidegate.model.decision import Outcome
from tidegate.model.event import Event, WorkloadDecided, WorkloadQueued
from tidegate.model.workload import WorkloadKind

MOST_KEPT = 20


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
    for row in machine.log.rows:
        key = getattr(to_recorded(row).event, "key", "")
        if key:
            keys[key] += 1
    for key, times in keys.items():
        if times > 1:
            findings.add(f"2: {key} was carried out {times} times")
    for asked in history.asked:
        if asked.otherwise:
            findings.add(f"2: {asked.key} was answered {asked.acknowledged}, then {asked.otherwise}")
        if asked.refused and keys[asked.key]:
            findings.add(f"2: {asked.key} was refused ({asked.refused}) and is in the log")
    submitted = {asked.acknowledged: asked.key for asked in history.asked if asked.verb == "submit"}
    offsets = {row.offset for row in machine.log.rows}
    for workload_id, key in submitted.items():
        if workload_id and int(workload_id[1:]) not in offsets:
            findings.add(f"2: {key} was acknowledged as {workload_id}, which is not in the log")


def replayed(machine: BrokerMachine, live: State, findings: Findings) -> None:
    """6. The log's chain holds, its fold is the live state, and every decision is made again to the byte."""
    damage = first_damage(Head(), machine.log.rows)
    if damage is not None:
        findings.add(f"the log is damaged at {damage.offset}: {damage.because}")
    fold, again = State(), Again()
    for row in machine.log.rows:
        recorded = to_recorded(row)
        _decide_again(fold, recorded.event, again, findings)
        fold.apply(recorded)
    if freeze.freeze(fold) != freeze.freeze(live):
        findings.add("6: the fold of the log is not the live state")


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


def at_rest(state: State, machines: list[AgentMachine], agents: dict[str, AgentProcess], findings: Findings) -> None:
    """Every site holds what it should, and runs it: nothing is left undone once the world is whole."""
    for machine in machines:
        site, desired = agents[machine.name].site, state.sites[machine.name].desired
        if site is None:
            findings.add(f"{machine.name} did not come up")
            continue
        held = {key: each.generation for key, each in site.held.assignments.items()}
        wanted = {key: each.generation for key, each in desired.items()}
        if held != wanted:
            findings.add(f"{machine.name} holds {held}, should hold {wanted}")
        extra = set(machine.engine.work) - set(wanted)
        if extra:
            findings.add(f"{machine.name} still runs {sorted(extra)}")
    for record in state.workloads.values():
        if record.live and record.workload.kind is WorkloadKind.INFERENCE_SERVICE and record.phase is not Phase.RUNNING:
            findings.add(f"{record.id} is {record.phase}, not running: {record.detail}")
        if record.phase is Phase.STOPPING:
            findings.add(f"{record.id} is still being stopped at {record.holding}")
        if record.phase is Phase.RUNNING and record.leaving:
            findings.add(f"{record.id} runs at {record.sites} and has never left {record.leaving}")


def telemetry(machine: BrokerMachine, machines: list[AgentMachine], findings: Findings) -> None:
    """7. Each span that was kept is there once, or a gap stands for it."""
    reader = TelemetryReader(machine.folder)
    try:
        for each in machines:
            counts = reader.counts(each.name)
            gone = sum(gap.to_seq - gap.from_seq + 1 for gap in reader.gaps(each.name))
            if not each.kept <= counts.spans + gone <= each.asked:
                findings.add(
                    f"7: {each.name} kept {each.kept} of {each.asked} spans; {counts.spans} are there, {gone} in gaps"
                )
    finally:
        reader.close()
