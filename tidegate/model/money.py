"""Who pays, and what things cost: teams and price books. All money is whole micros (a millionth of a US dollar)."""

from dataclasses import dataclass, field

from tidegate.model.quantity import Resources
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

    @property
    def guarantee(self) -> Quota:
        """What it can always have."""
        return Quota(self.guaranteed, self.guaranteed_models)

    @property
    def ceiling(self) -> Quota:
        """What it never exceeds."""
        return Quota(self.limit or Resources(), self.limit_models)


@dataclass(frozen=True, slots=True)
class Price:
    """What one unit of an instance type costs in one region, per hour."""

    instance_type: str
    micros_per_hour: int
    region: str = ""
    """Empty means every region."""
    pricing: Pricing = Pricing.ON_DEMAND


@dataclass(frozen=True, slots=True)
class EgressPrice:
    """What moving a gibibyte from one region to another costs; an empty name matches any."""

    source: str
    destination: str
    micros_per_gib: int


@dataclass(frozen=True, slots=True)
class Uplift:
    """What compliance adds to compute at places under a jurisdiction, in millionths of the compute price."""

    jurisdiction: str
    ppm: int
    because: str = ""


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Prices that hold from a moment on. Later books replace earlier ones of the same name."""

    name: str
    version: int = 1
    currency: str = "USD"
    effective_from: int = 0
    prices: tuple[Price, ...] = ()
    egress: tuple[EgressPrice, ...] = ()
    uplifts: tuple[Uplift, ...] = ()
    idle_owned_ppm: int = 50_000
    """What owned capacity that stands idle is charged for use: a share of its hourly price, in millionths."""
