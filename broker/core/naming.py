"""Whose a name is: the newest service's of that name that lives, or that lived last.

A new version takes the name where it is placed, and the old one goes on until the new one runs. Where the new one ends
first (it was cancelled, or a newer one took its place while it waited), the name is the old one's again; where none is
left, it is the one's that waits. So what goes on or will come can always be found, superseded and stopped by its name.
A newer version that is not refused takes the place of all that wait. Part of `State.apply`, and by itself no writer.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from broker.core.records import WorkloadRecord
    from broker.core.state import State


def take_name(state: "State", record: "WorkloadRecord", placed: bool) -> "WorkloadRecord":
    """Once it is decided: it has the name where nobody else lives by it, or where it is to supersede who does."""
    named = state.find(record.workload.name)
    if named is None or not named.live or named.id == record.id:
        state.names[record.workload.name] = record.id
    elif placed and named.submitted_before(record):
        state.names[record.workload.name] = record.id
        return replace(record, supersedes=named.id)
    return record


def give_back(state: "State", workload_id: str) -> None:
    """Where this one no longer lives, its name is that of the newest before it that does, or of one that waits."""
    record = state.workloads.get(workload_id)
    if record is None or record.phase is None or record.live or state.names.get(record.workload.name) != workload_id:
        return
    name = record.workload.name
    older = next((one for one in versions_before(state, record) if one.live), None)
    waiting = (state.workloads[one] for one in state.queues.named.get(name, ()))
    heir = older or max(waiting, key=lambda one: one.submitted_offset, default=None)
    if heir is not None:
        state.names[name] = heir.id


def versions_before(state: "State", record: "WorkloadRecord") -> Iterator["WorkloadRecord"]:
    """What it superseded, and what that one never came to supersede; the newest first."""
    older = state.workloads.get(record.supersedes)
    while older is not None:
        yield older
        older = state.workloads.get(older.supersedes)
