"""The broker as others meet it: a process of its own, real sockets, SIGKILL."""

import asyncio
import hashlib
import os
import socket
import subprocess
import sys

import grpc
import pytest

from tests.support.brokers import BrokerProcess, attached
from tests.support.builders import book, cloud, job, press, rack, service
from tests.support.until import until_async
from tidegate.model.assignment import Phase, Status
from tidegate.model.registry import Artifact
from tidegate.model.session import Difference, LogLines, LogRequest, Measured, Probed, Report, Reported, Welcome
from tidegate.v1 import artifacts_pb2, events_pb2, fleet_pb2, traces_pb2, workloads_pb2
from tidegate.v1.artifacts_pb2_grpc import ArtifactsStub
from tidegate.v1.events_pb2_grpc import EventsStub
from tidegate.v1.fleet_pb2_grpc import FleetStub
from tidegate.v1.traces_pb2_grpc import TracesStub
from tidegate.v1.workloads_pb2_grpc import WorkloadsStub
from tidegate.wire.codec import to_message
from tidegate.wire.status import error_of


@pytest.fixture
def broker(tmp_path):
    process = BrokerProcess(tmp_path, "--heartbeat-ms", "10000").start()
    yield process
    process.kill()


async def apply(channel, *nouns):
    kinds = {"Site": "site", "PriceBook": "price_book", "Policy": "policy", "Team": "team"}
    declared = [fleet_pb2.Declaration(**{kinds[type(noun).__name__]: to_message(noun)}) for noun in nouns]
    return await FleetStub(channel).Apply(fleet_pb2.ApplyRequest(declarations=declared))


def submission(workload, key=""):
    return workloads_pb2.SubmitRequest(workload=to_message(workload), idempotency_key=key)


async def test_from_a_job_to_its_model_to_a_service(broker):
    async with broker.channel() as channel:
        workloads = WorkloadsStub(channel)
        await apply(channel, press(), rack(), cloud(), book())
        async with attached(channel, "burst-us") as agent, attached(channel, "press-7"), attached(channel, "rack-de"):
            await agent.hear(Welcome)
            await agent.hear(Difference)
            done = await workloads.Submit(
                submission(job(), "k"), metadata=(("traceparent", f"00-{'1' * 32}-{'2' * 16}-01"),)
            )
            told = await agent.hear(Difference)
            assert [a.workload_id for a in told.upserts] == [done.workload_id]
            assert told.upserts[0].traceparent.split("-")[1] == "1" * 32

            logs = workloads.Logs(workloads_pb2.LogsRequest(workload="train"))
            asked, reading = None, asyncio.create_task(logs.read())
            asked = await agent.hear(LogRequest)
            await agent.say(LogLines(asked.request, "epoch 1\n", 8, complete=True))
            assert (await reading).text == "epoch 1\n"

            made = Status(
                done.workload_id, told.generation, Phase.SUCCEEDED, outputs=(Artifact("ab" * 32, 9, "model.onnx"),)
            )
            await agent.say(Report(1, (made,)))
            assert (await agent.hear(Difference)).removals == (done.workload_id,)
            assert (await agent.hear(Reported)).sequence == 1
            models = await workloads.ListModels(workloads_pb2.ListModelsRequest(name="digits"))
            assert models.models[0].lineage.workload_id == done.workload_id

            placed = await workloads.Submit(submission(service()))
            assert placed.decision.slots[0].site in ("press-7", "rack-de")
            names = {
                span.name
                for span in await until_async(
                    lambda: _spans(channel, done.workload_id), 10, "the spans of the submission"
                )
            }
            assert {"tidegate.submit", "admit", "law", "reach", "fit", "price", "choose", "audit", "write"} <= names


async def _spans(channel, workload):
    return list((await TracesStub(channel).Get(traces_pb2.TracesGetRequest(workload=workload))).spans)


