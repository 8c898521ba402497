"""Law: each rule of each policy is a column of its own, named `policy/rule`.

Compiled once for a `Law`. A condition on the workload is one truth for the whole column; a condition on sites is tested
once for each distinct value of its attribute in the fleet.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from placement.columns import Columns, Mask, Numbers, Words
from placement.fleet import Fleet
from placement.rules.expressions import Condition, compile_expression
from placement.rules.rule import Findings
from tidegate.model.decision import Kind, Lack
from tidegate.model.errors import Refused
from tidegate.model.policy import Effect, Expression, Policy, Rule
from tidegate.model.workload import Workload

Conditions = tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class LawRule:
    """One rule of a policy: where all of `when` hold, all of `require` must, and any one of `require_any`."""

    name: str
    because: str
    enforced: bool
    when: Conditions
    require: Conditions
    require_any: tuple[Conditions, ...]

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): True where the rule does not apply or is satisfied."""
        applies = _all(self.when, workload, fleet)
        if not applies.any():
            return ~applies
        satisfied = _all(self.require, workload, fleet)
        if self.require_any:
            any_of = np.zeros(len(satisfied), dtype=np.bool_)
            for alternative in self.require_any:
                any_of |= _all(alternative, workload, fleet)
            satisfied &= any_of
        return ~applies | satisfied

    @property
    def kind(self) -> Kind:
        """The law."""
        return Kind.LAW

    def findings(self, workload: Workload, fleet: Fleet, refused: Numbers) -> Findings:
        """The first requirement that fails or, of the alternatives, the first failure of the one that lacks least."""
        columns = fleet.columns
        conditions = [*self.require, *(condition for way in self.require_any for condition in way)]
        failed = np.array([~_truth(condition, workload, columns)[refused] for condition in conditions])
        first = failed[: len(self.require)].argmax(axis=0) if self.require else np.zeros(len(refused), dtype=np.int64)
        if self.require_any:
            stops = np.cumsum([len(self.require), *map(len, self.require_any)]).tolist()
            ways = [failed[start:stop] for start, stop in pairwise(stops)]
            least = np.array([way.sum(axis=0) for way in ways]).argmin(axis=0)  # the first of equals
            firsts = np.array([start + way.argmax(axis=0) for start, way in zip(stops, ways, strict=False)])
            settled = failed[: len(self.require)].any(axis=0)
            first = np.where(settled, first, firsts[least, np.arange(len(refused))])
        values = [_values(condition, workload, columns) for condition in conditions]
        most = max(len(words.values) for words in values)
        found = np.array([words.codes[refused] for words in values])[first, np.arange(len(refused))]
        pairs, codes = np.unique(first * most + found, return_inverse=True)
        lacks = []
        for condition, value in (divmod(pair, most) for pair in pairs.tolist()):
            expression = conditions[condition].expression
            operator = expression.operator.value
            lacks.append(Lack(expression.key, operator, expression.values, values[condition].values[value]))
        return Findings(tuple(lacks), codes=codes.astype(np.int64))


def _values(condition: Condition, workload: Workload, columns: Columns) -> Words[tuple[str, ...]]:
    """What the condition is about, for every site; one value for all of them where it is about the workload."""
    of_site, of_workload = condition.attribute.of_site, condition.attribute.of_workload
    if of_site is not None:
        return columns.attribute(condition.attribute.key, (of_site(site) for site in columns.sites))
    assert of_workload is not None
    value = of_workload(workload)
    return Words(value for _ in columns.sites)


def _truth(condition: Condition, workload: Workload, columns: Columns) -> Mask:
    """Shape (sites,): whether the condition holds."""
    words = _values(condition, workload, columns)
    return words.where(condition.holds(value) for value in words.values)


def _all(conditions: Conditions, workload: Workload, fleet: Fleet) -> Mask:
    mask = np.ones(len(fleet.columns), dtype=np.bool_)
    for condition in conditions:
        if condition.attribute.of_workload is not None:
            mask &= condition.of_workload(workload)
        else:
            mask &= _truth(condition, workload, fleet.columns)
    return mask


def compile_policy(policy: Policy) -> tuple[LawRule, ...]:
    """Every rule of a policy, in order; Refused, with the field, at the first that means nothing."""
    return tuple(_compile(policy, rule, f"rules[{index}]") for index, rule in enumerate(policy.rules))


def check_rules(policy: Policy) -> None:
    """Refuse what `compile_policy` would, and what it would compile but nobody can have meant."""
    seen: set[str] = set()
    for index, rule in enumerate(policy.rules):
        if rule.name in seen:
            raise Refused("two rules have one name", field=f"rules[{index}].name", found=rule.name)
        seen.add(rule.name)
        if not rule.require and not rule.require_any:
            wanted = "require or requireAny"
            raise Refused(f"rule {rule.name} requires nothing", field=f"rules[{index}]", wanted=wanted)
        for number, alternative in enumerate(rule.require_any):
            if not alternative.expressions:
                field = f"rules[{index}].requireAny[{number}]"
                raise Refused("an empty alternative allows everything", field=field, wanted="at least one expression")
    compile_policy(policy)


def _compile(policy: Policy, rule: Rule, field: str) -> LawRule:
    return LawRule(
        name=f"{policy.name}/{rule.name}",
        because=rule.because or policy.because,
        enforced=rule.effect is Effect.ENFORCE,
        when=_conditions(rule.when, False, f"{field}.when"),
        require=_conditions(rule.require, True, f"{field}.require"),
        require_any=tuple(
            _conditions(alternative.expressions, True, f"{field}.requireAny[{number}]")
            for number, alternative in enumerate(rule.require_any)
        ),
    )


def _conditions(expressions: tuple[Expression, ...], required: bool, field: str) -> Conditions:
    return tuple(compile_expression(e, required, f"{field}[{index}]") for index, e in enumerate(expressions))
