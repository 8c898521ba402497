"""The one table of what a manifest may say: kinds, their fields, and what must hold between fields.

The reader, the writer and the JSON Schema all come from here. Adding a field is adding a row; its default is the
noun's. The file is long because the table is one: read it by kind, from the bottom up. Price books have their
rows in `prices`.
"""

from collections.abc import Iterator
from typing import Any

from tidegate.manifests import gpus
from tidegate.manifests import values as v
from tidegate.manifests.data import DATA, LABELS, NAMES, WORDS
from tidegate.manifests.policies import POLICY
from tidegate.manifests.prices import PRICE_BOOK, check_prices
from tidegate.manifests.shapes import Field, Group, ListOf, MapOf, Or, Record, Through, Wrong
from tidegate.model.jurisdiction import country_of
from tidegate.model.money import PriceBook, Quota, Team
from tidegate.model.policy import Policy
from tidegate.model.site import Engine, GpuSharing, MigInstance, Offer, Pricing, Reach, Site, Tier
from tidegate.model.workload import (
    Audit,
    Demand,
    Disconnect,
    Gang,
    Guard,
    Latency,
    OnDisconnect,
    Prefer,
    Priority,
    Reconcile,
    Schedule,
    Spread,
    Wait,
    Workload,
    WorkloadKind,
)

API_VERSION = "tidegate.dev/v1"

Noun = Site | Policy | Team | PriceBook | Workload
"""What one document declares."""

LENDING = Through(v.BOOLEAN, lambda lends: not lends, lambda lends_nothing: not lends_nothing)


def _check_disconnect(disconnect: Disconnect) -> Iterator[Wrong]:
    if disconnect.replace_after_ms and disconnect.replace is OnDisconnect.NEVER:
        yield Wrong("replaceAfter", "excludes replace: never", "give replace: site or anywhere, or leave it out")


def _check_service(service: Workload) -> Iterator[Wrong]:
    replicas = service.inference.replicas if service.inference else None
    if replicas and replicas.maximum < replicas.minimum:
        least, most = replicas.minimum, replicas.maximum
        yield Wrong("spec.replicas.max", f"is below replicas.min ({most} < {least})", "max is 1 where it is left out")


def _check_job(job: Workload) -> Iterator[Wrong]:
    schedule = job.training.schedule if job.training else Schedule()
    if schedule.every_ms and schedule.runs_per_month:
        yield Wrong("spec.schedule.runsPerMonth", "excludes every", "give one of the two")
    if (schedule.every_ms or schedule.runs_per_month) and not schedule.run_ms:
        yield Wrong("spec.schedule", "says how often but not for how long", "give duration")
    if schedule.run_ms and job.training and 0 < job.training.timeout_ms < schedule.run_ms:
        yield Wrong("spec.schedule.duration", "is longer than timeout", "the run would be stopped before its end")


def _check_site(site: Site) -> Iterator[Wrong]:
    if site.jurisdiction_region and country_of(site.jurisdiction_region) != site.jurisdiction:
        yield Wrong("spec.jurisdictionRegion", f"is no region of {site.jurisdiction}", "it begins with the country")


def _check_offer(offer: Offer) -> Iterator[Wrong]:
    if offer.elastic and offer.pricing is Pricing.OWNED:
        yield Wrong(
            "elastic", "excludes pricing: owned", "what is owned stands there; give the pricing it is bought at"
        )
    if offer.resources.gpus and not offer.resources.gpu_memory_bytes:
        yield Wrong("gpus", "are offered without saying gpuMemory, so that no demand for memory could be met")
    else:
        yield from gpus.wrong_in_offer(offer)


RESOURCES = (
    Field("gpus", v.WHOLE_GPUS, "Whole GPUs.", "gpus"),
    Field("gpuMemory", v.BYTES, "Memory on each GPU, such as 24Gi.", "gpu_memory_bytes"),
    Field("cpus", v.CPUS, "CPUs, such as 2, 0.5 or 500m.", "cpus_milli"),
    Field("memory", v.BYTES, "Main memory, such as 4Gi.", "memory_bytes"),
)
RESOURCES_WITHIN = tuple(Field(f.name, f.shape, f.doc, f"resources.{f.attribute}") for f in RESOURCES)

