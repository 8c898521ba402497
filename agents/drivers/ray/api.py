"""Ray's HTTP interface (jobs, packages, nodes) with deadlines of ours.

Ray's own client has no deadlines: a call into a cut link was seen to block for 20 s. Here every call ends within
`DEADLINE_SECONDS` (`UPLOAD_SECONDS` for a package), and each answer is turned into one of three things: a value,
`Unavailable` (no answer, 5xx), `Broken` (the token was not accepted) or `Refused` (4xx). No proxy of the environment
is used.

A submission id that was used before is answered by Ray with 500, not 409; so after a 500 we ask whether the job is
there, which makes `submit` idempotent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from agents.drivers.ray.provider import Cluster
from tidegate.model.errors import Broken, Refused, Unavailable

DEADLINE_SECONDS = 8.0
UPLOAD_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Job:
    """A job as Ray tells it."""

    submission_id: str
    status: str
    """`PENDING`, `RUNNING`, `STOPPED`, `SUCCEEDED` or `FAILED`."""
    message: str
    exit_code: int | None

    @property
    def ended(self) -> bool:
        """Whether Ray will not change it any more."""
        return self.status in ("STOPPED", "SUCCEEDED", "FAILED")


@dataclass(frozen=True, slots=True)
class Node:
    """A member of the cluster."""

    id: str
    alive: bool
    head: bool
    resources: dict[str, float]


class RayApi:
    """One cluster's interface; close it when the cluster is left."""

    def __init__(self, cluster: Cluster, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """`transport` stands in for the network in tests."""
        self.cluster = cluster
        self._http = httpx.AsyncClient(
            base_url=cluster.dashboard_url,
            headers={"authorization": f"Bearer {cluster.token}"},
            timeout=DEADLINE_SECONDS,
            trust_env=False,
            transport=transport,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def version(self) -> str:
        """Ray's version: the first sign of life."""
        return str((await self._json("GET", "/api/version"))["ray_version"])

    async def has_package(self, name: str) -> bool:
        """Whether the cluster holds this package."""
        answer = await self._ask("GET", f"/api/packages/gcs/{name}", absent=True)
        return answer.status_code != httpx.codes.NOT_FOUND

    async def put_package(self, name: str, data: bytes) -> None:
        """Store a package; the same one again does no harm."""
        await self._ask("PUT", f"/api/packages/gcs/{name}", content=data, timeout=UPLOAD_SECONDS)

    async def submit(
        self, submission_id: str, entrypoint: str, runtime_env: Mapping[str, object], metadata: Mapping[str, str]
    ) -> None:
        """Submit a job, once however often it is called."""
        request = {
            "submission_id": submission_id,
            "entrypoint": entrypoint,
            "runtime_env": runtime_env,
            "metadata": metadata,
        }
        try:
            await self._ask("POST", "/api/jobs/", json=request)
        except Unavailable:
            if await self.job(submission_id) is None:
                raise

    async def job(self, submission_id: str) -> Job | None:
        """The job, or None where the cluster does not know it."""
        answer = await self._ask("GET", f"/api/jobs/{submission_id}", absent=True)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return _job({**answer.json(), "submission_id": submission_id})

    async def jobs(self) -> tuple[Job, ...]:
        """All that were ever submitted to this cluster."""
        return tuple(_job(told) for told in await self._json("GET", "/api/jobs/") if told.get("submission_id"))

    async def logs(self, submission_id: str) -> str:
        """All that the job has written so far; empty where it is unknown. Ray's interface knows no offsets."""
        answer = await self._ask("GET", f"/api/jobs/{submission_id}/logs", absent=True)
        return "" if answer.status_code == httpx.codes.NOT_FOUND else str(answer.json()["logs"] or "")

    async def stop(self, submission_id: str) -> None:
        """Ask a job to end: SIGTERM, then SIGKILL after the grace it was submitted with."""
        await self._ask("POST", f"/api/jobs/{submission_id}/stop", absent=True)

    async def nodes(self) -> tuple[Node, ...]:
        """The members that the cluster knows, dead ones included."""
        told = await self._json("GET", "/api/v0/nodes")
        return tuple(
            Node(row["node_id"], row["state"] == "ALIVE", bool(row["is_head_node"]), dict(row["resources_total"] or {}))
            for row in told["data"]["result"]["result"]
        )

    async def _json(self, method: str, path: str) -> Any:
        return (await self._ask(method, path)).json()

    async def _ask(self, method: str, path: str, *, absent: bool = False, **request: Any) -> httpx.Response:
        """One call. With `absent`, 404 is an answer."""
        try:
            answer = await self._http.request(method, path, **request)
        except httpx.TransportError as error:
            raise Unavailable(f"the ray cluster does not answer {method} {path}: {error!r}") from error
        code = answer.status_code
        if answer.is_success or (absent and code == httpx.codes.NOT_FOUND):
            return answer
        said = f"the ray cluster answers {code} to {method} {path}: {answer.text[-500:]}"
        if code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise Broken(said)
        if answer.is_server_error:
            raise Unavailable(said)
        raise Refused(said)


def _job(told: Mapping[str, Any]) -> Job:
    code = told.get("driver_exit_code")
    message = str(told.get("message") or "")
    return Job(str(told["submission_id"]), str(told["status"]), message, None if code is None else int(code))
