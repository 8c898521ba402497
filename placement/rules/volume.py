"""Volume: what has to come in every day fits through the site's uplink. Data that lies at the site needs no link."""

from placement.columns import Mask
from placement.fleet import Fleet
from placement.rules.rule import Plain, SiteRow
from tidegate.model.decision import Miss, Unit
from tidegate.model.workload import Workload


class Volume(Plain):
    """Bytes per day against the link's capacity; an uplink of 0 is not limited."""

    name = "volume"

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): True where the data is there already or the link can carry it."""
        columns, data = fleet.columns, workload.data
        there = columns.location.where(bool(where) and where == data.origin for where in columns.location.values)
        carried = data.bytes_per_day if data.origin else 0
        enough: Mask = there | (columns.uplink == 0) | (columns.uplink >= carried)
        return enough

    def miss(self, workload: Workload, fleet: Fleet, site: SiteRow) -> Miss:
        """What must be carried, and what can be."""
        columns = fleet.columns
        return Miss(
            rule=self.name,
            site=columns.names[site],
            key="site.uplinkBytesPerDay",
            operator="Ge",
            wanted_number=workload.data.bytes_per_day,
            found_number=int(columns.uplink[site]),
            unit=Unit.BYTES_PER_DAY,
        )
