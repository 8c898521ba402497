"""Where services answer, remembered: resolved once through the broker, used until none of them answers."""

from tidegate.model.assignment import Phase
from tidegate.model.errors import Refused, Unavailable
from tidegate.model.event import WorkloadView

SCHEMES = {"http": "http://", "unix": "unix:"}
"""Protocols that the SDK speaks, best first for a caller that may be elsewhere, with how each is written."""

ENDED = frozenset(phase.value for phase in Phase if phase.ended)


class Endpoints:
    """Addresses by service name. The broker may be gone while they are good."""

    def __init__(self) -> None:
        self._known: dict[str, list[str]] = {}
        self._sites: dict[str, str] = {}

    def of(self, service: str) -> list[str]:
        """Addresses learned before; empty where there are none."""
        return self._known.get(service, [])

    def site_of(self, address: str) -> str:
        """The site that an address learned before belongs to; empty where it was never learned."""
        return self._sites.get(address, "")

    def learn(self, service: str, view: WorkloadView) -> list[str]:
        """The addresses in a workload's view, one per site and protocol. Raises where it does not serve."""
        if view.workload.inference is None:
            raise Refused("is not an inference service", field="service", found=service)
        found = [
            scheme + endpoint.address
            for protocol, scheme in SCHEMES.items()
            for status in view.statuses.values()
            for endpoint in status.endpoints
            if endpoint.protocol == protocol
        ]
        if not found and view.phase in ENDED:
            raise Refused(f"{service} has ended", field="service", found=f"phase {view.phase}")
        if not found:
            raise Unavailable(f"{service} does not serve yet", field="service", found=f"phase {view.phase}")
        self._known[service] = found
        self._sites |= {
            SCHEMES[endpoint.protocol] + endpoint.address: site
            for site, status in view.statuses.items()
            for endpoint in status.endpoints
            if endpoint.protocol in SCHEMES
        }
        return found
