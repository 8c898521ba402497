"""While a history runs, nobody asks the machine for the time, for chance, for a thread or for a socket.

Everything that a daemon knows of these comes through its ports. What slips past them would make two runs of one seed
differ, perhaps once in a thousand; so it is refused the first time. `tests/checks/test_determinism.py` says the same of
the source.
"""

import os
import random
import secrets
import socket
import threading
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

BANNED: tuple[tuple[Any, str], ...] = (
    *((time, name) for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "sleep")),
    *((random, name) for name in ("random", "randint", "randrange", "choice", "choices", "shuffle", "uniform")),
    *((secrets, name) for name in ("token_bytes", "token_hex", "token_urlsafe", "randbelow")),
    *((uuid, name) for name in ("uuid1", "uuid4")),
    (os, "urandom"),
    (socket, "socket"),
    (threading.Thread, "start"),
)


class NotThroughAPort(AssertionError):
    """Something under simulation asked the machine itself."""


@contextmanager
def watched() -> Generator[None]:
    """From here to the end, each of them raises."""
    before = [(where, name, getattr(where, name)) for where, name in BANNED]
    for where, name, _ in before:
        setattr(where, name, _refusing(f"{where.__name__}.{name}"))
    try:
        yield
    finally:
        for where, name, real in before:
            setattr(where, name, real)


def _refusing(name: str) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> Any:
        raise NotThroughAPort(f"{name} was called in a history")

    return refuse
