"""The gRPC server: every service behind one doorway, with health and reflection, on one address."""

from dataclasses import dataclass
from typing import Any

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from broker.rpc.agents import Agents
from broker.rpc.artifacts import Artifacts
from broker.rpc.events import Events
from broker.rpc.fleet import Fleet
from broker.rpc.interceptors import Doorway
from broker.rpc.law import Law
from broker.rpc.traces import Traces
from broker.rpc.workloads import Workloads
from broker.telemetry.otlp import Recorder, trace_service
from tidegate.model.errors import Unavailable
from tidegate.v1 import agents_pb2, artifacts_pb2, events_pb2, fleet_pb2, impact_pb2, traces_pb2, workloads_pb2
from tidegate.v1.agents_pb2_grpc import add_AgentsServicer_to_server
from tidegate.v1.artifacts_pb2_grpc import add_ArtifactsServicer_to_server
from tidegate.v1.events_pb2_grpc import add_EventsServicer_to_server
from tidegate.v1.fleet_pb2_grpc import add_FleetServicer_to_server
from tidegate.v1.impact_pb2_grpc import add_LawServicer_to_server
from tidegate.v1.traces_pb2_grpc import add_TracesServicer_to_server
from tidegate.v1.workloads_pb2_grpc import add_WorkloadsServicer_to_server
from tidegate.wire.channel import SERVER_OPTIONS

_FILES: tuple[Any, ...] = (
    workloads_pb2,
    fleet_pb2,
    agents_pb2,
    artifacts_pb2,
    events_pb2,
    traces_pb2,
    impact_pb2,
    trace_service_pb2,
)


@dataclass(frozen=True, slots=True)
class Servicers:
    """The project's own services."""

    workloads: Workloads
    fleet: Fleet
    agents: Agents
    artifacts: Artifacts
    events: Events
    traces: Traces
    law: Law

    def register(self, server: Any) -> None:
        """Give all of them to a server."""
        add_WorkloadsServicer_to_server(self.workloads, server)
        add_FleetServicer_to_server(self.fleet, server)
        add_AgentsServicer_to_server(self.agents, server)
        add_ArtifactsServicer_to_server(self.artifacts, server)
        add_EventsServicer_to_server(self.events, server)
        add_TracesServicer_to_server(self.traces, server)
        add_LawServicer_to_server(self.law, server)


class Server:
    """The listener and its services."""

    def __init__(self, doorway: Doorway, servicers: Servicers, recorder: Recorder) -> None:
        self._health = health.aio.HealthServicer()
        self._server = grpc.aio.server(interceptors=(doorway,), options=SERVER_OPTIONS)
        server: Any = self._server
        servicers.register(server)
        server.add_generic_rpc_handlers((trace_service(recorder),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = [service.full_name for file in _FILES for service in file.DESCRIPTOR.services_by_name.values()]
        reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
        self._names = names

    async def start(self, listen: str) -> str:
        """Listen; the address as clients dial it, with the port that was given. Unavailable where it is taken."""
        try:
            port = self._server.add_insecure_port(listen)
        except RuntimeError as error:
            raise Unavailable(f"cannot listen: {error}", field="--listen", found=listen) from error
        await self._server.start()
        for name in ("", *self._names):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return listen if listen.startswith("unix:") else f"{listen.rpartition(':')[0]}:{port}"

    async def stop(self, grace_s: float) -> None:
        """No new calls; those under way have `grace_s` to end."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)
