"""Who may reach the listener, and what the command line refuses."""

import pytest

from broker.config import is_local, parse
from tidegate.model.errors import Refused


@pytest.mark.parametrize(
    ("listen", "local"),
    [
        ("127.0.0.1:0", True),
        ("127.8.8.8:7443", True),
        ("[::1]:7443", True),
        ("localhost:7443", True),
        ("unix:/run/tidegate.sock", True),
        ("0.0.0.0:7443", False),
        ("[::]:7443", False),
        ("192.0.2.7:7443", False),
        ("broker.example:7443", False),
    ],
)
def test_only_loopback_and_unix_sockets_are_local(listen, local):
    assert is_local(listen) is local


def test_an_address_without_a_port_is_refused():
    with pytest.raises(Refused):
        is_local("127.0.0.1")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--listen", "127.0.0.1:0"],
        ["--data-dir", "d", "--listen", "0.0.0.0:1"],
        ["--data-dir", "d", "--heartbeat-ms", "1"],
        ["--data-dir", "d", "--snapshot-every", "0"],
    ],
)
def test_wrong_usage_exits_with_two(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        parse(arguments)
    assert left.value.code == 2
    assert "usage: python -m broker" in capsys.readouterr().err


def test_whoever_insists_may_listen_anywhere():
    assert parse(["--data-dir", "d", "--listen", "0.0.0.0:1", "--insecure-listen"]).insecure_listen
