"""The SDK against a real broker: every call once, retries over a restart, streams, artifacts."""

import hashlib
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.brokers import BrokerProcess
from tests.support.until import until, until_async
from tidegate import manifests
from tidegate.client.aio import AsyncClient
from tidegate.client.client import Client
from tidegate.model.decision import Outcome
from tidegate.model.errors import Conflict, NotFound, Refused, Unavailable
from tidegate.model.registry import Artifact

FACTORY = Path(__file__).resolve().parents[2] / "deploy" / "examples" / "factory"
DECLARED = [FACTORY / name for name in ("sites.yaml", "teams.yaml", "prices.yaml", "policies.yaml")]


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """A broker that knows the factory; no agent is attached, so everything is refused as not available."""
    running = BrokerProcess(tmp_path_factory.mktemp("broker")).start()
    with Client(running.address) as client:
        client.apply(*DECLARED)
    yield running
    running.kill()


@pytest.fixture
def client(broker):
    with Client(broker.address, retry_budget_s=15) as connected:
        yield connected


def job(name="a-job"):
    """A training job whose code needs not be there, since it is refused."""
    template = manifests.load_files([FACTORY / "training.yaml"])[0]
    return replace(template, name=name, training=replace(template.training, working_dir="", code_digest="0" * 64))


def test_plan_submit_and_explain_agree(client):
    planned = client.plan(job())
    submission = client.submit(job(), if_revision=planned.revision)
    view, explained = client.explain(submission.workload_id)
    assert submission.decision.outcome is Outcome.REFUSED
    assert planned.decision.columns == submission.decision.columns == explained.columns
    assert client.get("a-job") == view
    assert submission.workload_id in [one.id for one in client.workloads(phases=["refused"])]
    assert [seen.phase for seen in client.watch("a-job")] == ["refused"]


def test_the_same_key_never_submits_twice(client):
    first = client.submit(job(), key="k1")
    again = client.submit(job(), key="k1")
    assert again.repeated and again.workload_id == first.workload_id
    with pytest.raises(Conflict):
        client.submit(job("another"), key="k1")


def test_applying_again_changes_nothing(client):
    outcomes = {one.outcome for one in client.apply(*DECLARED).declarations}
    assert outcomes == {"unchanged"}


def test_an_unknown_name_is_not_found(client):
    for ask in (client.get, client.explain, client.cancel, client.site, client.cordon):
        with pytest.raises(NotFound):
            ask("nobody")


def test_a_workload_is_not_applied_and_a_site_is_not_submitted(client):
    with pytest.raises(Refused, match="submitted, not applied"):
        client.apply(FACTORY / "training.yaml")
    with pytest.raises(Refused, match="one workload"):
        client.submit(FACTORY / "teams.yaml")


def test_the_log_tells_the_story_and_replays(client):
    submission = client.submit(job())
    kinds = [event.kind for event in client.events(about=submission.workload_id)]
    assert kinds == ["workload_submitted", "workload_decided"]
    chains = [event.chain for event in client.events()]
    assert len(set(chains)) == len(chains) and all(len(chain) == 64 for chain in chains)
    replayed = client.replay()
    assert replayed.decisions >= 1 and replayed.equal == replayed.decisions and not replayed.different


def test_a_submit_leaves_one_trace_from_the_client_to_the_write(client):
    submission = client.submit(job())

    def spans_by_name():
        return {span.name: span for span in client.trace(submission.workload_id).spans}

    steps = {"submit a-job", "tidegate.submit", "admit", "law", "fit", "choose", "audit", "write"}
    until(lambda: steps <= set(spans_by_name()), 15, "every span to be stored")
    spans = spans_by_name()
    assert spans["tidegate.submit"].parent_span_id == spans["submit a-job"].span_id
    assert len({span.trace_id for span in spans.values()}) == 1


def test_a_cordon_holds_until_it_is_lifted(client):
    assert client.cordon("press-7", because="maintenance").cordoned
    assert client.site("press-7")[0].cordoned
    assert not client.cordon("press-7", lift=True).cordoned


def test_an_artifact_goes_up_once_and_comes_back_whole(client):
    data = os.urandom(3_000_000)
    artifact = Artifact(hashlib.sha256(data).hexdigest(), len(data), "noise")
    client.push_artifact(artifact, data)
    client.push_artifact(artifact, data)
    assert client.fetch_artifact(artifact.digest) == data


def test_what_does_not_match_its_digest_is_refused(client):
    data = b"not what it says"
    with pytest.raises(Refused):
        client.push_artifact(Artifact("0" * 64, len(data), "wrong"), data)


def test_a_restart_in_between_is_not_noticed(broker, client):
    client.submit(job("before"))
    address = broker.address
    broker.kill()
    broker.options = ("--listen", address)
    starting = threading.Thread(target=broker.start)
    starting.start()
    submission = client.submit(job("after"))
    starting.join()
    assert client.get("before").phase == "refused" and client.get(submission.workload_id).workload.name == "after"


def test_nobody_there_is_told_within_the_budget():
    with Client("127.0.0.1:1", retry_budget_s=0.2) as client, pytest.raises(Unavailable, match="no broker answers"):
        client.sites()


async def test_the_awaited_client_does_the_same(broker):
    async with AsyncClient(broker.address) as client:
        planned = await client.plan(job())
        submission = await client.submit(job(), if_revision=planned.revision)
        assert (await client.get(submission.workload_id)).workload.name == "a-job"
        assert [view.phase async for view in client.watch("a-job")] == ["refused"]
        assert len(await client.sites()) == 4
        assert [event.kind async for event in client.events(about="a-job")][-1] == "workload_decided"

        async def spans():
            return (await client.trace(submission.workload_id)).spans

        await until_async(spans, 15, "its spans to be stored")


async def test_many_submissions_travel_in_one_message(broker):
    async with AsyncClient(broker.address) as client:

        async def batches():
            yield [(job(f"many-{number}"), f"many-{number}") for number in range(50)]
            yield [(job("many-0"), "many-0"), (replace(job("bad"), training=None), "bad")]

        first, second = [results async for results in client.submit_many(batches())]
        assert len({result.workload_id for result in first}) == 50
        assert second[0].workload_id == first[0].workload_id
        assert second[1].error and not second[1].workload_id
