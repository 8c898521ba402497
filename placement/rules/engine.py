"""Engine: the site runs something that can run this kind of work."""

from collections.abc import Hashable

from placement.fleet.columns import Mask, Numbers
from placement.fleet.fleet import Fleet
from placement.rules.rule import Findings, Plain
from tidegate.model.decision import Kind, Lack
from tidegate.model.site import Engine
from tidegate.model.workload import Workload, WorkloadKind

RUNS: dict[WorkloadKind, tuple[Engine, ...]] = {
    WorkloadKind.TRAINING_JOB: (Engine.RAY,),
    WorkloadKind.INFERENCE_SERVICE: (Engine.PROCESS, Engine.KUBERNETES),
}


class EngineRule(Plain):
    """Training needs Ray; inference needs a model server process or Kubernetes."""

    name = "engine"
    kind = Kind.REACH

    def asks(self, workload: Workload) -> Hashable:
        """The kind of work."""
        return workload.kind

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): True where any engine of the site runs this kind."""
        wanted = frozenset(RUNS[workload.kind])
        engines = fleet.columns.engines
        return engines.where(bool(wanted.intersection(there)) for there in engines.values)

    def findings(self, workload: Workload, fleet: Fleet, refused: Numbers) -> Findings:
        """The engines that would do, and those that are there."""
        engines = fleet.columns.engines
        wanted = tuple(engine.value for engine in RUNS[workload.kind])
        lacks = tuple(
            Lack("site.engines", "ContainsAny", wanted, tuple(engine.value for engine in there))
            for there in engines.values
        )
        return Findings(lacks, codes=engines.codes[refused])
