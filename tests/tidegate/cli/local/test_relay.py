"""The relay carries bytes both ways, delays them, can be cut and restored on the same port."""

import socket
import threading
import time

import pytest

from tidegate.cli.local.relay import Relay


@pytest.fixture
def echo():
    """A server that sends back what it gets."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection):
        try:
            while data := connection.recv(65536):
                connection.sendall(data)
        except OSError:
            return  # the link was cut under it

    threading.Thread(target=serve, daemon=True).start()
    yield f"127.0.0.1:{server.getsockname()[1]}"
    server.close()


@pytest.fixture
def relay(echo):
    made = Relay(echo)
    yield made
    made.close()


def dial(relay):
    return socket.create_connection(("127.0.0.1", relay.port), timeout=5)


def test_bytes_go_there_and_back(relay):
    with dial(relay) as link:
        link.sendall(b"hello")
        assert link.recv(5) == b"hello"
    assert relay.forwarded_bytes == 10


def test_a_cut_ends_what_is_open_and_refuses_what_is_new(relay):
    with dial(relay) as link:
        link.sendall(b"a")
        assert link.recv(1) == b"a"
        relay.cut()
        with pytest.raises(ConnectionError):
            link.sendall(b"b")
            if link.recv(1) == b"":
                raise ConnectionResetError
    with pytest.raises(ConnectionRefusedError):
        dial(relay)


def test_the_link_returns_on_the_same_port(relay):
    port = relay.port
    relay.cut()
    relay.restore()
    assert relay.port == port
    with dial(relay) as link:
        link.sendall(b"c")
        assert link.recv(1) == b"c"


def test_the_delay_holds_for_each_direction(echo):
    relay = Relay(echo, delay_ms=20)
    try:
        with dial(relay) as link:
            began = time.monotonic()
            link.sendall(b"a")
            assert link.recv(1) == b"a"
            assert time.monotonic() - began >= 0.04
    finally:
        relay.close()