async def test_no_acknowledged_submission_is_lost_by_sigkill_and_none_happens_twice(broker):
    acknowledged: dict[str, str] = {}
    async with broker.channel() as channel:
        await apply(channel, cloud(offers=(cloud().offers[0],)), book())

        async def submitter(lane: int) -> None:
            stub = WorkloadsStub(channel)
            for number in range(10_000):
                name = f"job-{lane}-{number}"
                try:
                    done = await stub.Submit(submission(job(name), name))
                except grpc.aio.AioRpcError:
                    return
                acknowledged[name] = done.workload_id

        lanes = [asyncio.create_task(submitter(lane)) for lane in range(8)]
        await until_async(lambda: len(acknowledged) > 100, 30, "acknowledged submissions")
        broker.kill()
        await asyncio.gather(*lanes)
    broker.start()
    async with broker.channel() as channel:
        workloads = WorkloadsStub(channel)
        for name, workload_id in acknowledged.items():
            assert (await workloads.Get(workloads_pb2.GetRequest(workload=workload_id))).view.workload.name == name
        again = await workloads.Submit(submission(job("job-0-0"), "job-0-0"))
        assert again.repeated and again.workload_id == acknowledged["job-0-0"]
        seen = [e async for e in EventsStub(channel).Watch(events_pb2.EventsWatchRequest())]
        assert [event.recorded.offset for event in seen] == list(range(1, len(seen) + 1))
        names = [e.recorded.event.workload_submitted.workload.name for e in seen if e.kind == "workload_submitted"]
        assert len(names) == len(set(names))
        judged = await EventsStub(channel).Replay(events_pb2.ReplayRequest())
        assert judged.decisions == judged.equal >= len(acknowledged) and not judged.different


async def test_a_start_from_a_snapshot_is_the_same_broker(tmp_path):
    broker = BrokerProcess(tmp_path).start()
    try:
        async with broker.channel() as channel:
            await apply(channel, press(), rack(), cloud(), book())
            await WorkloadsStub(channel).Submit(submission(job()))
            before = await WorkloadsStub(channel).Get(workloads_pb2.GetRequest(workload="train"))
        assert broker.stop() == 0
        assert list((tmp_path / "data" / "snapshots").iterdir())
        broker.start()
        async with broker.channel() as channel:
            after = await WorkloadsStub(channel).Get(workloads_pb2.GetRequest(workload="train"))
            assert after == before
            judged = await EventsStub(channel).Replay(events_pb2.ReplayRequest())
            assert judged.decisions == judged.equal == 1
    finally:
        broker.kill()


async def test_silence_makes_a_site_unknown_and_a_return_gets_the_difference(broker):
    broker.stop()
    broker.options = ("--heartbeat-ms", "300")
    broker.start()
    async with broker.channel() as channel:
        await apply(channel, press(), rack())
        fleet = FleetStub(channel)
        async with attached(channel, "press-7") as agent:
            held = (await agent.hear(Difference)).generation
            await agent.say(Measured((Probed("plant", "rack-de", 7_000, 3),)))

        async def state() -> str:
            return (await fleet.GetSite(fleet_pb2.GetSiteRequest(site="press-7"))).site.state

        async def unknown() -> bool:
            return await state() == "unknown"

        assert await state() == "joined"
        await until_async(unknown, 10, "the site to be unknown")
        async with attached(channel, "press-7", held) as agent:
            told = await agent.hear(Difference)
            assert (told.whole, told.upserts, told.removals) == (held == 0, (), ())
            assert await state() == "joined"