DEMAND = Record(
    Demand,
    (
        *RESOURCES_WITHIN,
        Field("gpuModels", ListOf(v.TEXT), "Any of these models; left out: any.", "gpu_models"),
        Field("cpuFallback", v.BOOLEAN, "Whether a place without GPUs will do when no GPU fits.", "cpu_fallback"),
        Field("gpuShare", v.GPU_SHARE, "A share of one GPU in place of gpus, such as 500m or 50%.", "gpu_share_milli"),
        Field("mig", v.MIG_PROFILE, "One MIG instance in place of gpus, such as 1g.10gb.", "mig_profile"),
        Field("timeSlicing", v.BOOLEAN, "Whether a share that nothing holds will do.", "time_slicing"),
    ),
    gpus.wrong_in_demand,
)
LATENCY = Record(
    Latency,
    (
        Field("p99", v.MICROSECONDS, "What 99 of 100 answers must come within.", "p99_us", required=True),
        Field("from", WORDS, "The locations or sites that ask.", "origins"),
        Field(
            "serviceTime",
            v.MICROSECONDS,
            "The model's own share of it, if known; measured outranks it.",
            "service_time_us",
        ),
    ),
)
PREFER = Record(
    Prefer,
    (
        Field("tiers", ListOf(v.choice(Tier)), "Tiers to lean to; it never outbids a rule.", "tiers"),
        Field("sites", NAMES, "Sites to lean to; it never outbids a rule.", "sites"),
    ),
)
DISCONNECT = Record(
    Disconnect,
    (
        Field("serve", v.milliseconds(forever=True), "How long the site goes on by itself.", "serve_for_ms"),
        Field("replace", v.choice(OnDisconnect), "Where the broker may start a copy meanwhile.", "replace"),
        Field("replaceAfter", v.milliseconds(), "How long the site must be silent before that.", "replace_after_ms"),
        Field("reconcile", v.choice(Reconcile), "Which copy stays when the site returns.", "reconcile"),
    ),
    _check_disconnect,
)
WAIT = Or(
    v.constant("never"),
    Record(
        Wait,
        (Field("atMost", v.milliseconds(forever=True), "How long it waits before it is refused.", "at_most_ms"),),
    ),
    Wait(never=True),
)
WORKLOAD = (
    Field("demand", DEMAND, "What one worker or replica needs.", "demand", required=True),
    Field("data", DATA, "What it reads, and so what its products carry.", "data"),
    Field("latency", LATENCY, "How fast an answer must come, and where to.", "latency"),
    Field("prefer", PREFER, "Leanings among lawful, fitting places.", "prefer"),
    Field("maxCost", v.MONEY, "US dollars per hour above which it must not be placed.", "max_cost_micros_per_hour"),
    Field("disconnect", DISCONNECT, "What happens when the link to the site is gone.", "disconnect"),
    Field("priority", v.choice(Priority), "How much it matters; left out: as its kind has it.", "priority"),
    Field("preemptible", v.BOOLEAN, "Whether production work too may be asked to make room.", "preemptible"),
    Field("wait", WAIT, "Whether it waits for room: never, or a block.", "wait"),
)
GUARD = Record(
    Guard,
    (
        Field("errorRate", v.SHARE, "The greatest share of failed answers.", "error_ppm"),
        Field("p99", v.MICROSECONDS, "The longest 99th percentile.", "p99_us"),
        Field("agreement", v.SHARE, "The least share of answers equal to the previous version's.", "agreement_ppm"),
    ),
)
TRAINING = (
    Field("entrypoint", v.text(longest=8192), "The command that trains.", "training.entrypoint", required=True),
    Field("workers", v.integer(1, 10_000), "How many demands are met together, or not at all.", "training.workers"),
    Field(
        "code",
        Group(
            (
                Field(
                    "workingDir", v.TEXT, "The folder with the code, relative to the manifest.", "training.working_dir"
                ),
                Field("digest", v.DIGEST, "SHA-256 of the packed code; filled in on upload.", "training.code_digest"),
            )
        ),
        "What the job runs.",
    ),
    Field("env", MapOf(v.ENVIRONMENT, "[A-Za-z_][A-Za-z0-9_]*", "a variable's name"), "Environment.", "training.env"),
    Field("retries", v.integer(0, 100), "How often it is tried again after a failure.", "training.max_retries"),
    Field("timeout", v.milliseconds(), "When it is stopped; left out: never.", "training.timeout_ms"),
    Field(
        "schedule",
        Group(
            (
                Field(
                    "duration", v.milliseconds(), "How long one run is expected to take.", "training.schedule.run_ms"
                ),
                Field("every", v.milliseconds(), "From one run's start to the next.", "training.schedule.every_ms"),
                Field(
                    "runsPerMonth",
                    v.integer(1, 100_000),
                    "How often it runs in a month, where every does not say it.",
                    "training.schedule.runs_per_month",
                ),
            )
        ),
        "How long it runs and how often, for the price of a month. It starts nothing.",
    ),
    Field(
        "checkpointEvery",
        v.milliseconds(),
        "How often it saves its state: what an interruption costs.",
        "training.checkpoint_every_ms",
    ),
    Field(
        "output",
        Group(
            (
                Field(
                    "model",
                    v.WORD,
                    "The name its model is registered by; left out: the job's.",
                    "training.output_model",
                ),
            )
        ),
        "What it leaves behind.",
    ),
    Field("gang", v.choice(Gang), "Whether workers share few nodes, or each has its own.", "training.gang"),
)
REPLICAS = (
    Field("min", v.integer(1, 10_000), "How many serve at least.", "inference.replicas.minimum"),
    Field("max", v.integer(1, 10_000), "How many serve at most.", "inference.replicas.maximum"),
    Field("spread", v.choice(Spread), "How far apart they stand.", "inference.replicas.spread"),
)
MODEL = (
    Field(
        "uri",
        v.MODEL_URI,
        "models:/NAME@latest, models:/NAME/VERSION or sha256:HEX.",
        "inference.model_uri",
        required=True,
    ),
    Field("format", v.WORD, "The file's format.", "inference.model_format"),
    Field("madeFrom", ListOf(DATA), "The data it was made from, where no lineage records it.", "carries"),
)
ROLLOUT = (
    Field(
        "canaryPercent",
        v.integer(0, 100),
        "The share that a new version is given first.",
        "inference.rollout.canary_percent",
    ),
    Field("guard", GUARD, "When a new version must give way.", "inference.rollout.guard"),
)
INFERENCE = (
    Field("model", Group(MODEL), "What is served.", required=True),
    Field("replicas", Group(REPLICAS), "How many copies serve."),
    Field(
        "volume",
        Group((Field("requestsPerDay", v.integer(), "How many are asked a day.", "inference.requests_per_day"),)),
        "How much is asked.",
    ),
    Field("rollout", Group(ROLLOUT), "How a new version takes over."),
    Field("audit", v.choice(Audit), "Which predictions are made durable before they are answered.", "inference.audit"),
)
MIG_INSTANCE = Record(
    MigInstance,
    (
        Field("gpu", v.integer(0, 1_000), "The GPU's number on its unit, from 0.", "gpu", required=True),
        Field("profile", v.MIG_PROFILE, "What it is, such as 1g.10gb.", "profile", required=True),
        Field("start", v.integer(0, 7), "The memory slice that it begins at.", "start", required=True),
    ),
)
OFFER = Record(
    Offer,
    (
        Field("name", v.WORD, "The offer's name, its own within the site.", "name", required=True),
        *RESOURCES_WITHIN,
        Field("gpuModel", v.TEXT, "The GPUs' model, such as L4.", "gpu_model"),
        Field("count", v.integer(1, 1_000_000), "Units that stand there, or the ceiling of an elastic offer.", "count"),
        Field("elastic", v.BOOLEAN, "Whether units are bought when needed and given back.", "elastic"),
        Field("pricing", v.choice(Pricing), "How it is paid for.", "pricing"),
        Field("instanceType", v.WORD, "The price book's key; left out: the offer's name.", "instance_type"),
        Field("deviceClass", v.WORD, "What a measured service time is valid for, such as gpu-l4.", "device_class"),
        Field("zone", v.WORD, "The zone it stands in.", "zone"),
        Field("gpuSharing", v.choice(GpuSharing), "How its GPUs are given out in parts.", "gpu_sharing"),
        Field("migLayout", ListOf(MIG_INSTANCE), "MIG instances that stay as they are, on every unit.", "mig_layout"),
    ),
    _check_offer,
)
REACH = Record(
    Reach,
    (
        Field("from", v.WORD, "The location or site that asks.", "origin", required=True),
        Field("rtt", v.MICROSECONDS, "The round trip, until one is measured.", "rtt_us", required=True),
    ),
)
SITE = (
    Field("tier", v.choice(Tier), "How far from the data it is.", "tier", required=True),
    Field("operator", v.WORD, "Who runs it; self is your own organisation.", "operator", required=True),
    Field("operatorJurisdiction", v.COUNTRY, "Whose law can compel the operator.", "operator_jurisdiction"),
    Field("jurisdiction", v.COUNTRY, "Whose law binds the place.", "jurisdiction", required=True),
    Field("jurisdictionRegion", v.REGION, "The region in it whose law binds it too.", "jurisdiction_region"),
    Field("region", v.WORD, "The region, as the price book names it.", "region"),
    Field("location", v.WORD, "The origin of requests and data that stands here.", "location"),
    Field("engines", ListOf(v.choice(Engine)), "What can run work here.", "engines"),
    Field("agreements", WORDS, "Contracts with the operator, such as baa or scc.", "agreements"),
    Field("certifications", WORDS, "What the place is certified for, such as soc2.", "certifications"),
    Field("retentionDays", v.integer(0, 36_525), "How many days records of work here are kept.", "retention_days"),
    Field("home", v.BOOLEAN, "Whether the broker's stores stand here, and so what all work leaves behind.", "home"),
    Field("offers", ListOf(OFFER, distinct="name"), "The capacity it can give.", "offers"),
    Field("reach", ListOf(REACH, distinct="origin"), "Declared round trips, until they are measured.", "reach"),
    Field("uplinkBytesPerDay", v.BYTES, "What its link can carry a day; left out: no limit.", "uplink_bytes_per_day"),
)
GPU_MODELS = MapOf(v.GPUS, "[A-Za-z0-9](?:[-A-Za-z0-9 ._/:]*[A-Za-z0-9])?", "a GPU's model, such as L4")
QUOTA = Record(
    Quota,
    (*RESOURCES_WITHIN, Field("gpuModels", GPU_MODELS, "GPUs by model, such as H100: 4.", "gpu_models")),
)


