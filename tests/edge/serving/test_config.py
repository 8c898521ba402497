"""The configuration: whole or refused, with the key, what was found and what would be right."""

from typing import Any

import pytest

from edge.serving.config import config_of
from tidegate.model.errors import Refused
from tidegate.model.workload import Audit

MODEL: dict[str, Any] = {"name": "digits", "path": "/m", "digest": "SHA256:" + "AB" * 32}
GOOD: dict[str, Any] = {"service": "s", "http": "127.0.0.1:0", "models": [{**MODEL, "digest": "ab" * 32}]}


def test_what_is_left_out_has_a_default() -> None:
    config = config_of({**GOOD, "spool": "/s", "audit": "sampled"})
    assert config.audit is Audit.SAMPLED
    assert config.models[0].digest == "ab" * 32
    assert (config.grpc, config.unix, config.models[0].version) == ("", "", "1")


@pytest.mark.parametrize("address", ["127.0.0.1:80", "[::1]:0", "localhost:1", "127.9.9.9:65535"])
def test_loopback_needs_no_permission(address: str) -> None:
    assert config_of({**GOOD, "http": address}).http == address


def test_other_addresses_need_one() -> None:
    assert config_of({**GOOD, "http": "0.0.0.0:0", "insecure_listen": True}).http == "0.0.0.0:0"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"service": ""}, ["service", "missing"]),
        ({"models": []}, ["models", "missing"]),
        ({"models": [7]}, ["models[0]", "7"]),
        ({"models": [{**MODEL, "digest": "ab"}]}, ["models[0].digest", "64 hex digits"]),
        ({"models": [{"name": "x", "digest": "ab" * 32}]}, ["models[0].path", "missing"]),
        ({"models": [{**GOOD["models"][0], "verison": "2"}]}, ["models[0].verison", "version (did you mean that?)"]),
        ({"models": [{**GOOD["models"][0], "version": 2}]}, ["models[0].version", "2", "str"]),
        ({"models": [{**GOOD["models"][0], "format": "plan"}]}, ["models[0].format", "plan", "onnx"]),
        ({"models": GOOD["models"] * 2}, ["models", "named twice"]),
        ({"http": ""}, ["http", "nowhere to listen"]),
        ({"http": "127.0.0.1"}, ["http", "IP:port"]),
        ({"http": "factory.example:80"}, ["http", "IP:port"]),
        ({"http": "127.0.0.1:99999"}, ["http", "IP:port"]),
        ({"http": "10.0.0.1:80"}, ["http", "anyone could call it", "--insecure-listen"]),
        ({"grpc": "[::]:80"}, ["grpc", "anyone could call it"]),
        ({"unix": "/" + "x" * 107}, ["unix", "107 bytes"]),
        ({"audit": "every"}, ["audit", "every_prediction"]),
        ({"audit": "sampled"}, ["spool", "a directory"]),
        ({"max_concurrent": 0}, ["max_concurrent", "1 to 100000"]),
        ({"max_concurrent": "8"}, ["max_concurrent", "'8'", "int"]),
        ({"insecure_listen": 1}, ["insecure_listen", "bool"]),
        ({"providers": "CUDA"}, ["providers", "names"]),
        ({"max_concurent": 8}, ["max_concurent", "max_concurrent (did you mean that?)"]),
    ],
)
def test_a_mistake_is_named(changes: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(Refused) as caught:
        config_of({**GOOD, **changes})
    for word in words:
        assert word in str(caught.value)
