"""What must always hold of the state. Checked after every event in tests and simulation; a finding is a bug of ours.

Numbers are of the list in DESIGN, section 6. What cannot be seen on one state (no acknowledged command lost, nothing
applied twice, replay equal to live) is held by tests on the loop and the log.
"""

from broker.core.state import State
from tidegate.model.assignment import Phase


def violations(state: State) -> list[str]:
    """Everything that does not hold, in words for a test's failure. Empty for a sound state."""
    return [*_capacity(state), *_decisions(state), *_generations(state), *_phases(state)]


def _capacity(state: State) -> list[str]:
    """3. What is held is assigned, what is assigned is held, and no unit gives more than it has."""
    assigned = {f"{workload_id}@{name}" for name, site in state.sites.items() for workload_id in site.desired}
    found = [f"3: {holder} is held or assigned, not both" for holder in sorted(assigned ^ set(state.fleet.holdings))]
    columns = state.fleet.columns
    if len(columns.unit_offer):
        used = columns.unit_offer >= 0
        short = used & ((columns.unit_gpus < 0) | (columns.unit_cpus < 0) | (columns.unit_memory < 0))
        found += [f"3: {columns.offers[columns.unit_offer[row]].name} is overcommitted" for row in short.nonzero()[0]]
    return found


def _decisions(state: State) -> list[str]:
    """4. A live workload stands where its decision in force says, and only there beside what is leaving."""
    found = []
    for record in state.workloads.without(state.ended):
        if not record.live or (record.phase is Phase.WAITING and not record.sites):
            continue
        if record.decision is None or record.decision.sites != record.sites:
            found.append(f"4: {record.id} has a decision that is not in force")
        found += [
            f"4: {record.id} is not assigned at {s}" for s in record.sites if record.id not in state.sites[s].desired
        ]
    return found


def _generations(state: State) -> list[str]:
    """4. No assignment is newer than its site's generation, and none of both is newer than the log."""
    found = []
    for name, site in state.sites.items():
        newest = max((a.generation for a in site.desired.values()), default=0)
        if not newest <= site.generation <= state.offset:
            found.append(f"4: {name} has assignments of {newest}, generation {site.generation}, offset {state.offset}")
    return found


def _phases(state: State) -> list[str]:
    """5. Nothing that has ended is assigned, and what is being stopped waits for someone."""
    found = []
    for name, site in state.sites.items():
        for workload_id in site.desired:
            if not state.workloads[workload_id].live:
                found.append(f"5: {workload_id} has ended or is being stopped, and is assigned at {name}")
    for record in state.workloads.without(state.ended):
        if record.phase is Phase.STOPPING and not record.holding:
            found.append(f"5: {record.id} is being stopped and waits for nobody")
    return found
