"""A wire between the broker's machine and a device's, of two kinds, that can be cut both ways, one way, or made slow.

`Namespace`: a network namespace with a cable (veth) to this one, cut by nftables. The kernels notice nothing: packets
stop, connections stay half open, and what was under way is sent again when the wire heals. It needs root, `ip` and
`nft`; `Namespace.missing()` says what is not there.

`Pipe`: a relay in user space that stops carrying, for machines without. Connections stay half open as well; what is
stuck in it when it heals is lost with its connection, as where a box in the middle has forgotten it.
"""

import asyncio
import contextlib
import itertools
import os
import shutil
import subprocess
import threading
from collections.abc import Coroutine
from enum import StrEnum
from typing import Any

_NUMBERS = itertools.count(os.getpid() % 200)
PIECE = 65_536


class Cut(StrEnum):
    """What no longer comes through."""

    BOTH = "both ways"
    TO_BROKER = "to the broker"
    FROM_BROKER = "from the broker"


class Namespace:
    """A machine of its own, seen from the network."""

    listen = ""
    """Where the broker is to listen, without the port."""

    def __init__(self) -> None:
        number = next(_NUMBERS) % 250
        self.name, near, far = f"tg{os.getpid()}n{number}", f"tgh{number}", f"tgd{number}"
        self.listen = f"10.213.{number}.1"
        self._near, self._far = near, far
        _run("ip", "netns", "add", self.name)
        try:
            _run("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", self.name)
            _run("ip", "addr", "add", f"{self.listen}/24", "dev", near)
            _run("ip", "link", "set", near, "up")
            self._inside("ip", "addr", "add", f"10.213.{number}.2/24", "dev", far)
            for device in ("lo", far):
                self._inside("ip", "link", "set", device, "up")
        except BaseException:
            self.close()
            raise

    @staticmethod
    def missing() -> str:
        """Why there can be none here; empty where there can."""
        if os.geteuid() != 0:
            return "network namespaces need root"
        absent = [tool for tool in ("ip", "nft", "tc") if shutil.which(tool, path=_PATH) is None]
        if absent:
            return f"{', '.join(absent)} not installed (Debian: iproute2, nftables)"
        probe = subprocess.run(["unshare", "-n", "nft", "list", "tables"], capture_output=True, text=True, check=False)
        return f"namespaces or nftables do not work here: {probe.stderr.strip()}" if probe.returncode else ""

    def dial(self, broker: str) -> str:
        """Where the device reaches the broker."""
        return broker

    def command(self, command: list[str]) -> list[str]:
        """The same, run on the device's machine."""
        return ["ip", "netns", "exec", self.name, *command]

    def cut(self, what: Cut) -> None:
        hooks = {Cut.BOTH: ("input", "output"), Cut.TO_BROKER: ("output",), Cut.FROM_BROKER: ("input",)}[what]
        rules = ["add table inet cut"]
        for hook in hooks:
            side = "oifname" if hook == "output" else "iifname"
            rules.append(f"add chain inet cut {hook} {{ type filter hook {hook} priority 0; }}")
            rules.append(f"add rule inet cut {hook} {side} {self._far} drop")
        self._inside("nft", "; ".join(rules))

    def slow(self, kbit_s: int) -> None:
        """What either side sends takes its time, behind two seconds of what was sent before it; the rest is dropped."""
        tbf = ("root", "tbf", "rate", f"{kbit_s}kbit", "burst", "4kb", "latency", "2000ms")
        self._inside("tc", "qdisc", "replace", "dev", self._far, *tbf)
        _run("tc", "qdisc", "replace", "dev", self._near, *tbf)

    def heal(self) -> None:
        inside, root = ["ip", "netns", "exec", self.name], ["tc", "qdisc", "del", "root", "dev"]
        for command in ([*inside, "nft", "delete table inet cut"], [*inside, *root, self._far], [*root, self._near]):
            subprocess.run(command, capture_output=True, check=False, env=os.environ | {"PATH": _PATH})

    def close(self) -> None:
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, check=False)

    def _inside(self, *command: str) -> None:
        _run(*self.command(list(command)))


_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"PATH": _PATH})
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


class Pipe:
    """A relay on loopback."""

    listen = "127.0.0.1"

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="pipe", daemon=True)
        self._thread.start()
        self._target = ("", 0)
        self._flows = {Cut.TO_BROKER: asyncio.Event(), Cut.FROM_BROKER: asyncio.Event()}
        self._kbit_s = 0
        self._never = asyncio.Event()
        self._open: set[asyncio.StreamWriter] = set()
        for flow in self._flows.values():
            flow.set()
        self._port = self._do(self._serve())

    @staticmethod
    def missing() -> str:
        return ""

    def dial(self, broker: str) -> str:
        host, _, port = broker.rpartition(":")
        self._target = (host, int(port))
        return f"127.0.0.1:{self._port}"

    def command(self, command: list[str]) -> list[str]:
        return command

    def cut(self, what: Cut) -> None:
        for way in self._flows if what is Cut.BOTH else (what,):
            self._loop.call_soon_threadsafe(self._flows[way].clear)

    def slow(self, kbit_s: int) -> None:
        self._kbit_s = kbit_s

    def heal(self) -> None:
        self._kbit_s = 0
        self._do(self._healed())

    def close(self) -> None:
        self._do(self._ended())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _serve(self) -> int:
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        return int(server.sockets[0].getsockname()[1])

    async def _healed(self) -> None:
        if not all(flow.is_set() for flow in self._flows.values()):
            for writer in self._open:
                writer.transport.abort()
        for flow in self._flows.values():
            flow.set()

    async def _ended(self) -> None:
        carrying = asyncio.all_tasks() - {asyncio.current_task()}
        for task in carrying:
            task.cancel()
        await asyncio.gather(*carrying, return_exceptions=True)

    async def _carry(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        await self._flows[Cut.TO_BROKER].wait()  # as a dial whose first packet is lost
        try:
            far, forth = await asyncio.open_connection(*self._target)
        except OSError:
            back.close()
            return
        self._open |= {back, forth}
        try:
            await asyncio.gather(self._pump(near, forth, Cut.TO_BROKER), self._pump(far, back, Cut.FROM_BROKER))
        except OSError:
            pass  # one end is gone, and so is the other
        finally:
            for writer in (back, forth):
                self._open.discard(writer)
                writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Cut) -> None:
        while piece := await reader.read(PIECE if not self._kbit_s else 512):
            await self._flows[way].wait()
            if self._kbit_s:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(len(piece) * 8 / 1_000 / self._kbit_s):
                        await self._never.wait()
            writer.write(piece)
            await writer.drain()
        writer.close()
