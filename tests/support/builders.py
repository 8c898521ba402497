"""Small nouns for tests: a fleet of three tiers, a job, a service, each with what a test wants changed."""

from dataclasses import replace
from typing import Any

from tidegate.model.money import Price, PriceBook
from tidegate.model.policy import Expression, Operator, Policy, Rule
from tidegate.model.quantity import Resources
from tidegate.model.registry import Artifact, ModelVersion
from tidegate.model.site import Engine, Offer, Pricing, Reach, Site, Tier
from tidegate.model.workload import Data, Demand, Inference, Latency, Training, Workload, WorkloadKind

GIB = 2**30
DIGEST = "ab" * 32
ORDINARY = Data(classes=("operational",), subjects=(), ref="line-camera", origin="plant")


def press(name: str = "press-7", **changes: Any) -> Site:
    """An edge device in a German plant."""
    site = Site(
        name=name,
        tier=Tier.EDGE,
        operator="self",
        jurisdiction="DE",
        region="plant",
        location="plant",
        engines=(Engine.PROCESS,),
        offers=(Offer("box", Resources(cpus_milli=4_000, memory_bytes=8 * GIB)),),
        reach=(Reach("plant", 300),),
    )
    return replace(site, **changes)


def rack(name: str = "rack-de", **changes: Any) -> Site:
    """An on-prem host in Germany."""
    site = Site(
        name=name,
        tier=Tier.ON_PREM,
        operator="self",
        jurisdiction="DE",
        region="eu-central",
        location="rack",
        engines=(Engine.PROCESS,),
        offers=(Offer("node", Resources(cpus_milli=8_000, memory_bytes=32 * GIB), count=2),),
        reach=(Reach("plant", 8_000),),
    )
    return replace(site, **changes)


def cloud(name: str = "burst-us", **changes: Any) -> Site:
    """A cloud region that runs jobs."""
    offer = Offer(
        "m5", Resources(cpus_milli=4_000, memory_bytes=16 * GIB), count=20, elastic=True, pricing=Pricing.ON_DEMAND
    )
    site = Site(
        name=name,
        tier=Tier.CLOUD,
        operator="aws",
        jurisdiction="US",
        region="us-east-1",
        location="us-east-1",
        engines=(Engine.RAY,),
        offers=(offer,),
        reach=(Reach("plant", 90_000),),
    )
    return replace(site, **changes)


def book(**changes: Any) -> PriceBook:
    """What the cloud's offer costs."""
    return replace(PriceBook("list", prices=(Price("m5", 200_000, "us-east-1"),)), **changes)


def stay_home(version: int = 1, jurisdiction: str = "DE") -> Policy:
    """Operational data stays in one country."""
    rule = Rule(
        name="stays-home",
        because="the works council",
        when=(Expression("data.classes", Operator.CONTAINS_ANY, ("operational",)),),
        require=(Expression("site.jurisdiction", Operator.IN, (jurisdiction,)),),
    )
    return Policy("plant", version, rules=(rule,))


def job(name: str = "train", **changes: Any) -> Workload:
    """A training job of two workers."""
    workload = Workload(
        name=name,
        kind=WorkloadKind.TRAINING_JOB,
        demand=Demand(Resources(cpus_milli=1_000, memory_bytes=GIB)),
        data=ORDINARY,
        training=Training("python train.py", workers=2, code_digest=DIGEST, output_model="digits"),
    )
    return replace(workload, **changes)


def service(name: str = "inspect", **changes: Any) -> Workload:
    """A service that answers within 50 ms of the plant."""
    workload = Workload(
        name=name,
        kind=WorkloadKind.INFERENCE_SERVICE,
        demand=Demand(Resources(cpus_milli=1_000, memory_bytes=GIB)),
        data=ORDINARY,
        latency=Latency(50_000, ("plant",), service_time_us=2_000),
        inference=Inference("models:/digits@latest"),
    )
    return replace(workload, **changes)


def model(name: str = "digits", digest: str = DIGEST) -> ModelVersion:
    """A model that was made elsewhere; its number is given when it is registered."""
    return ModelVersion(name, 0, Artifact(digest, 4_096, "model.onnx"))
