"""A network of its own for a cluster, because Ray listens on every address of the machine it runs on.

Inside: loopback, one end of a veth pair with a link-local address, a default route through the other end (without one,
Ray's search for its own address falls back to 127.0.0.1). Outside: the other end. This machine reaches the cluster by
that address; nobody else does, and the cluster reaches this machine and nothing beyond, since nothing forwards.

Needs root, `ip` (iproute2) and CAP_SYS_ADMIN. Where one of them is missing `create` answers None and says why in the
log; the cluster then listens on this machine's addresses, guarded by its token alone.
"""

import asyncio
import contextlib
import hashlib
import logging
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from tidegate.model.errors import Unavailable

log = logging.getLogger(__name__)

COMMAND_SECONDS = 10.0
RESOLV_CONF = Path("/etc/resolv.conf")
METADATA_ADDRESS = "169.254.169.254"
TRIES = 8
"""How many /30 networks are tried before giving up; each is one of 10,752."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace with one link to this machine."""

    name: str
    outside: str
    """This machine's address on the link."""
    inside: str
    """The cluster's."""

    @property
    def enter(self) -> tuple[str, ...]:
        """What to put in front of a command so that it runs inside."""
        return ("ip", "netns", "exec", self.name)

    async def pids(self) -> set[int]:
        """Every process inside, whoever started it."""
        told = await _ip("netns", "pids", self.name, check=False)
        return {int(word) for word in told.split()}

    async def delete(self) -> None:
        """Remove it and, with it, the link; nothing to do where it is gone."""
        await _ip("netns", "delete", self.name, check=False)


def named(cluster_id: str) -> Namespace:
    """The namespace that `create` makes, or began to make, for a cluster: enough to find its processes and end it."""
    return Namespace(f"tidegate-{cluster_id}", "", "")


async def create(cluster_id: str) -> Namespace | None:
    """A new namespace for a cluster, or None where this machine does not let us make one."""
    why = _missing()
    if why:
        log.warning("the ray cluster runs without a network of its own: %s", why)
        return None
    for attempt in range(TRIES):
        outside, inside = addresses(cluster_id, attempt)
        if f" {outside}/" not in await _ip("-4", "address", "show", check=False):
            break
    space = replace(named(cluster_id), outside=outside, inside=inside)
    link = f"tg{cluster_id[:8]}"
    try:
        await _ip("netns", "add", space.name)
        await _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", space.name)
        await _ip("address", "add", f"{outside}/30", "dev", link)
        await _ip("link", "set", link, "up")
        await _ip("-n", space.name, "link", "set", "lo", "up")
        await _ip("-n", space.name, "address", "add", f"{inside}/30", "dev", "eth0")
        await _ip("-n", space.name, "link", "set", "eth0", "up")
        await _ip("-n", space.name, "route", "add", "default", "via", outside)
        for address in silent_addresses(RESOLV_CONF.read_text() if RESOLV_CONF.exists() else ""):
            await _ip("-n", space.name, "route", "add", "unreachable", address, check=False)
    except Unavailable as error:
        await space.delete()
        log.warning("the ray cluster runs without a network of its own: %s", error)
        return None
    return space


def addresses(cluster_id: str, attempt: int) -> tuple[str, str]:
    """Outside and inside address of a /30 in 169.254.1.0 to 169.254.168.255, below where clouds keep their metadata."""
    number = int.from_bytes(hashlib.sha256(f"{cluster_id}/{attempt}".encode()).digest()[:4], "big") % (168 * 64)
    third, fourth = 1 + number // 64, number % 64 * 4
    return f"169.254.{third}.{fourth + 1}", f"169.254.{third}.{fourth + 2}"


def silent_addresses(resolv_conf: str) -> list[str]:
    """Addresses that would swallow packets in there and so must refuse them: name servers, clouds' metadata.

    Ray asks both while it starts, to find out which cloud it is in; waiting for silence costs a start 10 s.
    """
    words = [line.split() for line in resolv_conf.splitlines() if line.startswith("nameserver")]
    servers = [line[1] for line in words if len(line) > 1 and ":" not in line[1] and not line[1].startswith("127.")]
    return sorted({METADATA_ADDRESS, *servers})


def _missing() -> str:
    if os.geteuid() != 0:
        return "that needs root"
    if shutil.which("ip") is None:
        return "that needs the command ip (iproute2)"
    return ""


async def _ip(*words: str, check: bool = True) -> str:
    """One `ip` command within its deadline. Raises Unavailable where it fails, unless `check` is off."""
    try:
        process = await asyncio.create_subprocess_exec(
            "ip", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
    except OSError as error:
        if check:
            raise Unavailable(f"cannot run ip: {error}") from error
        return ""
    try:
        async with asyncio.timeout(COMMAND_SECONDS):
            told, complaint = await process.communicate()
    except TimeoutError as error:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        raise Unavailable(f"ip {' '.join(words)} took longer than {COMMAND_SECONDS:g} s") from error
    if process.returncode and check:
        raise Unavailable(f"ip {' '.join(words)}: {complaint.decode(errors='replace').strip()}")
    return told.decode()
