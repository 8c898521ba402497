"""Workloads: what is asked for, a training job or an inference service, with the constraints that bind it."""

from dataclasses import dataclass, field
from enum import StrEnum

from tidegate.model import mig
from tidegate.model.quantity import Resources
from tidegate.model.site import Tier

STRICTEST = "unknown"
"""The class of data about which nothing was said. It is treated as the strictest class there is."""


class WorkloadKind(StrEnum):
    """The two things one can ask for."""

    TRAINING_JOB = "TrainingJob"
    INFERENCE_SERVICE = "InferenceService"


class Spread(StrEnum):
    """How far replicas must stand apart."""

    NONE = "none"
    NODE = "node"
    ZONE = "zone"
    SITE = "site"


class Gang(StrEnum):
    """How the workers of a training job stand, always within one site."""

    PACKED = "packed"
    """On as few nodes as have room for them: they talk to each other all the time."""
    SPREAD = "spread"
    """Each on a node of its own, so that the loss of one node takes one worker."""


class Audit(StrEnum):
    """Which predictions are recorded durably before they are answered."""

    EVERY_PREDICTION = "every_prediction"
    SAMPLED = "sampled"
    OFF = "off"


class Priority(StrEnum):
    """How much a workload matters beside others of its team, and who may be asked to make room."""

    PRODUCTION = "production"
    """Never asked to make room, unless it says that it may be."""
    STANDARD = "standard"
    BATCH = "batch"


SPAN_BYTES = 768
"""What one prediction's span takes on its way to the broker, at most for names of some 30 letters."""
RECORD_BYTES = 320
"""What its record takes, where every prediction is recorded."""


class OnDisconnect(StrEnum):
    """What the broker may do about work at a site that it cannot reach."""

    NEVER = "never"
    SITE = "site"
    ANYWHERE = "anywhere"


class Reconcile(StrEnum):
    """Which copy stays when a site returns and its work was replaced meanwhile."""

    KEEP_ORIGINAL = "keep_original"
    KEEP_REPLACEMENT = "keep_replacement"


@dataclass(frozen=True, slots=True)
class Demand:
    """What one worker or replica needs."""

    resources: Resources
    gpu_models: tuple[str, ...] = ()
    """Any of these; empty means any."""
    cpu_fallback: bool = False
    """Whether a place without GPUs will do when no GPU fits."""
    gpu_share_milli: int = 0
    """A part of one GPU in place of whole ones: thousandths of its compute, 1 to 999. `resources.gpus` is 0 then, and
    `resources.gpu_memory_bytes` is what is taken of that GPU's memory."""
    mig_profile: str = ""
    """One MIG instance of this profile in place of whole GPUs, such as `1g.10gb`. `resources.gpus` is 0 then, and
    `resources.gpu_memory_bytes` is the least that the instance must have."""
    time_slicing: bool = False
    """Whether a share will do that nothing but turns of time keeps apart: its neighbours can take its memory and its
    time. Without it, a share is only taken where it is held."""

    @property
    def on_gpu(self) -> bool:
        """Whether a copy needs a GPU or a part of one."""
        return bool(self.resources.gpus or self.gpu_share_milli or self.mig_profile)

    @property
    def gpu_milli(self) -> int:
        """Thousandths of a GPU that one copy takes: whole ones, a share, or a MIG instance's part of the compute."""
        return self.resources.gpus * 1000 + self.gpu_share_milli + mig.gpu_milli(self.mig_profile)


@dataclass(frozen=True, slots=True)
class Data:
    """What the workload reads, and so what its products carry."""

    classes: tuple[str, ...] = (STRICTEST,)
    subjects: tuple[str, ...] = ()
    """Country codes of the people the data is about."""
    deidentified: bool = False
    attestation: str = ""
    """Who says that it is de-identified, and where that is written."""
    origin: str = ""
    """Where the data lies; moving it from there costs and may be unlawful."""
    bytes_per_day: int = 0
    size_bytes: int = 0
    """What has to be moved once, before the work can start."""
    ref: str = ""
    """A name for the data set, recorded as lineage."""

    def __post_init__(self) -> None:
        """Nothing said about the data means the strictest class, whichever way nothing was said."""
        if not self.classes:
            object.__setattr__(self, "classes", (STRICTEST,))


@dataclass(frozen=True, slots=True)
class Latency:
    """How fast an answer must come, and where to."""

    p99_us: int
    origins: tuple[str, ...] = ()
    service_time_us: int = 0
    """The model's own share, where the submitter knows it; a measured one outranks it."""


