"""A law on trial before a broker in a process of its own, through the client and through the command line."""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.support.brokers import BrokerProcess, attached
from tests.support.builders import book, cloud, job, press, rack, stay_home
from tests.support.until import until_async
from tidegate import manifests
from tidegate.client.aio import AsyncClient
from tidegate.model.errors import NotFound, Refused, Unavailable
from tidegate.model.impact import Impact, Touch
from tidegate.model.policy import Expression, Operator, Policy, Rule
from tidegate.model.session import Welcome
from tidegate.v1 import fleet_pb2
from tidegate.v1.fleet_pb2_grpc import FleetStub


@pytest.fixture
def broker(tmp_path):
    process = BrokerProcess(tmp_path, "--heartbeat-ms", "10000").start()
    yield process
    process.kill()


def run(broker, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "tidegate.cli.main", "policy", *arguments],
        env={**os.environ, "TIDEGATE_BROKER": broker.address},
        capture_output=True,
        text=True,
        timeout=60,
    )


async def tried(client, *policies, **how) -> Impact:
    words = [word async for word in client.try_policies(*policies, **how)]
    assert words[-1].impact is not None
    assert all(word.impact is None and 0 <= word.done <= word.of for word in words[:-1])
    return words[-1].impact


NO_CLOUD = Policy("no-cloud", 1, rules=(Rule("r", require=(Expression("site.tier", Operator.NOT_IN, ("cloud",)),)),))


async def test_a_law_is_tried_on_what_stands_and_on_what_was_decided_and_nothing_is_applied(broker, tmp_path):
    async with broker.channel() as channel, AsyncClient(broker.address) as client:
        await client.apply(press(), rack(), cloud(), book())
        early = await client.submit(job("early"))  # no site has joined yet
        async with attached(channel, "burst-us") as agent:
            await agent.hear(Welcome)
            await client.cancel(early.workload_id)
            done = await client.submit(job("train", team="quality"))
            assert done.decision.sites == ("burst-us",)

            found = await tried(client, NO_CLOUD)
            assert found.policies == ("no-cloud@1",)
            (illegal,) = found.illegal
            assert (illegal.name, illegal.before, illegal.rules, illegal.after) == (
                "train",
                ("burst-us",),
                ("no-cloud/r",),
                (),
            )
            assert found.decisions == 0

            found = await tried(client, NO_CLOUD, since_ms=3_600_000)
            assert [(one.touch, one.name, one.offset) for one in found.touched] == [
                (Touch.ILLEGAL, "train", 0),
                (Touch.CLOSED, "train", done.offset),
            ]
            assert found.decisions >= 2
            before = await tried(client, NO_CLOUD, from_offset=1, to_offset=done.offset - 1)
            assert [one.offset for one in before.touched] == [0]

            assert not (await FleetStub(channel).ListPolicies(fleet_pb2.ListPoliciesRequest())).policies
            with pytest.raises(Refused, match="no-cloud"):
                await tried(client, NO_CLOUD, NO_CLOUD)
            with pytest.raises(NotFound):
                await tried(client, without=["atlantis"])

            (tmp_path / "law.yaml").write_text(manifests.dump(NO_CLOUD))
            answer = await asyncio.to_thread(
                run, broker, "impact", str(tmp_path / "law.yaml"), "--since", "1h", "-o", "json"
            )
            assert answer.returncode == 1, answer.stderr
            told = json.loads(answer.stdout)
            assert (told["illegal"], told["touched"][0]["rules"]) == (1, ["no-cloud/r"])
            shown = await asyncio.to_thread(run, broker, "impact", str(tmp_path / "law.yaml"))
            assert shown.returncode == 1
            assert "becomes illegal: 1" in shown.stdout and "no-cloud/r" in shown.stdout

            (tmp_path / "law.yaml").write_text(manifests.dump(stay_home(1, "US")))
            answer = await asyncio.to_thread(run, broker, "impact", str(tmp_path / "law.yaml"))
            assert answer.returncode == 0, answer.stderr
            assert "nothing would change" in answer.stdout


async def test_one_law_is_on_trial_at_a_time_and_whoever_leaves_makes_room(broker):
    async with AsyncClient(broker.address) as client:
        await client.apply(press(), rack(), cloud(), book())
        answers = await asyncio.gather(*(tried(client, NO_CLOUD) for _ in range(3)), return_exceptions=True)
        assert any(isinstance(answer, Impact) for answer in answers)
        assert all(isinstance(answer, Impact | Unavailable) for answer in answers)
        left = asyncio.create_task(tried(client, NO_CLOUD))
        await client.rule_costs()  # the trial has begun, and nobody waits for it
        left.cancel()

        async def again() -> bool:
            try:
                return isinstance(await tried(client, NO_CLOUD), Impact)
            except Unavailable:
                return False

        await until_async(again, 20, "room for another trial")


async def test_what_the_rules_cost_is_summed_by_rule_and_team(broker):
    async with broker.channel() as channel, AsyncClient(broker.address) as client:
        near = rack("rack-us", jurisdiction="US")
        await client.apply(press(), rack(), near, cloud(), cloud("cheap-us", region="cheap"), *prices(), stay_cheap())
        sites = ("burst-us", "cheap-us", "press-7", "rack-de")
        agents = [attached(channel, site) for site in sites]
        for agent in agents:
            await (await agent.__aenter__()).hear(Welcome)
        done = await client.submit(job("train", team="quality"))
        assert done.decision.sites == ("burst-us",)
        (price,) = (one for one in done.decision.rule_prices if one.rule == "dear/r")
        costs = await client.rule_costs()
        told = {(one.rule, one.team, one.workloads, one.micros_per_hour) for one in costs.costs}
        assert told == {(one.rule, "quality", 1, one.micros_per_hour) for one in done.decision.rule_prices}
        answer = await asyncio.to_thread(run, broker, "price", "-o", "json")
        row = {"policy": "dear", "rule": "r", "team": "quality", "workloads": 1}
        assert row | {"micros_per_hour": price.micros_per_hour} in json.loads(answer.stdout)
        shown = await asyncio.to_thread(run, broker, "price", "--team", "nobody")
        assert shown.returncode == 0 and "over 1 placed workloads" in shown.stdout
        for agent in agents:
            await agent.__aexit__(None, None, None)


def prices():
    listed = book().prices[0]
    return (book(prices=(listed, replace(listed, region="cheap", micros_per_hour=50_000))),)


def stay_cheap():
    return Policy("dear", 1, rules=(Rule("r", require=(Expression("site.region", Operator.NOT_IN, ("cheap",)),)),))


def test_the_verb_says_what_it_wants(broker):
    assert run(broker, "impact").returncode == 2
    assert run(broker, "impact", "--without", "atlantis").returncode == 2
    assert run(broker, "impact", "--without", "x", "--since", "soon").returncode == 2
