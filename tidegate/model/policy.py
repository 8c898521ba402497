"""Policies: named, versioned law, written as match expressions over workload, data, site, offer, operator and team.

An expression's `key` is a dotted path: `data.classes`, `data.subjects`, `data.deidentified`, `workload.kind`,
`site.jurisdiction`, `site.tier`, `site.agreements`, `operator.jurisdiction`, `offer.pricing`, `team.name`,
`labels.NAME`, ... `placement.rules.attributes` lists them all with their types; anything else is refused when the
policy is applied.
"""

from dataclasses import dataclass
from enum import StrEnum

from tidegate.model.workload import Audit, Data


class Operator(StrEnum):
    """Kubernetes' operators for match expressions, and the two that speak of lists."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"
    GT = "Gt"
    GE = "Ge"
    LT = "Lt"
    LE = "Le"
    CONTAINS_ANY = "ContainsAny"
    CONTAINS_ALL = "ContainsAll"


class Effect(StrEnum):
    """What a rule's "no" does."""

    ENFORCE = "enforce"
    """Removes the place, whatever it would save."""
    WARN = "warn"
    """Is recorded, and does nothing else."""
    PREFER = "prefer"
    """Makes the place dearer in the ranking by the rule's penalty; what is ranked is lawful already."""


@dataclass(frozen=True, slots=True)
class Expression:
    """One condition. Numbers and booleans are written as text and read by the attribute's type."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alternative:
    """Expressions that must hold together; one of several ways to satisfy a rule."""

    expressions: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One testable condition: where all of `when` hold, all of `require` must, and any one of `require_any`.

    It does not apply where `unless` is given and all of it holds.
    """

    name: str
    because: str = ""
    when: tuple[Expression, ...] = ()
    require: tuple[Expression, ...] = ()
    require_any: tuple[Alternative, ...] = ()
    effect: Effect = Effect.ENFORCE
    unless: tuple[Expression, ...] = ()
    penalty_micros_per_hour: int = 0
    """With `prefer`, what a place that says no is taken to cost more; no money that anybody is charged."""


@dataclass(frozen=True, slots=True)
class PolicyTest:
    """An example that the policy's author keeps beside the rules: which sites it allows and forbids.

    An offer of a site is named `site/offer`.
    """

    name: str
    data: Data
    kind: str = "InferenceService"
    team: str = ""
    labels: tuple[str, ...] = ()
    """`name=value` each."""
    allows: tuple[str, ...] = ()
    forbids: tuple[str, ...] = ()
    audit: Audit = Audit.SAMPLED
    warns: tuple[str, ...] = ()
    """Sites that are allowed, but to which a rule that warns or prefers objects."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A named set of rules at one version. A higher version replaces a lower one whole."""

    name: str
    version: int
    because: str = ""
    rules: tuple[Rule, ...] = ()
    tests: tuple[PolicyTest, ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def ref(self) -> str:
        """As decisions cite it: `name@version`."""
        return f"{self.name}@{self.version}"
