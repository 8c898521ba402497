"""Volume: what has to come in every day fits through the site's uplink. Data that lies at the site needs no link."""

from collections.abc import Hashable

from placement.columns import Mask, Numbers
from placement.fleet import Fleet
from placement.rules.rule import Findings, Plain
from tidegate.model.decision import Kind, Lack, Unit
from tidegate.model.workload import Workload


class Volume(Plain):
    """Bytes per day against the link's capacity; an uplink of 0 is not limited."""

    name = "volume"
    kind = Kind.REACH

    def asks(self, workload: Workload) -> Hashable:
        """How much has to come, and from where."""
        return (workload.data.origin, workload.data.bytes_per_day)

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): True where the data is there already or the link can carry it."""
        columns, data = fleet.columns, workload.data
        there = columns.location.where(bool(where) and where == data.origin for where in columns.location.values)
        carried = data.bytes_per_day if data.origin else 0
        enough: Mask = there | (columns.uplink == 0) | (columns.uplink >= carried)
        return enough

    def findings(self, workload: Workload, fleet: Fleet, refused: Numbers) -> Findings:
        """What must be carried, and what can be."""
        carried = workload.data.bytes_per_day
        lack = Lack("site.uplinkBytesPerDay", "Ge", wanted_number=carried, unit=Unit.BYTES_PER_DAY)
        return Findings((lack,), numbers=fleet.columns.uplink[refused])
