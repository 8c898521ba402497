"""Price books as people write them: every way to say an amount, and what may not be said."""

import pytest

from tidegate.manifests import load, load_files
from tidegate.manifests.output import dump
from tidegate.manifests.problems import ManifestError
from tidegate.model.money import ApiPrice, Availability, EgressPrice, Ownership, Price, PriceBook, Uplift
from tidegate.model.quantity import Resources
from tidegate.model.site import Pricing
from tidegate.model.workload import Workload

HEAD = "apiVersion: tidegate.dev/v1\nkind: PriceBook\nmetadata: {name: list, version: 3}\nspec:\n"
WHOLE = (
    HEAD
    + """\
  effectiveFrom: "2025-03-02"
  precedence: 7
  sources: [the price list of 2025-03-02]
  prices:
  - {instanceType: p5, perHour: $98.32, gpuModel: H100, gpus: 8, cpus: 192, memory: 2Ti}
  - {instanceType: p5, perHour: $30, pricing: spot}
  - {gpuModel: H100, perMonth: $2850, pricing: owned}
  - {instanceType: gift, perHour: $0, pricing: owned}
  - instanceType: dgx
    pricing: owned
    owned: {purchase: $300000, lifetime: 4y, watts: 10200, perKWh: $0.12, pue: 1.35, hosting: $900}
  egress:
  - {from: us-east-1, to: "*", perGB: $0.09}
  - {from: "*", to: "*", perGiB: $0}
  uplifts:
  - {jurisdiction: EEA, share: 2%}
  - {dataClass: phi, share: 4.5%, because: the yearly assessment}
  availability:
  - {interruptionsPerHour: 0.002, restart: 5m, lostWork: 30m}
  - {pricing: on_demand, region: us-east-1, available: 99.5%}
  apis:
  - {name: vision, perThousand: $0.10, device: gpu}
"""
)


def read(text: str) -> PriceBook:
    (book,) = load(text, source="t")
    assert isinstance(book, PriceBook)
    return book


def test_a_book_says_all_it_can_say():
    book = read(WHOLE)
    assert book == PriceBook(
        "list",
        3,
        effective_from=1_740_873_600_000,
        precedence=7,
        sources=("the price list of 2025-03-02",),
        prices=(
            Price("p5", 98_320_000, gpu_model="H100", resources=Resources(8, 0, 192_000, 2 * 2**40)),
            Price("p5", 30_000_000, pricing=Pricing.SPOT),
            Price(gpu_model="H100", micros_per_month=2_850_000_000, pricing=Pricing.OWNED),
            Price("gift", pricing=Pricing.OWNED),
            Price(
                "dgx",
                pricing=Pricing.OWNED,
                owned=Ownership(300_000_000_000, 4 * 8_760, 10_200, 120_000, 1_350, 900_000_000),
            ),
        ),
        egress=(EgressPrice("us-east-1", "", micros_per_gb=90_000), EgressPrice("", "")),
        uplifts=(Uplift("EEA", 20_000), Uplift("", 45_000, "the yearly assessment", "phi")),
        availability=(
            Availability(interruptions_ppm_per_hour=2_000, restart_ms=300_000, lost_work_ms=1_800_000),
            Availability(Pricing.ON_DEMAND, region="us-east-1", available_ppm=995_000),
        ),
        apis=(ApiPrice("vision", 100_000, "gpu"),),
    )
    assert read(dump(book)) == book


@pytest.mark.parametrize(
    ("line", "field", "told"),
    [
        ("prices: [{instanceType: a}]", "spec.prices[0]", "says no amount"),
        ("prices: [{instanceType: a, perHour: $1, perMonth: $2}]", "spec.prices[0]", "says perHour and perMonth"),
        ("prices: [{perHour: $1}]", "spec.prices[0].instanceType", "is missing"),
        ("prices: [{gpuModel: T4, gpus: 4, perHour: $1}]", "spec.prices[0].gpus", "needs instanceType"),
        (
            "prices: [{instanceType: a, perHour: $1}, {instanceType: a, perMonth: $1}]",
            "spec.prices[1]",
            "is given twice for a, on_demand",
        ),
        ("prices: [{instanceType: a, owned: {hosting: $1}}]", "spec.prices[0].owned", "needs pricing: owned"),
        ("prices: [{instanceType: a, pricing: owned, owned: {purchase: $1}}]", "owned.purchase", "needs lifetime"),
        ("prices: [{instanceType: a, pricing: owned, owned: {watts: 3}}]", "owned.watts", "needs perKWh"),
        (
            "prices: [{instanceType: a, pricing: owned, owned: {hosting: $1, pue: 0.9}}]",
            "owned.pue",
            "is below 1",
        ),
        ("egress: [{from: a, to: b}]", "spec.egress[0]", "says no amount"),
        ("uplifts: [{share: 3%}]", "spec.uplifts[0].jurisdiction", "is missing"),
        ("availability: [{restart: 5m}]", "spec.availability[0].interruptionsPerHour", "is missing"),
        ("availability: [{available: 0%}]", "spec.availability[0].available", "is never there"),
        ("apis: [{name: a, perThousand: $1}, {name: a, perThousand: $2}]", "spec.apis[1].name", "is given twice"),
    ],
)
def test_what_makes_no_price_is_named(line: str, field: str, told: str):
    with pytest.raises(ManifestError) as raised:
        load(f"{HEAD}  {line}\n", source="t")
    assert any(field in str(problem) and told in str(problem) for problem in raised.value.problems), raised.value


JOB = (
    "apiVersion: tidegate.dev/v1\nkind: TrainingJob\nmetadata: {name: j}\n"
    "spec: {entrypoint: python t.py, demand: {cpus: 1}, %s}\n"
)


def test_a_job_says_how_long_and_how_often():
    (job,) = load(JOB % "timeout: 50h, schedule: {duration: 48h, every: 7d}, checkpointEvery: 30m", source="t")
    assert isinstance(job, Workload) and job.training is not None
    schedule = job.training.schedule
    assert (schedule.run_ms, schedule.every_ms, schedule.runs_per_month) == (48 * 3_600_000, 168 * 3_600_000, 0)
    assert job.training.checkpoint_every_ms == 1_800_000
    assert load(dump(job), source="t") == (job,)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("schedule: {every: 7d}", "how long"),
        ("schedule: {duration: 48h, every: 7d, runsPerMonth: 4}", "excludes every"),
        ("timeout: 47h, schedule: {duration: 48h}", "longer than timeout"),
    ],
)
def test_a_schedule_that_cannot_be(said: str, told: str):
    with pytest.raises(ManifestError, match=told):
        load(JOB % said, source="t")


def test_several_versions_of_a_book_may_stand_in_one_folder(tmp_path):
    (tmp_path / "old.yaml").write_text(HEAD + "  prices: []\n")
    (tmp_path / "new.yaml").write_text(HEAD.replace("version: 3", "version: 4") + "  prices: []\n")
    assert sorted(noun.version for noun in load_files([tmp_path]) if isinstance(noun, PriceBook)) == [3, 4]
    (tmp_path / "same.yaml").write_text(HEAD + "  prices: []\n")
    with pytest.raises(ManifestError, match="declared twice"):
        load_files([tmp_path])
