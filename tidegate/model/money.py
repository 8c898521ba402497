"""Who pays, and what things cost: teams and price books. All money is whole micros (a millionth of a US dollar).

A price may be given by the hour, by the month (of 730 hours) or, where the thing is owned, by what it cost and what it
eats. `Price.rate` is the exact amount, a fraction of whole numbers; whoever makes micros of it rounds up, once.
"""

from dataclasses import dataclass, field

from tidegate.model.quantity import HOURS_PER_MONTH, Resources
from tidegate.model.site import Pricing


@dataclass(frozen=True, slots=True)
class Quota:
    """An amount that a team may hold, lend or borrow: sums over everything, and GPUs by model beside them."""

    resources: Resources = field(default_factory=Resources)
    """GPU memory is per device and adds up to nothing, so it is not counted."""
    gpu_models: dict[str, int] = field(default_factory=dict)
    """Thousandths of a GPU by model, so that shares of one count."""


@dataclass(frozen=True, slots=True)
class Team:
    """Who pays, and how much they may hold at once.

    In every limit an amount of 0 is not limited, so that a limit can speak of GPUs alone. What holds for a team holds
    for it and the teams below it together.
    """

    name: str
    guaranteed: Resources = field(default_factory=Resources)
    limit: Resources | None = None
    """Never exceeded; None means no limit."""
    borrowing: bool = True
    budget_micros_per_month: int = 0
    """0 means no budget."""
    parent: str = ""
    """The team that this one is part of; empty for one that stands alone."""
    guaranteed_models: dict[str, int] = field(default_factory=dict)
    """Beside `guaranteed`: thousandths of a GPU by model."""
    limit_models: dict[str, int] = field(default_factory=dict)
    """Beside `limit`: thousandths of a GPU by model."""
    borrowing_limit: Quota | None = None
    """The most beyond its guarantee; None means no limit but its own. Not used where `borrowing` is False."""
    lending_limit: Quota | None = None
    """The most of its guarantee that others may use while it stands idle; None means all of it."""
    lends_nothing: bool = False
    """Its guarantee stands idle rather than be lent."""
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def guarantee(self) -> Quota:
        """What it can always have."""
        return Quota(self.guaranteed, self.guaranteed_models)

    @property
    def ceiling(self) -> Quota:
        """What it never exceeds."""
        return Quota(self.limit or Resources(), self.limit_models)