def _amounts(attribute: str) -> Group:
    """Sums, and GPUs by model beside them."""
    sums = tuple(Field(f.name, f.shape, f.doc, f"{attribute}.{f.attribute}") for f in RESOURCES)
    return Group((*sums, Field("gpuModels", GPU_MODELS, "GPUs by model, such as H100: 4.", f"{attribute}_models")))


TEAM = (
    Field("parent", v.NAME, "The team that it is part of.", "parent"),
    Field("guaranteed", _amounts("guaranteed"), "What it can always have."),
    Field("limit", _amounts("limit"), "What it never exceeds; left out: no limit."),
    Field("borrowing", v.BOOLEAN, "Whether it may use what others leave idle.", "borrowing"),
    Field("borrowingLimit", QUOTA, "The most that it may use beyond its guarantee.", "borrowing_limit"),
    Field("lending", LENDING, "Whether others may use its guarantee while it stands idle.", "lends_nothing"),
    Field("lendingLimit", QUOTA, "The most of its guarantee that others may use.", "lending_limit"),
    Field("budget", v.MONEY, "US dollars per month.", "budget_micros_per_month"),
)

_NAME = Field("name", v.NAME, "Its name.", "name", required=True)
_LABELS = Field("labels", LABELS, "Free labels, for policies to ask about.", "labels")
_TEAM = Field("team", v.NAME, "The team that pays.", "team")


