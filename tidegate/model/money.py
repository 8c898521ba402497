"""Who pays, and what things cost: teams and price books. All money is whole micros (a millionth of a US dollar)."""

from dataclasses import dataclass, field

from tidegate.model.quantity import Resources
from tidegate.model.site import Pricing


@dataclass(frozen=True, slots=True)
class Team:
    """Who pays, and how much they may hold at once."""

    name: str
    guaranteed: Resources = field(default_factory=Resources)
    limit: Resources | None = None
    """Never exceeded; None means no limit."""
    borrowing: bool = True
    budget_micros_per_month: int = 0
    """0 means no budget."""


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
