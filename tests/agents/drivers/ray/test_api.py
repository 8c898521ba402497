"""Ray's interface as it was seen to answer, and what becomes of each answer."""

import httpx
import pytest

from agents.drivers.ray.api import Job, RayApi
from agents.drivers.ray.provider import Cluster
from tidegate.model.errors import Broken, Refused, Unavailable

CLUSTER = Cluster("c1", "http://ray.test:8265", "ray.test:6379", token="secret")


def api(handler) -> RayApi:
    return RayApi(CLUSTER, httpx.MockTransport(handler))


async def test_every_call_carries_the_token():
    def handler(request):
        assert request.headers["authorization"] == "Bearer secret"
        return httpx.Response(200, json={"ray_version": "2.60.0"})

    assert await api(handler).version() == "2.60.0"


def test_the_token_is_not_shown():
    assert "secret" not in repr(CLUSTER)


async def test_a_used_submission_id_is_the_same_job():
    def handler(request):
        if request.method == "POST":
            return httpx.Response(500, text="Job with submission_id j already exists")
        return httpx.Response(200, json={"status": "RUNNING", "message": "", "driver_exit_code": None})

    await api(handler).submit("j", "true", {}, {})


async def test_another_500_is_the_worlds():
    def handler(request):
        return httpx.Response(500 if request.method == "POST" else 404, text="no")

    with pytest.raises(Unavailable):
        await api(handler).submit("j", "true", {}, {})


@pytest.mark.parametrize(("code", "family"), [(401, Broken), (403, Broken), (400, Refused), (503, Unavailable)])
async def test_families(code, family):
    with pytest.raises(family):
        await api(lambda request: httpx.Response(code, text="no")).version()


async def test_a_cut_link_is_unavailable():
    def handler(request):
        raise httpx.ConnectTimeout("slow", request=request)

    with pytest.raises(Unavailable):
        await api(handler).job("j")


async def test_an_unknown_job_is_none_and_has_no_log():
    gone = api(lambda request: httpx.Response(404, text="Job j does not exist"))
    assert await gone.job("j") is None
    assert await gone.logs("j") == ""
    await gone.stop("j")
    assert not await gone.has_package("p.zip")


async def test_a_job():
    told = {"status": "FAILED", "message": None, "driver_exit_code": 3}
    assert await api(lambda request: httpx.Response(200, json=told)).job("j") == Job("j", "FAILED", "", 3)
