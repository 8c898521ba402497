"""What waits, by class: the same question need be asked once, however many ask it.

Two waiting workloads are of one class where nothing that placement looks at tells them apart (all but their names). A
class that found no room finds none until something comes free, so a turn asks the first of each class and no more; who
of a class is first was decided by who began to wait first.

Derived from the state and never stored; `tried` remembers questions, and what it remembers never changes an answer.
"""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from placement.quota.coverage import RANK

if TYPE_CHECKING:
    from broker.core.records import WorkloadRecord


@dataclass(slots=True)
class Queues:
    """Waiting workloads by class, each in the order in which they began to wait."""

    classes: dict[str, dict[str, None]] = field(default_factory=dict)
    of: dict[str, str] = field(default_factory=dict)
    """Each workload's class."""
    named: dict[str, dict[str, None]] = field(default_factory=dict)
    """Waiting workloads by name: for a moment there may be several versions of a service."""
    tried: dict[str, int] = field(default_factory=dict)
    """By class, the state's `freed` when it was last asked in vain."""
    done: int = -1
    """The `freed` for which every class was asked."""
    month: str = ""
    """In which that was: a new month has new budgets."""

    def add(self, record: "WorkloadRecord") -> None:
        """One that begins to wait."""
        self.remove(record)
        name = _class(record)
        self.of[record.id] = name
        self.classes.setdefault(name, {})[record.id] = None
        self.named.setdefault(record.workload.name, {})[record.id] = None
        self.done = -1

    def remove(self, record: "WorkloadRecord") -> None:
        """One that waits no more; nothing happens where it did not."""
        workload_id = record.id
        name = self.of.pop(workload_id, None)
        if name is None:
            return
        alike = self.named[record.workload.name]
        del alike[workload_id]
        if not alike:
            del self.named[record.workload.name]
        del self.classes[name][workload_id]
        if not self.classes[name]:
            del self.classes[name]
            self.tried.pop(name, None)

    def heads(self) -> list[str]:
        """The first of each class."""
        return [next(iter(members)) for members in self.classes.values()]


def _class(record: "WorkloadRecord") -> str:
    """What placement asks of it, in words: equal for two that only differ in their names."""
    digest = record.model.artifact.digest if record.model else ""
    workload = replace(record.workload, name="", wait=None)
    return repr((RANK[workload.importance], workload.team, digest, workload))
