"""The arithmetic that the field quotes, through the code: what goes in are manifests, what comes out is what is quoted.

Each figure is quoted with its own convention, which is said where it matters: four weeks to a month, or 730 hours.
"""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from placement.engine import decide
from placement.fleet.fleet import Fleet
from placement.law.law import Law
from placement.money.advise import Advice, BreakEven, advise, together
from placement.money.books import in_force, merged
from placement.money.means import Way
from tidegate.manifests import load, load_files
from tidegate.model.decision import Decision
from tidegate.model.money import PriceBook
from tidegate.model.site import Site
from tidegate.model.workload import Workload

DOLLAR = 1_000_000
DEPLOY = Path(__file__).parents[3] / "deploy"
BOOK = """
apiVersion: tidegate.dev/v1
kind: PriceBook
metadata: {name: quoted}
spec:
  idleOwned: 100%
  prices:
"""
JOB = """
apiVersion: tidegate.dev/v1
kind: TrainingJob
metadata: {name: %s}
spec: {entrypoint: python train.py, workers: %d, demand: {gpus: 1}, data: {classes: [public]}%s}
"""
SERVICE = """
apiVersion: tidegate.dev/v1
kind: InferenceService
metadata: {name: %s}
spec:
  model: {uri: "models:/m@latest"}
  replicas: {min: %d, max: %d}
  demand: {%s}
  data: {classes: [public]}
  volume: {requestsPerDay: %d}
"""
SITE = """
apiVersion: tidegate.dev/v1
kind: Site
metadata: {name: here}
spec:
  tier: on_prem
  operator: self
  jurisdiction: US
  engines: [ray, process]
  offers:
  - {name: node, gpus: 8, gpuMemory: 80Gi, gpuModel: H100, cpus: 64, memory: 512Gi, count: 4, pricing: %s%s}
"""
OWNED = "  - {gpuModel: H100, perMonth: $2850, pricing: owned}\n"
CLOUD = "  - {gpuModel: H100, perHour: $7.8125}\n"


def book(entries: str) -> PriceBook:
    (noun,) = load(BOOK + entries, source="prices")
    assert isinstance(noun, PriceBook)
    return noun


def work(text: str) -> Workload:
    (noun,) = load(text, source="workload")
    assert isinstance(noun, Workload)
    return noun


def placed(workload: Workload, prices: PriceBook, *, pricing: str = "owned") -> Decision:
    (site,) = load(SITE % (pricing, "" if pricing == "owned" else ", elastic: true"), source="site")
    assert isinstance(site, Site)
    fleet = Fleet()
    fleet.put_site(site, reachable=True, cordoned=False)
    return decide(workload, fleet, Law((), prices), now=1, revision=1)


def own(advice: Advice) -> int:
    choice = advice.cheapest(Way.OWN)
    assert choice is not None
    return choice.per_month


def found(advice: Advice, kind: str, first: str, second: str) -> BreakEven:
    (one,) = (
        b for b in advice.break_evens if b.kind == kind and b.first.startswith(first) and b.second.startswith(second)
    )
    return one


def test_a_model_of_16_gpus_to_train_and_4_to_serve_is_57_000_dollars_a_month():
    prices = book(OWNED)
    training = work(JOB % ("train", 16, ""))
    serving = work(SERVICE % ("serve", 4, 4, "gpus: 1", 0))
    advices = [advise(training, prices), advise(serving, prices)]
    assert [own(advice) for advice in advices] == [45_600 * DOLLAR, 11_400 * DOLLAR]
    (sum_,) = together(advices)
    assert (sum_.way, sum_.per_month, sum_.without) == (Way.OWN, 57_000 * DOLLAR, ())


def test_five_such_models_are_285_000_dollars_a_month():
    prices = book(OWNED)
    five = [
        advise(work(text), prices)
        for n in range(5)
        for text in (JOB % (f"train-{n}", 16, ""), SERVICE % (f"serve-{n}", 4, 4, "gpus: 1", 0))
    ]
    assert [one.per_month for one in together(five)] == [285_000 * DOLLAR]


def test_what_a_decision_says_of_the_month_is_the_same_to_a_micro_an_hour_and_unit():
    prices = book(OWNED)
    both = [work(JOB % ("train", 16, "")), work(SERVICE % ("serve", 4, 4, "gpus: 1", 0))]
    month = sum(placed(one, prices).monthly.total.point for one in both)
    assert 57_000 * DOLLAR <= month <= 57_000 * DOLLAR + 20 * 730


