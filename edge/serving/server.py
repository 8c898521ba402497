"""The life of a model server: load, listen, tell, serve, drain, end.

1. Open the spool and load every model; anything wrong ends the start, since half a server would look like a whole one.
2. Bind all listeners, then write the ready file: whoever reads it can call.
3. Serve. SIGHUP reads the configuration again and swaps the models that differ; a failed load leaves the old one.
4. SIGTERM or SIGINT: say not ready, stop accepting, answer what is inside (at most `drain_seconds`), flush the spool.

It leads a session of its own, so that what ends an agent's session does not end it: silence never stops work.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import uvicorn

from agents.spool import GroupCommit, Limits, RealFiles, SpoolWriter
from edge.serving import ready, rpc
from edge.serving.clock import SystemClock, random_bytes
from edge.serving.config import ServingConfig, host_and_port
from edge.serving.prediction import Origin
from edge.serving.protocol import BoundedProtocol
from edge.serving.recorder import NoRecorder, Recorder, SpoolRecorder
from edge.serving.repository import Repository
from edge.serving.rest import RestApp
from edge.serving.service import Service
from tidegate.model.errors import Broken, TidegateError, Unavailable

SERVER_NAME = "tidegate"
BACKLOG = 1024
KEEP_ALIVE_SECONDS = 75

log = logging.getLogger(__name__)


class Server:
    """One model server. `run` is its whole life."""

    def __init__(self, config: ServingConfig, reread: Callable[[], ServingConfig]) -> None:
        """`reread` gives the configuration as it stands now, for SIGHUP."""
        self._config = config
        self._reread = reread
        self._stopping = asyncio.Event()
        self._broken: Broken | None = None
        self._addresses = {"http": "", "grpc": "", "unix": ""}
        self._listening = False
        self._reloading: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Returns after a clean end. Raises Refused or Unavailable when it cannot start, Broken when it must end."""
        config = self._config
        with contextlib.suppress(PermissionError):
            os.setsid()  # denied to a process group's leader, such as one that was started from a shell
        if config.insecure_listen:
            log.warning(
                "listening without access control, as --insecure-listen says: anyone who reaches it may call it"
            )
        clock = SystemClock()
        recorder = self._recorder()
        repository = Repository(
            service=config.service,
            providers=config.providers,
            threads=config.intra_op_threads,
            warmup_runs=config.warmup_runs,
            clock=clock,
            chance=random_bytes,
            on_load=recorder.note,
            on_change=self._tell,
            largest_input=config.max_request_bytes,
        )
        self._repository = repository
        service = Service(
            repository,
            recorder,
            clock,
            random_bytes,
            max_concurrent=config.max_concurrent,
            parallel_runs=config.parallel_runs,
        )
        try:
            for source in config.models:
                await repository.load(source)
            await self._serve(service)
        finally:
            service.close()
            await recorder.close()
        if self._broken is not None:
            raise self._broken

    async def _serve(self, service: Service) -> None:
        config = self._config
        listeners: list[_Listener] = []
        grpc_server = None
        with contextlib.ExitStack() as held:
            if config.http:
                bound = _bind_tcp(config.http)
                self._addresses["http"] = _address(config.http, bound.getsockname()[1])
                listeners.append(self._listener(service, bound, local=False))
            if config.unix:
                bound = held.enter_context(_unix_socket(config.unix))
                self._addresses["unix"] = config.unix
                listeners.append(self._listener(service, bound, local=True))
            if config.grpc:
                grpc_server = rpc.listen(service, SERVER_NAME, _version(), config.max_request_bytes)
                try:
                    port = grpc_server.add_insecure_port(config.grpc)
                except RuntimeError as error:
                    raise Unavailable(f"cannot listen: {error}", field="grpc", found=config.grpc) from error
                self._addresses["grpc"] = _address(config.grpc, port)
                await grpc_server.start()
            serving = [asyncio.create_task(listener.serve()) for listener in listeners]
            for listener in listeners:
                await listener.up.wait()
            self._hear_signals()
            self._listening = True
            self._tell()
            log.info("ready: %s", ", ".join(f"{kind} {where}" for kind, where in self._addresses.items() if where))
            await self._stopping.wait()
            log.info("draining")
            self._listening = False
            service.draining = True
            for listener in listeners:
                listener.should_exit = True
            if grpc_server is not None:
                await grpc_server.stop(config.drain_seconds)
            await asyncio.gather(*serving)
        if config.ready_file:
            ready.remove(Path(config.ready_file))

    def _recorder(self) -> Recorder:
        config = self._config
        if not config.spool:
            return NoRecorder()
        limits = Limits(max_bytes=config.spool_max_bytes, segment_bytes=min(4 * 2**20, config.spool_max_bytes // 8))
        writer = SpoolWriter(RealFiles(), config.spool, config.stream, limits)
        origin = Origin(config.site, config.service)
        return SpoolRecorder(GroupCommit(writer), origin, config.audit, config.sample_every, self._end)

    def _listener(self, service: Service, bound: socket.socket, *, local: bool) -> "_Listener":
        config = self._config
        app = RestApp(service, SERVER_NAME, _version(), config.max_request_bytes, local=local)
        return _Listener(app, bound, config.drain_seconds)

    def _hear_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._start_reload)

    def _start_reload(self) -> None:
        if self._reloading is None or self._reloading.done():
            self._reloading = asyncio.create_task(self._reload())

    async def _reload(self) -> None:
        """Swap the models whose entry in the configuration differs from what is served."""
        try:
            sources = self._reread().models
        except TidegateError as error:
            log.error("the configuration was not read again: %s", error)
            return
        for source in sources:
            serving = self._repository.models.get(source.name)
            if serving is not None and serving.source == source:
                continue
            try:
                await self._repository.load(source)
            except TidegateError as error:
                log.error("%s was not loaded, what was served before goes on: %s", source.name, error)

    def _tell(self) -> None:
        if self._listening and self._config.ready_file:
            ready.write(
                Path(self._config.ready_file), self._config.service, self._addresses, self._repository.models.values()
            )

    def _end(self, error: Broken) -> None:
        log.critical("the spool is broken, ending: %s", error)
        self._broken = error
        self._stopping.set()


class _Listener(uvicorn.Server):
    """Uvicorn on one bound socket, without its signal handlers, and telling when it accepts."""

    def __init__(self, app: RestApp, bound: socket.socket, drain_seconds: int) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=BoundedProtocol,
                ws="none",
                interface="asgi3",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                date_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=drain_seconds,
            )
        )
        self._bound = bound
        self.up = asyncio.Event()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        await super().serve([self._bound])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _bind_tcp(address: str) -> socket.socket:
    host, port = host_and_port(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise Unavailable(f"cannot listen: {error.strerror}", field="http", found=address) from error


def _address(wanted: str, port: int) -> str:
    return f"{wanted.rpartition(':')[0]}:{port}"


@contextlib.contextmanager
def _unix_socket(path: str) -> Iterator[socket.socket]:
    """A listening socket that only this user can open. What a killed server left there is taken away."""
    _clear_stale(path)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        before = os.umask(0o177)
        try:
            bound.bind(path)
        finally:
            os.umask(before)
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise Unavailable(f"cannot listen: {error.strerror}", field="unix", found=path) from error
    try:
        yield bound
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(path).unlink()


def _clear_stale(path: str) -> None:
    try:
        if not stat.S_ISSOCK(Path(path).stat().st_mode):
            raise Unavailable("something else is there", field="unix", found=path, wanted="a free name")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        try:
            caller.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink()
            return
    raise Unavailable("another server listens there", field="unix", found=path, wanted="a free name")


def _version() -> str:
    try:
        return version("tidegate")
    except PackageNotFoundError:
        return "0"