@dataclass(frozen=True, slots=True)
class Prefer:
    """Leanings among lawful, fitting places. They can never outbid a rule."""

    tiers: tuple[Tier, ...] = ()
    sites: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Disconnect:
    """What happens when the link to the site is gone. Silence alone never stops work."""

    serve_for_ms: int = 0
    """How long the site goes on by itself; 0 means for ever."""
    replace: OnDisconnect = OnDisconnect.NEVER
    replace_after_ms: int = 0
    reconcile: Reconcile = Reconcile.KEEP_ORIGINAL


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long one run of a job takes and how often it runs, as its owner expects it: for the price of a month."""

    run_ms: int = 0
    """0 means not known."""
    every_ms: int = 0
    """From one run's start to the next one's; 0 where `runs_per_month` says it, or where it runs once."""
    runs_per_month: int = 0


@dataclass(frozen=True, slots=True)
class Training:
    """The part that only training jobs have."""

    entrypoint: str
    workers: int = 1
    code_digest: str = ""
    """SHA-256 (hex) of the packed working directory; the client fills it in when it uploads the code."""
    working_dir: str = ""
    """As written in the manifest, relative to it; only the submitting client reads it."""
    env: dict[str, str] = field(default_factory=dict)
    max_retries: int = 0
    timeout_ms: int = 0
    output_model: str = ""
    """The model's name under which the output is registered; empty means the workload's name."""
    gang: Gang = Gang.PACKED
    schedule: Schedule = Schedule()
    checkpoint_every_ms: int = 0
    """How often it saves its state, so that an interruption costs half of that on average; 0 means not known."""


@dataclass(frozen=True, slots=True)
class Replicas:
    """How many copies serve."""

    minimum: int = 1
    maximum: int = 1
    spread: Spread = Spread.NONE


@dataclass(frozen=True, slots=True)
class Guard:
    """When a new model version must give way to the previous one. Shares are in millionths."""

    error_ppm: int = 0
    p99_us: int = 0
    agreement_ppm: int = 0


@dataclass(frozen=True, slots=True)
class Rollout:
    """How a new model version takes over."""

    canary_percent: int = 0
    guard: Guard | None = None


@dataclass(frozen=True, slots=True)
class Inference:
    """The part that only inference services have."""

    model_uri: str
    """`models:/NAME@latest`, `models:/NAME/VERSION` or `sha256:HEX`."""
    model_format: str = "onnx"
    replicas: Replicas = Replicas()
    requests_per_day: int = 0
    rollout: Rollout = Rollout()
    audit: Audit = Audit.SAMPLED


@dataclass(frozen=True, slots=True)
class Wait:
    """Whether a workload that has no room now waits for it, and for how long."""

    at_most_ms: int = 0
    """After this it is refused; 0 means that it waits for ever."""
    never: bool = False
    """It is refused at once."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One thing asked for. Exactly one of `training` and `inference` is there, as `kind` says."""

    name: str
    kind: WorkloadKind
    demand: Demand
    team: str = ""
    data: Data = Data()
    latency: Latency | None = None
    prefer: Prefer = Prefer()
    disconnect: Disconnect = Disconnect()
    max_cost_micros_per_hour: int = 0
    """The price above which it must not be placed; 0 means no ceiling."""
    training: Training | None = None
    inference: Inference | None = None
    labels: dict[str, str] = field(default_factory=dict)
    priority: Priority | None = None
    """None: production for a service, standard for a job."""
    preemptible: bool = False
    """Whether production work too may be asked to make room. Other work always may."""
    wait: Wait | None = None
    """None: a job waits for ever, a service is refused at once, since its owner must hear it."""
    carries: tuple[Data, ...] = ()
    """What the model that it serves was made from; law binds the workload by it as by its own data. The broker fills
    it in from the model's lineage, where that is recorded."""

    @property
    def importance(self) -> Priority:
        """Its priority, or the one that its kind has."""
        return self.priority or (Priority.STANDARD if self.training else Priority.PRODUCTION)

    @property
    def yields(self) -> bool:
        """Whether it may be displaced by work that has a better right to its room."""
        return self.preemptible or self.importance is not Priority.PRODUCTION

    @property
    def patience(self) -> Wait:
        """How it waits, or how its kind does."""
        return self.wait or Wait(never=self.training is None)

    @property
    def copies(self) -> int:
        """How many demands must be met at once: the gang, or the least number of replicas."""
        if self.training:
            return self.training.workers
        return self.inference.replicas.minimum if self.inference else 1

    @property
    def telemetry_bytes_per_day(self) -> int:
        """What a service tells the broker, if it is asked as often as it says; 0 where it says nothing."""
        if self.inference is None:
            return 0
        every = self.inference.audit is Audit.EVERY_PREDICTION
        return self.inference.requests_per_day * (SPAN_BYTES + (RECORD_BYTES if every else 0))

    @property
    def spread(self) -> Spread:
        """How far its copies must stand apart."""
        if self.training:
            return Spread.NODE if self.training.gang is Gang.SPREAD else Spread.NONE
        return self.inference.replicas.spread if self.inference else Spread.NONE
