"""Match expressions: their check when a policy is applied, and their truth.

A list attribute is `In` values when it is not empty and every element is among them, `NotIn` when no element is;
`ContainsAny` and `ContainsAll` ask whether any or all of the *values* are in the list. A `NotIn` holds for an absent
text, as in Kubernetes. A number read from a label that is no number satisfies no order.

A jurisdiction lies within a value that is the same, its group or its country: `US-CA` is in `US`, `DE` is in `EEA`. A
people or a place of which the country alone is told may lie in any region of it.

The truth of an expression is yes, no or open. It is open where it rests on something that is not known: data of which
nothing was said (`unknown`, unless the expression names that very word), or a region that was not told. Open is read as
whatever is strictest: a condition that says when a rule applies holds, one that the rule requires or that would exempt
from it (`unless`) does not.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from placement.rules.attributes import (
    OPERATORS,
    ORDER,
    PRESENCE,
    Attribute,
    Found,
    Type,
    attribute,
    nearest,
    wanted_instead,
)
from tidegate.model.errors import Refused
from tidegate.model.jurisdiction import country_of, expand, is_region
from tidegate.model.policy import Expression, Operator
from tidegate.model.workload import STRICTEST

OPEN_KEYS = frozenset({"data.classes", "data.subjects", "data.deidentified", "data.origin"})
"""Attributes that may be `unknown`."""


MOST_DIGITS = 20
"""Of a number that the law names, with its sign: no attribute has more."""


@dataclass(frozen=True, slots=True)
class Condition:
    """An expression that was checked, with its attribute and its values spelled out."""

    expression: Expression
    attribute: Attribute
    values: frozenset[str]
    """Of a jurisdiction, with the members of groups in place of them."""
    required: bool
    """Whether the rule requires it, or exempts by it; False where it says when the rule applies."""

    def holds(self, found: Found) -> bool:
        """The truth for one value of the attribute, with open read as strictest."""
        truth = self.truth(found)
        return not self.required if truth is None else truth

    def truth(self, found: Found) -> bool | None:
        """Yes, no, or None where the value found leaves it open."""
        if STRICTEST in found and self.attribute.key in OPEN_KEYS and STRICTEST not in self.values:
            return None
        if self.attribute.jurisdiction and self.expression.operator not in PRESENCE:
            return self._among_jurisdictions(expand(found))
        have = frozenset(found)
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
                return self.values <= have
            case order:
                return _ordered(order, found, self.expression.values[0])

    def _among_jurisdictions(self, found: Found) -> bool | None:
        match self.expression.operator:
            case Operator.IN:
                return _all(_within(one, self.values) for one in found) if found else False
            case Operator.NOT_IN:
                return _not(_any(_within(one, self.values) for one in found))
            case Operator.CONTAINS_ANY:
                return _any(_within(one, self.values) for one in found)
            case _:
                each = (frozenset(expand((value,))) for value in self.expression.values)
                return _all(_any(_within(one, members) for one in found) for members in each)


def _within(one: str, values: frozenset[str]) -> bool | None:
    """Whether a country or region lies within any of the values; open where only its region would tell."""
    if one in values or country_of(one) in values:
        return True
    told = is_region(one) or not any(is_region(value) and country_of(value) == one for value in values)
    return False if told else None


def _not(truth: bool | None) -> bool | None:
    return None if truth is None else not truth


def _any(truths: Iterable[bool | None]) -> bool | None:
    seen = set(truths)
    return True if True in seen else None if None in seen else False


def _all(truths: Iterable[bool | None]) -> bool | None:
    seen = set(truths)
    return False if False in seen else None if None in seen else True


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
    return len(text) <= MOST_DIGITS and text.removeprefix("-").isdecimal() and text.isascii()


def compile_expression(expression: Expression, required: bool, field: str) -> Condition:
    """The condition, or Refused with a field under `field` where the expression means nothing."""
    known = attribute(expression.key)
    if known is None:
        close = nearest(expression.key)
        wanted = f"{close} (did you mean that?)" if close else "an attribute of workload, data, site, offer or team"
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
    values = expand(expression.values) if known.jurisdiction else expression.values
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
        if wanted := wanted_instead(known, value):
            raise Refused(f"no such {known.key}", field=where, found=value, wanted=wanted)
