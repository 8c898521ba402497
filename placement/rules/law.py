"""Law: each rule of each policy is a column of its own, named `policy/rule`.

Compiled once for a `Law`. A condition on the workload is one truth for the whole column; a condition on sites is tested
once for each distinct value of its attribute in the fleet.
"""

from dataclasses import dataclass

import numpy as np

from placement.columns import Mask
from placement.fleet import Fleet
from placement.rules.expressions import Condition, compile_expression
from placement.rules.rule import SiteRow
from tidegate.model.decision import Miss
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

    def miss(self, workload: Workload, fleet: Fleet, site: SiteRow) -> Miss:
        """The first requirement that fails or, of the alternatives, the first failure of the one that lacks least."""
        failed = self.failures(workload, fleet, site)
        condition = failed[0]
        expression = condition.expression
        return Miss(
            rule=self.name,
            site=fleet.columns.names[site],
            key=expression.key,
            operator=expression.operator.value,
            wanted=expression.values,
            found=_found(condition, workload, fleet, site),
        )

    def failures(self, workload: Workload, fleet: Fleet, site: SiteRow) -> Conditions:
        """What would have to become true at a refused site: every failed requirement, and the least alternative's."""
        failed = _failing(self.require, workload, fleet, site)
        lacking = [_failing(alternative, workload, fleet, site) for alternative in self.require_any]
        return failed + (min(lacking, key=len) if lacking else ())


def _failing(conditions: Conditions, workload: Workload, fleet: Fleet, site: SiteRow) -> Conditions:
    return tuple(c for c in conditions if not c.holds(_found(c, workload, fleet, site)))


def _found(condition: Condition, workload: Workload, fleet: Fleet, site: SiteRow) -> tuple[str, ...]:
    attribute = condition.attribute
    if attribute.of_site is not None:
        return attribute.of_site(fleet.columns.sites[site])
    assert attribute.of_workload is not None
    return attribute.of_workload(workload)


def _all(conditions: Conditions, workload: Workload, fleet: Fleet) -> Mask:
    columns = fleet.columns
    mask = np.ones(len(columns), dtype=np.bool_)
    for condition in conditions:
        of_site = condition.attribute.of_site
        if of_site is None:
            mask &= condition.of_workload(workload)
        else:
            words = columns.attribute(condition.attribute.key, (of_site(site) for site in columns.sites))
            mask &= words.where(condition.holds(value) for value in words.values)
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