def _version(required: bool) -> Field:
    return Field("version", v.integer(1, 2**31 - 1), "A higher one replaces a lower one.", "version", required=required)


def _kind(kind: str, noun: type, metadata: tuple[Field, ...], spec: tuple[Field, ...], **more: Any) -> Record:
    return Record(
        noun,
        (
            Field("apiVersion", v.constant(API_VERSION), f"Always {API_VERSION}.", required=True),
            Field("kind", v.constant(kind), f"Always {kind} here.", required=True),
            Field("metadata", Group((_NAME, *metadata)), "Its name and what it is known by.", required=True),
            Field("spec", Group(spec), "What is declared.", required=True),
        ),
        **more,
    )


KINDS: dict[str, Record] = {
    "Site": _kind("Site", Site, (_LABELS,), SITE, check=_check_site),
    "Policy": _kind("Policy", Policy, (_version(required=True),), POLICY),
    "Team": _kind("Team", Team, (_LABELS,), TEAM),
    "PriceBook": _kind("PriceBook", PriceBook, (_version(required=False),), PRICE_BOOK, check=check_prices),
    "TrainingJob": _kind(
        "TrainingJob",
        Workload,
        (_TEAM, _LABELS),
        (*TRAINING, *WORKLOAD),
        check=_check_job,
        fixed={"kind": WorkloadKind.TRAINING_JOB},
    ),
    "InferenceService": _kind(
        "InferenceService",
        Workload,
        (_TEAM, _LABELS),
        (*INFERENCE, *WORKLOAD),
        check=_check_service,
        fixed={"kind": WorkloadKind.INFERENCE_SERVICE},
    ),
}
"""Every kind, by the name that `kind:` gives it."""


def kind_of(noun: Noun) -> str:
    """The name of the kind that declares this noun."""
    return noun.kind.value if isinstance(noun, Workload) else type(noun).__name__
