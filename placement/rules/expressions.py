"""Match expressions: their check when a policy is applied, and their truth.

A list attribute is `In` values when it is not empty and every element is among them, `NotIn` when no element is;
`ContainsAny` and `ContainsAll` ask whether any or all of the *values* are in the list. A `NotIn` holds for an absent
text, as in Kubernetes. A number read from a label that is no number satisfies no order.

Where a data class is `unknown`, the strictest class stands in: any condition on `data.classes` in a rule's `when`
holds, and any in what it requires fails, unless the expression itself names `unknown`.
"""

from dataclasses import dataclass

from placement.jurisdictions import expand
from placement.rules.attributes import (
    LISTS,
    OPERATORS,
    ORDER,
    PRESENCE,
    Attribute,
    Found,
    Type,
    attribute,
    nearest,
)
from tidegate.model.errors import Refused
from tidegate.model.policy import Expression, Operator
from tidegate.model.workload import STRICTEST, Workload, WorkloadKind

DATA_CLASSES = "data.classes"


@dataclass(frozen=True, slots=True)
class Condition:
    """An expression that was checked, with its attribute and its values spelled out."""

    expression: Expression
    attribute: Attribute
    values: frozenset[str]
    required: bool
    """Whether the rule requires it; False where it says when the rule applies."""

    def of_workload(self, workload: Workload) -> bool:
        """The truth of a condition on the workload; meaningless for one on sites."""
        assert self.attribute.of_workload is not None
        return self.holds(self.attribute.of_workload(workload))

    def holds(self, found: Found) -> bool:
        """The truth for one value of the attribute."""
        if self.attribute.key == DATA_CLASSES and STRICTEST in found and STRICTEST not in self.values:
            return not self.required
        have = frozenset(expand(found)) if self.attribute.key == "data.subjects" else frozenset(found)
        match self.expression.operator:
            case Operator.IN:
                return bool(have) and have <= self.values
            case Operator.NOT_IN:
                return not have & self.values
            case Operator.EXISTS:
                return bool(have)
            case Operator.DOES_NOT_EXIST:
                return not have
            case Operator.CONTAINS_ANY:
                return bool(have & self.values)
            case Operator.CONTAINS_ALL:
                return frozenset(self.expression.values) <= have
            case order:
                return _ordered(order, found, self.expression.values[0])


def _ordered(operator: Operator, found: Found, value: str) -> bool:
    if not found or not _is_number(found[0]):
        return False
    have, wanted = int(found[0]), int(value)
    return {
        Operator.GT: have > wanted,
        Operator.GE: have >= wanted,
        Operator.LT: have < wanted,
        Operator.LE: have <= wanted,
    }[operator]


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and text.isascii()


def compile_expression(expression: Expression, required: bool, field: str) -> Condition:
    """The condition, or Refused with a field under `field` where the expression means nothing."""
    known = attribute(expression.key)
    if known is None:
        close = nearest(expression.key)
        wanted = f"{close} (did you mean that?)" if close else "an attribute of site, data, workload, team or labels"
        raise Refused("unknown attribute", field=f"{field}.key", found=expression.key, wanted=wanted)
    if expression.operator not in OPERATORS[known.type]:
        allowed = ", ".join(sorted(operator.value for operator in OPERATORS[known.type]))
        raise Refused(
            f"{known.key} is {known.type.value}, which {expression.operator.value} cannot test",
            field=f"{field}.operator",
            found=expression.operator.value,
            wanted=f"one of {allowed}",
        )
    _check_values(expression, known, field)
    values = expand(expression.values) if known.groups else expression.values
    return Condition(expression, known, frozenset(values), required)


def _check_values(expression: Expression, known: Attribute, field: str) -> None:
    values, operator = expression.values, expression.operator
    if operator in PRESENCE and values:
        raise Refused(f"{operator.value} takes no values", field=f"{field}.values", found=values, wanted="no values")
    if operator in ORDER and len(values) != 1:
        raise Refused(f"{operator.value} takes one value", field=f"{field}.values", found=values, wanted="one number")
    if operator not in PRESENCE and not values:
        raise Refused(f"{operator.value} needs values", field=f"{field}.values", found=values, wanted="at least one")
    for index, value in enumerate(values):
        where = f"{field}.values[{index}]"
        if known.type is Type.BOOLEAN and value not in ("true", "false"):
            raise Refused(f"{known.key} is true or false", field=where, found=value, wanted="true or false")
        if (known.type is Type.NUMBER or operator in ORDER) and not _is_number(value):
            raise Refused(f"{known.key} is compared as a number", field=where, found=value, wanted="a whole number")
        enum = {"site.tier": ("edge", "on_prem", "cloud"), "workload.kind": tuple(k.value for k in WorkloadKind)}
        if known.key in enum and operator not in LISTS and value not in enum[known.key]:
            raise Refused(
                f"no such {known.key}", field=where, found=value, wanted=f"one of {', '.join(enum[known.key])}"
            )
