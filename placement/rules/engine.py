"""Engine: the site runs something that can run this kind of work."""

from placement.columns import Mask
from placement.fleet import Fleet
from placement.rules.rule import Plain, SiteRow
from tidegate.model.decision import Miss
from tidegate.model.site import Engine
from tidegate.model.workload import Workload, WorkloadKind

RUNS: dict[WorkloadKind, tuple[Engine, ...]] = {
    WorkloadKind.TRAINING_JOB: (Engine.RAY,),
    WorkloadKind.INFERENCE_SERVICE: (Engine.PROCESS, Engine.KUBERNETES),
}


class EngineRule(Plain):
    """Training needs Ray; inference needs a model server process or Kubernetes."""

    name = "engine"

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): True where any engine of the site runs this kind."""
        wanted = frozenset(RUNS[workload.kind])
        engines = fleet.columns.engines
        return engines.where(bool(wanted.intersection(there)) for there in engines.values)

    def miss(self, workload: Workload, fleet: Fleet, site: SiteRow) -> Miss:
        """The engines that would do, and those that are there."""
        columns = fleet.columns
        found = tuple(engine.value for engine in columns.sites[site].engines)
        wanted = tuple(engine.value for engine in RUNS[workload.kind])
        return Miss(self.name, columns.names[site], "site.engines", "ContainsAny", wanted=wanted, found=found)
