"""The processes of one cluster: found by what they carry, ended by number.

Every process that we start for a cluster carries `TIDEGATE_RAY_CLUSTER=<id>` in its environment and leads a session of
its own. Ray's processes inherit both, but some overwrite their environment with a title. So the processes of a cluster
are: those that carry the mark, those in the session of one that does, and those in the cluster's network namespace.
The id is drawn at random for each cluster, so no stranger can be among them, whatever numbers were used again since.

Ray's own stop command is never used: it goes by name and ends every Ray on the machine.
"""

import asyncio
import os
import signal
from collections.abc import Iterable
from pathlib import Path

MARK = "TIDEGATE_RAY_CLUSTER"
_PROC = Path("/proc")
_SESSION_FIELD = 3  # of /proc/PID/stat after the command's closing parenthesis: state, ppid, pgrp, session
_START_FIELD = 19


def marked(cluster_id: str, among: Iterable[int] = ()) -> set[int]:
    """The processes of a cluster that live now; `among` are numbers known to belong to it by other means."""
    wanted = f"{MARK}={cluster_id}".encode()
    found = set(among)
    sessions: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        pid = int(entry.name)
        stat = _stat(pid)
        if stat is None or stat[0] == "Z":
            found.discard(pid)
            continue
        sessions.setdefault(int(stat[_SESSION_FIELD]), []).append(pid)
        if wanted in _environment(pid):
            found.add(pid)
    own = os.getsid(0)
    for session, members in sessions.items():
        if session != own and found.intersection(members):
            found.update(members)
    return found - {os.getpid()}


def started_at(pid: int) -> int:
    """When the process started, in ticks since boot; 0 where there is none. With `pid` it names one for ever."""
    stat = _stat(pid)
    return 0 if stat is None or stat[0] == "Z" else int(stat[_START_FIELD])


async def end_all(cluster_id: str, namespace_pids: Iterable[int] = (), rounds: int = 100) -> set[int]:
    """Kill the processes of a cluster; gives back those that are still there after `rounds` of 50 ms.

    SIGKILL at once: a cluster is taken down when nothing in it matters any more, and what it would do on SIGTERM takes
    10 s.
    """
    left = marked(cluster_id, namespace_pids)
    for _ in range(rounds):
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if not left:
            break
        await asyncio.sleep(0.05)
        left = marked(cluster_id, (pid for pid in left if started_at(pid)))
    return left


def _environment(pid: int) -> tuple[bytes, ...]:
    try:
        return tuple((_PROC / str(pid) / "environ").read_bytes().split(b"\0"))
    except OSError:  # ended meanwhile, or another user's
        return ()


def _stat(pid: int) -> list[str] | None:
    """The fields after the command's name, which may itself hold blanks and parentheses."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()