def test_32_gpus_for_48_hours_a_week_are_12_000_dollars_a_run_and_48_000_a_month_in_the_cloud():
    """Quoted with four weeks to a month."""
    job = work(JOB % ("weekly", 32, ", schedule: {duration: 48h, runsPerMonth: 4}"))
    rent = advise(job, book(CLOUD)).cheapest(Way.RENT)
    assert rent is not None and (rent.per_run, rent.per_month) == (12_000 * DOLLAR, 48_000 * DOLLAR)
    month = placed(job, book(CLOUD), pricing="on_demand").monthly
    assert (month.per_run.point, month.compute.point, month.runs_milli) == (12_000 * DOLLAR, 48_000 * DOLLAR, 4_000)


def test_every_week_of_the_year_it_is_a_little_more_than_four_times_a_month():
    job = work(JOB % ("weekly", 32, ", schedule: {duration: 48h, every: 7d}"))
    rent = advise(job, book(CLOUD)).cheapest(Way.RENT)
    assert rent is not None and rent.per_month == -(-12_000 * DOLLAR * 730 // 168)


def test_owning_them_is_91_200_dollars_a_month_and_pays_from_half_the_hours_on():
    job = work(JOB % ("weekly", 32, ", schedule: {duration: 48h, runsPerMonth: 4}"))
    advice = advise(job, book(OWNED + CLOUD))
    assert own(advice) == 91_200 * DOLLAR
    assert advice.choices[0].way is Way.RENT
    even = found(advice, "hours", "own", "rent")
    assert (even.value, even.now) == (364_800, 192_000), "$91,200 by $250 an hour"
    assert even.utilisation_ppm == 499_727 and even.weekly_hours_milli == 83_954
    more = next(one for one in advice.sensitivity if one.percent == 200)
    assert (more.best.way, more.best.per_month) == (Way.OWN, 91_200 * DOLLAR), "at 96 hours a week owning has won"


API = "  apis:\n  - {name: vision, perThousand: $0.10, device: gpu}\n"


def served(entries: str, gpus: int = 8, times: Mapping[str, int] | None = None) -> Advice:
    return advise(work(SERVICE % ("serve", gpus, gpus, "gpus: 1", 5_000_000)), book(entries), times)


def test_5_million_predictions_a_day_by_api_are_182_500_dollars_a_year():
    api = served(OWNED + API).cheapest(Way.API)
    assert api is not None and (api.per_year, api.per_thousand) == (182_500 * DOLLAR, 100_000)
    assert api.per_month == -(-182_500 * DOLLAR // 12)


def test_8_owned_gpus_at_2_850_dollars_a_month_need_seven_and_a_half_million_a_day():
    advice = served(OWNED + API)
    assert own(advice) == 22_800 * DOLLAR
    assert advice.choices[0].way is Way.API, "at 5 million the API is cheaper"
    even = found(advice, "predictions", "own", "api")
    assert even.value == 7_495_891, "$22,800 a month by $0.0001 and 365/12 days, the next whole prediction"
    assert (even.value - 1) * 365 * 100 < 22_800 * 12 * DOLLAR <= even.value * 365 * 100


BOUGHT = (
    "  - {gpuModel: H100, pricing: owned, "
    "owned: {purchase: $15000, lifetime: 4y, watts: 700, perKWh: $0.12, pue: 1.25, hosting: $73.35}}\n"
)


def test_bought_for_120_000_dollars_8_gpus_have_paid_for_themselves_in_the_ninth_month():
    """Running costs $150 a month each: 0.7 kW x 1.25 x 730 h x $0.12, and $73.35 for the place."""
    advice = served(BOUGHT + API)
    choice = advice.cheapest(Way.OWN)
    assert choice is not None and (choice.upfront, choice.running) == (120_000 * DOLLAR, 1_200 * DOLLAR)
    even = found(advice, "months", "own", "api")
    month, life = even.value, even.now
    assert life == 48
    saved = 182_500 * DOLLAR / 12 - 1_200 * DOLLAR
    assert month == 9 and saved * 8 < 120_000 * DOLLAR <= saved * 9


def test_what_cannot_carry_more_is_never_cheaper_than_the_api():
    """At a second for each prediction a GPU carries 86,400 a day, for which the API asks $263 a month."""
    assert found(served(OWNED + API, times={"h100": 1_000_000}), "predictions", "own", "api").value == -1


GPU_AND_CPU = """\
  - {instanceType: gpu-box, perHour: $3.60, gpuModel: T4, gpus: 1, cpus: 4, memory: 16Gi}
  - {instanceType: cpu-box, perHour: $0.36, cpus: 4, memory: 16Gi}
  apis:
  - {name: on-gpus, perThousand: $0.10, device: gpu}
  - {name: on-cpus, perThousand: $0.01, device: cpu}
"""


def test_a_thousand_predictions_are_10_cents_on_gpus_and_1_cent_on_cpus():
    """A tenth of a second each, on boxes of $3.60 and $0.36 an hour; and as the two APIs ask it."""
    service = work(SERVICE % ("serve", 1, 1, "gpus: 1, cpus: 4, cpuFallback: true", 5_000_000))
    advice = advise(service, book(GPU_AND_CPU), {"gpu": 100_000, "cpu": 100_000})
    assert {model.device: model.per_thousand for model in advice.models} == {"T4": 100_000, "cpu": 10_000}
    apis = {choice.device: (choice.per_thousand, choice.per_year) for choice in advice.choices if choice.way is Way.API}
    assert apis == {"gpu": (100_000, 182_500 * DOLLAR), "cpu": (10_000, 18_250 * DOLLAR)}
    assert found(advice, "predictions", "rent gpu-box", "rent cpu-box").value == -1


def test_a_gpu_that_is_fast_enough_beats_cpus_from_some_volume_on():
    """Ten CPU boxes cost what one GPU box does; with the eleventh begun the GPU is cheaper, if it is quick enough."""
    service = work(SERVICE % ("serve", 1, 1, "gpus: 1, cpus: 4, cpuFallback: true", 5_000_000))
    even = found(
        advise(service, book(GPU_AND_CPU), {"gpu": 5_000, "cpu": 100_000}),
        "predictions",
        "rent gpu-box",
        "rent cpu-box",
    )
    assert even.value == 9 * 864_000 + 1, "ten CPU boxes are needed, and cost the same"


@pytest.mark.parametrize("factor", [2, 5, 10])
def test_more_peaks_need_more_boxes(factor: int):
    service = work(SERVICE % ("serve", 1, 1, "cpus: 4", 864_000 * 3))
    prices = book(GPU_AND_CPU)
    flat = advise(service, prices, {"cpu": 100_000}).cheapest(Way.RENT)
    peaks = advise(service, prices, {"cpu": 100_000}, Fraction(factor)).cheapest(Way.RENT)
    assert flat is not None and peaks is not None
    assert peaks.units == flat.units * factor == 3 * factor


def test_spot_pays_for_what_it_loses():
    job = work(JOB % ("weekly", 4, ", schedule: {duration: 10h}, checkpointEvery: 2h"))
    entries = """\
  - {gpuModel: H100, perHour: $1, pricing: spot}
  availability:
  - {interruptionsPerHour: 0.05, restart: 30m}
"""
    spot = advise(job, book(entries)).cheapest(Way.SPOT)
    assert spot is not None and spot.per_month == 40 * DOLLAR * 13 // 10, "four units, each losing 1.5 h in 20"
    calm = advise(replace(job, name="calm"), book(entries.split("  availability")[0])).cheapest(Way.SPOT)
    assert calm is not None and calm.per_month == 40 * DOLLAR


def test_what_the_published_lists_ask_for_an_hour_of_each_gpu():
    """The cheapest region and size of every model in the shipped books; of one price, the first region by name."""
    shipped = [noun for noun in load_files([DEPLOY / "prices"]) if isinstance(noun, PriceBook)]
    listed = merged(in_force(shipped, 2**62))
    assert listed is not None
    models = advise(work(SERVICE % ("serve", 1, 1, "gpus: 1", 0)), listed).models
    rented = {m.device: (m.per_gpu_hour, m.name, m.region) for m in models if m.way is Way.RENT}
    assert rented["T4"] == (526_000, "g4dn.xlarge", "us-east-1")
    assert rented["L4"] == (804_800, "g6.xlarge", "us-east-1")
    assert rented["H100"] == (12_290_000, "p5.48xlarge", "us-east-1")
    assert rented["A100-40GB"] == (1_290_000, "gpu_8x_a100", "us-east-1"), "not AWS's, which is 3.5 times that"
    assert [m.per_gpu_hour for m in models] == sorted(m.per_gpu_hour for m in models)


def test_the_example_comes_out_as_its_readers_are_told():
    nouns = load_files([DEPLOY / "examples" / "own-or-rent", DEPLOY / "prices"])
    prices = merged(in_force([noun for noun in nouns if isinstance(noun, PriceBook)], 2**62))
    assert prices is not None
    works = {noun.name: noun for noun in nouns if isinstance(noun, Workload)}
    training = advise(works["weekly-training"], prices)
    assert [choice.way for choice in training.choices[:2]] == [Way.SPOT, Way.RENT], "48 hours a week are too few to own"
    even = found(training, "hours", "own", "rent")
    assert even.now < even.value and 100_000 < even.weekly_hours_milli < 110_000
    serving = advise(works["defect-service"], prices, {"gpu": 4_000, "cpu": 60_000})
    assert (serving.choices[0].way, serving.choices[0].device) == (Way.OWN, "cpu")
    assert serving.choices[-1].way is Way.API
