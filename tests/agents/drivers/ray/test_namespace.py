"""Addresses of a cluster's own network."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from agents.drivers.ray import namespace


@given(st.from_regex(r"[0-9a-f]{8}", fullmatch=True), st.integers(0, 7))
def test_both_ends_share_a_link_local_network_away_from_metadata(cluster_id, attempt):
    outside, inside = map(ipaddress.ip_address, namespace.addresses(cluster_id, attempt))
    network = ipaddress.ip_network(f"{outside}/30", strict=False)
    assert {outside, inside} == set(network.hosts())
    assert outside.is_link_local
    assert ipaddress.ip_address(namespace.METADATA_ADDRESS) not in network


def test_name_servers_refuse_at_once():
    text = "# comment\nnameserver 192.0.2.53\nnameserver 127.0.0.53\nnameserver fd00::1\nsearch lan\n"
    assert namespace.silent_addresses(text) == ["169.254.169.254", "192.0.2.53"]


async def test_without_root_there_is_none(monkeypatch):
    monkeypatch.setattr(namespace.os, "geteuid", lambda: 1000)
    assert await namespace.create("0badcafe") is None


async def test_without_iproute_there_is_none(monkeypatch):
    monkeypatch.setattr(namespace.shutil, "which", lambda name: None)
    assert await namespace.create("0badcafe") is None