@dataclass(frozen=True, slots=True)
class Rate:
    """An exact amount for every hour: `micros` for so many `hours`, both whole and neither negative."""

    micros: int
    hours: int = 1

    def over(self, hours: int, each: int = 1) -> int:
        """Micros for so many hours, or with `each` for so many parts of an hour; rounded up."""
        return -(-self.micros * hours // (self.hours * each))

    def __add__(self, other: "Rate") -> "Rate":
        return Rate(self.micros * other.hours + other.micros * self.hours, self.hours * other.hours)

    def __mul__(self, count: int) -> "Rate":
        return Rate(self.micros * count, self.hours)


@dataclass(frozen=True, slots=True)
class Ownership:
    """What one owned unit costs: bought once, written off evenly over its life, fed and housed meanwhile."""

    purchase_micros: int = 0
    lifetime_hours: int = 0
    """Over which the purchase is written off; a year is 8,760 hours."""
    watts: int = 0
    """What it draws on average, without the building's share."""
    micros_per_kwh: int = 0
    pue_milli: int = 1_000
    """Power usage effectiveness in thousandths: what the building draws for each watt of the unit."""
    hosting_micros_per_month: int = 0

    @property
    def running(self) -> Rate:
        """Power and hosting, as long as it stands: what goes on being paid once it is bought."""
        power = Rate(self.watts * self.pue_milli * self.micros_per_kwh, 1_000_000)
        return power + Rate(self.hosting_micros_per_month, HOURS_PER_MONTH)

    @property
    def rate(self) -> Rate:
        """The purchase's share of each hour, and what runs."""
        return Rate(self.purchase_micros, self.lifetime_hours) + self.running if self.lifetime_hours else self.running


@dataclass(frozen=True, slots=True)
class Price:
    """What one unit of an instance type costs in one region; or, without an instance type, one GPU of a model.

    The amount is `micros_per_hour`, else `micros_per_month`, else `owned`; the first that is not 0 or None counts.
    """

    instance_type: str = ""
    """Empty means every type that has GPUs of `gpu_model`, and the amount is for each GPU."""
    micros_per_hour: int = 0
    region: str = ""
    """Empty means every region."""
    pricing: Pricing = Pricing.ON_DEMAND
    gpu_model: str = ""
    resources: Resources = field(default_factory=Resources)
    """What one unit has, where the book says so: for comparing types that no site offers yet."""
    micros_per_month: int = 0
    owned: Ownership | None = None

    @property
    def rate(self) -> Rate:
        """The exact amount."""
        if self.micros_per_hour:
            return Rate(self.micros_per_hour)
        if self.micros_per_month:
            return Rate(self.micros_per_month, HOURS_PER_MONTH)
        return self.owned.rate if self.owned else Rate(0)

    @property
    def hourly(self) -> int:
        """Micros for one hour of one unit, rounded up."""
        return self.rate.over(1)


@dataclass(frozen=True, slots=True)
class EgressPrice:
    """What moving data from one region to another costs; an empty name matches any.

    Given for a GiB (2**30 bytes) or, as price lists have it, for a GB (10**9 bytes); the other is 0.
    """

    source: str
    destination: str
    micros_per_gib: int = 0
    micros_per_gb: int = 0

    @property
    def per_bytes(self) -> tuple[int, int]:
        """Micros, and for how many bytes."""
        return (self.micros_per_gb, 10**9) if self.micros_per_gb else (self.micros_per_gib, 2**30)


@dataclass(frozen=True, slots=True)
class Uplift:
    """What compliance adds to compute, in millionths of the compute price. Every uplift that applies is added.

    It applies at places under `jurisdiction` and to data of `data_class`; what is empty applies everywhere, or to all.
    Data about which nothing is known is taken for every class.
    """

    jurisdiction: str = ""
    ppm: int = 0
    because: str = ""
    data_class: str = ""


@dataclass(frozen=True, slots=True)
class Availability:
    """How often units of a kind are taken away, and what share of the time they are there at all.

    Of several that fit a unit, the one for its type and region counts, then for its type, then for its region.
    """

    pricing: Pricing = Pricing.SPOT
    instance_type: str = ""
    """Empty means every type."""
    region: str = ""
    """Empty means every region."""
    available_ppm: int = 1_000_000
    """The share of the time that a unit which is paid for is there to be used, in millionths."""
    interruptions_ppm_per_hour: int = 0
    """Expected interruptions of one unit in one hour, in millionths."""
    restart_ms: int = 0
    """What is paid for between an interruption and the moment when work goes on."""
    lost_work_ms: int = 0
    """What a job has to do again, unless it says how often it saves its state."""
    because: str = ""


@dataclass(frozen=True, slots=True)
class ApiPrice:
    """What somebody else's inference service asks for a thousand predictions: to compare with, never to place on."""

    name: str
    micros_per_thousand: int
    device: str = ""
    """What it computes on, where it says so, such as `gpu` or `cpu`."""


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Prices that hold from a moment on. A higher version replaces a lower one, from its own moment on.

    Books of several names hold side by side; `placement.money.books` says which, and what counts where two speak.
    """

    name: str
    version: int = 1
    currency: str = "USD"
    effective_from: int = 0
    prices: tuple[Price, ...] = ()
    egress: tuple[EgressPrice, ...] = ()
    uplifts: tuple[Uplift, ...] = ()
    idle_owned_ppm: int = 50_000
    """What owned capacity that stands idle is charged for use: a share of its hourly price, in millionths."""
    precedence: int = 0
    """Where two books price the same thing, the higher one counts."""
    availability: tuple[Availability, ...] = ()
    apis: tuple[ApiPrice, ...] = ()
    sources: tuple[str, ...] = ()
    """Where the prices were read, and when."""

    @property
    def ref(self) -> str:
        """As decisions cite it: `name@version`."""
        return f"{self.name}@{self.version}"
