"""Arguments: every verb of `tidegate`, and the flags of the broker's and the agents' daemons.

No broker answers. A verb must end with one of its exit codes, or be refused; the verbs that start machines are left
out. One argument stands on a line.
"""

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from agents.config import parse as agent_flags
from broker.config import parse as broker_flags
from tests.fuzzing.target import Target
from tidegate.cli import main as cli
from tidegate.client.client import Client
from tidegate.model.errors import Refused, Unavailable

STARTING = {"up", "demo", "watch"}
CODES = {0, cli.REFUSED_DECISION, cli.BAD_REQUEST, cli.UNREACHABLE}
MANY = 64


def command_line(data: bytes) -> None:
    """`tidegate` with those arguments."""
    arguments = _arguments(data)
    if not arguments or arguments[0] in STARTING or any(one in STARTING for one in arguments[:4]):
        return
    before = sys.argv, sys.stdin
    sys.argv, sys.stdin = ["tidegate", *arguments], io.StringIO("")
    try:
        with _quiet(), _unreachable():
            code = cli.main()
    finally:
        sys.argv, sys.stdin = before
    assert code in CODES, code


def daemon_flags(data: bytes) -> None:
    """The broker's flags, then an agent's. argparse ends with status 2 what it does not know."""
    arguments = _arguments(data)
    with _quiet():
        for read in (broker_flags, lambda given: agent_flags(given, "agents", "process")):
            try:
                read(list(arguments))
            except Refused:
                continue
            except SystemExit as end:
                assert end.code in (0, 2), end.code


def _arguments(data: bytes) -> list[str]:
    return [line.replace(b"\0", b"").decode("utf-8", "surrogateescape") for line in data.split(b"\n")[:MANY]]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


@contextlib.contextmanager
def _unreachable() -> Iterator[None]:
    """Nobody answers, and that is known at once."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise Unavailable("no broker answers")

    ways = ("_unary", "_stream", "_upload", "push_artifact", "fetch_artifact", "_export")
    with contextlib.ExitStack() as patched:
        patched.enter_context(mock.patch("grpc.insecure_channel"))  # whose threads are not one input's doing
        for way in ways:
            patched.enter_context(mock.patch.object(Client, way, refuse))
        yield


EXAMPLES = str(Path(__file__).resolve().parents[3] / "deploy" / "examples" / "factory")
TOKENS = tuple(
    word.encode()
    for word in (
        *(
            *cli.VERBS,
            "--help",
            "-o",
            "json",
            "--",
            "-",
            "",
            "--broker",
            "127.0.0.1:1",
            "unix:/x",
            "\n",
            "--key",
            "--matrix",
        ),
        *(
            "--since",
            "7d",
            "--from",
            "--to",
            "-1",
            "99999999999999999999",
            "--input",
            "x=[[1,2]]",
            "x=@/nowhere",
            "1e999",
        ),
        *(
            "impact",
            "test",
            "list",
            "import",
            "--name",
            "--version",
            "--effective-from",
            "9999-12-31",
            "--source",
            "verify",
        ),
        *(
            "--at",
            "--horizon",
            "--most-moves",
            "--service-time",
            "gpu=4ms",
            "--follow",
            "--limit",
            "NaN",
            "../..",
            "é\ud7ff",
        ),
    )
)


def verb_seeds() -> list[bytes]:
    given = (
        *(
            "apply {x}/sites.yaml",
            "plan {x}/training.yaml",
            "submit {x}/service.yaml --key k",
            "get",
            "get name -o yaml",
        ),
        *(
            "explain name --matrix",
            "explain name --at 7",
            "logs name",
            "infer name --input image=[[0,0]]",
            "models name",
        ),
        *("teams", "sites", "cordon site --because x", "drain site", "rebalance --adopt", "cancel name", "trace name"),
        *(
            "story name",
            "audit verify",
            "audit replay --from 1",
            "replay",
            "prices list",
            "policy test {x}/policies.yaml",
        ),
        *(
            "policy impact {x}/policies.yaml --since 7d",
            "policy price --team a",
            "schema",
            "--version",
            "nothing",
            "--broker",
        ),
        *("prices import {x}/sites.yaml --name a --source b", "advise {x}/prices.yaml --service-time gpu=4ms"),
    )
    return [one.format(x=EXAMPLES).replace(" ", "\n").encode() for one in given]


def flag_seeds() -> list[bytes]:
    return [
        b"--data-dir\n/x\n--listen\n127.0.0.1:0\n--heartbeat-ms\n2000\n--snapshot-every\n100",
        b"--data-dir\n/x\n--listen\nunix:/a\n--otlp-forward\ngrpc://h:1\n--log-level\nINFO\n--insecure-listen",
        b"--site\na\n--data-dir\n/x\n--engines\nray,process\n--listen-host\n::1\n--spool-bytes\n1000000",
        b"--site\na\n--data-dir\n/x\n--ray-max-workers\n2\n--ray-idle-seconds\nnan\n--advertise\nh:1",
    ]


FLAGS = (
    b"--listen\n",
    b"[::1]:7",
    b"unix:",
    b"0.0.0.0:1",
    b"nan",
    b"inf",
    b"--ray-idle-seconds\n",
    b"--spool-bytes\n-1",
)
TARGETS = (
    Target("command-line", command_line, verb_seeds, tokens=TOKENS, largest=4_096),
    Target("daemon-flags", daemon_flags, flag_seeds, tokens=FLAGS, largest=4_096),
)