async def test_an_artifact_is_resumed_and_verified(broker):
    content = os.urandom(3_000_000)
    digest = hashlib.sha256(content).hexdigest()
    artifact = to_message(Artifact(digest, len(content), "model.onnx"))
    async with broker.channel() as channel:
        artifacts = ArtifactsStub(channel)

        async def push(offset, data):
            step = 1024 * 1024
            first = artifacts_pb2.PushRequest(artifact=artifact, offset=offset)
            rest = [artifacts_pb2.PushRequest(data=data[i : i + step]) for i in range(0, len(data), step)]
            return await artifacts.Push(iter([first, *rest]))

        assert (await push(0, content[:1_500_000])).held_bytes == 1_500_000
        held = await artifacts.Stat(artifacts_pb2.StatRequest(digest=digest))
        assert (held.held_bytes, held.complete) == (1_500_000, False)
        assert (await push(held.held_bytes, content[1_500_000:])).complete
        got = b"".join(
            [chunk.data async for chunk in artifacts.Fetch(artifacts_pb2.FetchRequest(digest=digest, offset=5))]
        )
        assert got == content[5:]

        wrong = artifacts_pb2.PushRequest(artifact=to_message(Artifact("00" * 32, 3)), data=b"abc")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await artifacts.Push(iter([wrong]))
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert not (await artifacts.Stat(artifacts_pb2.StatRequest(digest="00" * 32))).held_bytes
        with pytest.raises(grpc.aio.AioRpcError):
            await artifacts.Stat(artifacts_pb2.StatRequest(digest="../../etc/passwd"))


async def test_errors_say_what_where_and_what_would_be_right(broker):
    async with broker.channel() as channel:
        workloads = WorkloadsStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await workloads.Submit(submission(service()))
        error = error_of(caught.value)
        assert error.field == "inference.model_uri" and error.found == "digits" and error.wanted
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await workloads.Submit(workloads_pb2.SubmitRequest())
        assert error_of(caught.value).field == "workload"


async def test_many_in_one_message_each_get_their_own_answer(broker):
    async with broker.channel() as channel:
        await apply(channel, cloud(), book())
        many = [submission(job(f"j{n}"), f"k{n}") for n in range(50)] + [workloads_pb2.SubmitRequest()]
        call = WorkloadsStub(channel).SubmitStream(iter([workloads_pb2.SubmitStreamRequest(submissions=many)]))
        answer = await call.read()
        assert len({one.workload_id for one in answer.results[:50]}) == 50
        assert answer.results[50].error.startswith("workload")


async def test_a_watch_ends_when_the_workload_has(broker):
    async with broker.channel() as channel:
        await apply(channel, press(), rack())
        refused = await WorkloadsStub(channel).Submit(submission(job()))
        assert any(column.bits for column in refused.decision.columns)
        views = [w async for w in WorkloadsStub(channel).Watch(workloads_pb2.WatchRequest(workload="train"))]
        assert [view.view.phase for view in views] == ["refused"]


def test_one_broker_to_a_directory(broker):
    command = [sys.executable, "-m", "broker", "--data-dir", str(broker.directory / "data"), "--listen", "127.0.0.1:0"]
    second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 1
    assert str(broker.process.pid) in second.stderr


def test_an_address_that_others_can_reach_is_refused(tmp_path):
    command = [sys.executable, "-m", "broker", "--data-dir", str(tmp_path), "--listen", "0.0.0.0:0"]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert refused.returncode == 2
    assert "--insecure-listen" in refused.stderr


async def test_rubbish_on_the_socket_harms_nobody(broker):
    host, _, port = broker.address.rpartition(":")
    for rubbish in (b"\x00" * 100, b"GET / HTTP/1.1\r\n\r\n", os.urandom(4_096)):
        with socket.create_connection((host, int(port)), 5) as connection:
            connection.sendall(rubbish)
    async with broker.channel() as channel:
        call = channel.unary_unary("/tidegate.v1.Workloads/Submit")
        with pytest.raises(grpc.aio.AioRpcError):
            await call(b"\xff\xff\xff")
        stream = channel.stream_stream("/tidegate.v1.Agents/Attach")(iter([b"\xff"]))
        with pytest.raises(grpc.aio.AioRpcError):
            await stream.read()
        assert (await WorkloadsStub(channel).List(workloads_pb2.ListRequest())).views == []
