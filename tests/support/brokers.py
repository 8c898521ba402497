"""A real broker in a process of its own: started, called over a real socket, killed and started again."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio

from tests.support.until import until
from tidegate.model.session import AgentSays, BrokerSays, Hello
from tidegate.v1 import agents_pb2
from tidegate.v1.agents_pb2_grpc import AgentsStub
from tidegate.wire.channel import CLIENT_OPTIONS
from tidegate.wire.codec import union_from_message, union_to_message


class BrokerProcess:
    """One broker on a directory. Its log lines are in `directory/broker.err`."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.directory = directory
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None
        self.address = ""

    def start(self) -> "BrokerProcess":
        """Returns once it answers calls."""
        ready = self.directory / "ready.json"
        ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", "broker", "--data-dir", str(self.directory / "data")]
        command += ["--listen", "127.0.0.1:0", "--ready-file", str(ready), *self.options]
        with (self.directory / "broker.err").open("ab") as errors:
            self.process = subprocess.Popen(command, stderr=errors)
        until(lambda: ready.exists() or self.process.poll() is not None, 60, "the broker's ready file")
        assert ready.exists(), self.errors()
        self.address = json.loads(ready.read_text())["address"]
        return self

    def errors(self) -> str:
        """What it said."""
        return (self.directory / "broker.err").read_text()

    def kill(self) -> None:
        """SIGKILL: no instruction of it runs any more."""
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait(10)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)

    def channel(self) -> grpc.aio.Channel:
        """A connection of its own."""
        return grpc.aio.insecure_channel(self.address, CLIENT_OPTIONS)


class Attached:
    """An agent's end of the stream, for tests that speak as an agent."""

    def __init__(self, call: Any) -> None:
        self._call = call

    async def say(self, word: Any) -> None:
        """To the broker."""
        await self._call.write(agents_pb2.AttachRequest(says=union_to_message(AgentSays, word)))

    async def hear(self, kind: type) -> Any:
        """The next word of that kind; others before it are passed over."""
        while True:
            word = union_from_message(BrokerSays, (await self._call.read()).says)
            if isinstance(word, kind):
                return word


@asynccontextmanager
async def attached(channel: grpc.aio.Channel, site: str, held: int = 0, **hello: Any) -> AsyncIterator[Attached]:
    """An agent of that site, dialled in."""
    call = AgentsStub(channel).Attach()
    agent = Attached(call)
    await agent.say(Hello(site, "boot-1", held, **hello))
    try:
        yield agent
    finally:
        call.cancel()
