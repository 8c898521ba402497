"""Law: each rule of each policy is a column of its own, named `policy/rule`.

Compiled once for a `Law`. A condition on the workload or its team is one truth for the whole column; a condition on
sites is tested once for each distinct value of its attribute in the fleet, and one on offers likewise.

A rule that speaks of offers is judged offer by offer: `offers` says which of them it allows, the packing uses no other,
and it allows a site where it allows some offer. A site that offers nothing has nothing that such a rule could refuse,
and no room either, which other rules say.

A workload is bound by all the data it holds: its own and, where it serves a model, what that was made from
(`Workload.carries`). Each is judged for itself, and a rule allows what it allows for every one of them: a model that
was made from de-identified records may stand where these may, even if its service also reads public data. A rule on
several classes at once (`ContainsAll` of two, or two conditions on classes) is asked of all of it together as well: who
serves a model made from health records to a bank's customers holds both.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from placement.fleet.columns import Columns, Mask, Numbers, Part, Words
from placement.fleet.fleet import Fleet
from placement.rules.attributes import Attribute, Found, mistaken_class
from placement.rules.expressions import Condition, compile_expression
from placement.rules.rule import Findings
from tidegate.model.decision import Kind, Lack
from tidegate.model.errors import Refused
from tidegate.model.money import Team
from tidegate.model.policy import Effect, Expression, Operator, Policy, Rule
from tidegate.model.site import Offer, Site
from tidegate.model.workload import Workload

Conditions = tuple[Condition, ...]
NO_TEAMS: Mapping[str, Team] = {}


@dataclass(frozen=True, slots=True)
class LawRule:
    """One rule of a policy: where all of `when` hold and not all of `unless`, it wants `require` and `require_any`."""

    name: str
    because: str
    effect: Effect
    when: Conditions
    unless: Conditions
    require: Conditions
    require_any: tuple[Conditions, ...]
    penalty_micros_per_hour: int = 0
    teams: Mapping[str, Team] = field(default_factory=dict, compare=False)

    @property
    def kind(self) -> Kind:
        """The law."""
        return Kind.LAW

    @property
    def reads(self) -> frozenset[Part]:
        """Declarations alone."""
        return frozenset()

    def asks(self, workload: Workload) -> None:
        """What is kept of the law is kept by `placement.law.compiled`."""

    @property
    def enforced(self) -> bool:
        """Whether its "no" removes the place."""
        return self.effect is Effect.ENFORCE

    @property
    def conditions(self) -> Conditions:
        """All of them, wherever they stand in the rule."""
        return (*self.when, *self.unless, *self.require, *(one for way in self.require_any for one in way))

    @property
    def of_offers(self) -> bool:
        """Whether it speaks of offers, and so is judged offer by offer."""
        return any(condition.attribute.of_offer for condition in self.conditions)

    @property
    def of_data(self) -> bool:
        """Whether it speaks of data, and so is asked about everything that the workload carries."""
        return any(condition.attribute.key.startswith("data.") for condition in self.conditions)

    @property
    def of_several(self) -> bool:
        """Whether it applies to several classes of data at once, and so is asked of all of them together too."""
        classes = [one.expression for one in self.when if one.attribute.key == "data.classes"]
        naming = [one for one in classes if one.operator in (Operator.CONTAINS_ANY, Operator.CONTAINS_ALL)]
        several = any(one.operator is Operator.CONTAINS_ALL and len(set(one.values)) > 1 for one in naming)
        return several or len(naming) > 1

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): True where the rule does not apply or is satisfied, on some offer where it speaks of them."""
        columns = fleet.columns
        if not self.of_offers:
            return self._judge(workload, columns)
        bare = ~columns.site_any(np.ones(len(columns.offers), dtype=np.bool_))
        some: Mask = bare | columns.site_any(self._judge(workload, columns))
        return some

    def offers(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (offers,): True where the rule has nothing against the offer; all True where it speaks of none."""
        if not self.of_offers:
            return np.ones(len(fleet.columns.offers), dtype=np.bool_)
        return self._judge(workload, fleet.columns)

    def allows_one(self, workload: Workload, site: Site, offer: Offer | None = None) -> bool:
        """The same for one offer of one site; `offer` is not looked at where the rule speaks of none."""

        def hold(conditions: Conditions, work: Workload) -> bool:
            return all(condition.holds(self.found(condition, work, site, offer)) for condition in conditions)

        def lawful(work: Workload) -> bool:
            if not hold(self.when, work) or (self.unless and hold(self.unless, work)):
                return True
            ways = self.require_any or ((),)
            return hold(self.require, work) and any(hold(way, work) for way in ways)

        return all(lawful(work) for work in self.each(workload))

    def findings(self, workload: Workload, fleet: Fleet, refused: Numbers) -> Findings:
        """The first requirement that fails or, of the alternatives, the first failure of the one that lacks least.

        Of a rule on offers, at the offer that lacks least.
        """
        columns, each = fleet.columns, self.each(workload)
        conditions = self._wanted
        rows = np.flatnonzero(np.isin(columns.offer_site, refused)) if self.of_offers else refused
        lacking, first = np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows), dtype=np.int64)
        for number, work in enumerate(each):
            count, condition = self._lacks(work, columns, rows)
            first = np.where((lacking == 0) & (count > 0), number * len(conditions) + condition, first)
            lacking += count
        if self.of_offers:
            sites = columns.offer_site[rows]
            order = np.lexsort((rows, lacking, sites))
            best = order[np.unique(sites[order], return_index=True)[1]]
            rows, first = rows[best], first[best]
        lacks: dict[Lack, int] = {}
        codes = np.zeros(len(rows), dtype=np.int64)
        for code in np.unique(first).tolist():
            number, index = divmod(code, len(conditions))
            here = np.flatnonzero(first == code)
            words = self._values(conditions[index], each[number], columns)
            for value in np.unique(words.codes[rows[here]]).tolist():
                expression = conditions[index].expression
                lack = Lack(expression.key, expression.operator.value, expression.values, words.values[value])
                codes[here[words.codes[rows[here]] == value]] = lacks.setdefault(lack, len(lacks))
        return Findings(tuple(lacks), codes=codes, offers=columns.names_of(rows) if self.of_offers else None)

    def found(self, condition: Condition, workload: Workload, site: Site, offer: Offer | None = None) -> Found:
        """The value that a condition of this rule is tested against."""
        attribute = condition.attribute
        if attribute.of_site is not None:
            return attribute.of_site(site)
        if attribute.of_offer is not None:
            return attribute.of_offer(offer) if offer else ()
        return self.of_asker(attribute, workload)

    def each(self, workload: Workload) -> tuple[Workload, ...]:
        """The workload with each of the data that it holds; only a rule on data can tell them apart."""
        carried = workload.carries if self.of_data else ()
        each = (workload, *(replace(workload, data=data) for data in carried))
        return (*each, together(workload)) if carried and self.of_several else each

    @property
    def _wanted(self) -> Conditions:
        """Every condition that the rule requires, alone or in an alternative."""
        return (*self.require, *(condition for way in self.require_any for condition in way))

    def of_asker(self, attribute: Attribute, workload: Workload) -> Found:
        """The value of an attribute of the workload or its team; a team that nobody declared says nothing."""
        if attribute.of_team is not None:
            return attribute.of_team(self.teams[workload.team]) if workload.team in self.teams else ()
        assert attribute.of_workload is not None
        return attribute.of_workload(workload)

    # By row: shapes (sites,) or, of a rule on offers, (offers,).

    def _judge(self, workload: Workload, columns: Columns) -> Mask:
        allowed = np.ones(len(columns.offers) if self.of_offers else len(columns), dtype=np.bool_)
        for each in self.each(workload):
            applies = self._applies(each, columns)
            if not applies.any():
                continue
            satisfied = self._all(self.require, each, columns)
            if self.require_any:
                satisfied &= np.any([self._all(way, each, columns) for way in self.require_any], axis=0)
            allowed &= ~applies | satisfied
        return allowed

    def _applies(self, workload: Workload, columns: Columns) -> Mask:
        applies = self._all(self.when, workload, columns)
        if self.unless:
            applies &= ~self._all(self.unless, workload, columns)
        return applies

    def _lacks(self, workload: Workload, columns: Columns, rows: Numbers) -> tuple[Numbers, Numbers]:
        """At each row: how many conditions must become true (0: none), and the number of the first of them."""
        failed = np.array([~self._truth(condition, workload, columns)[rows] for condition in self._wanted])
        count = failed[: len(self.require)].sum(axis=0)
        first = failed[: len(self.require)].argmax(axis=0) if self.require else np.zeros(len(rows), dtype=np.int64)
        if self.require_any:
            stops = np.cumsum([len(self.require), *map(len, self.require_any)]).tolist()
            ways = [failed[start:stop] for start, stop in pairwise(stops)]
            lacking = np.array([way.sum(axis=0) for way in ways])
            least = lacking.argmin(axis=0)  # the first of equals
            firsts = np.array([start + way.argmax(axis=0) for start, way in zip(stops, ways, strict=False)])
            first = np.where(count > 0, first, firsts[least, np.arange(len(rows))])
            count = count + lacking.min(axis=0)
        return np.where(self._applies(workload, columns)[rows], count, 0), first

    def _all(self, conditions: Conditions, workload: Workload, columns: Columns) -> Mask:
        mask = np.ones(len(columns.offers) if self.of_offers else len(columns), dtype=np.bool_)
        for condition in conditions:
            mask &= self._truth(condition, workload, columns)
        return mask

    def _truth(self, condition: Condition, workload: Workload, columns: Columns) -> Mask:
        words = self._values(condition, workload, columns)
        return words.where(condition.holds(value) for value in words.values)

    def _values(self, condition: Condition, workload: Workload, columns: Columns) -> Words[Found]:
        """What the condition is tested against, by row; one value for all of them where it is about the workload."""
        key, of_site, of_offer = condition.attribute.key, condition.attribute.of_site, condition.attribute.of_offer
        if of_site is not None:
            words = columns.attribute(key, (of_site(site) for site in columns.sites))
            return words.at(columns.offer_site) if self.of_offers else words
        if of_offer is not None:
            return columns.attribute(key, (of_offer(offer) for offer in columns.offers))
        rows = len(columns.offers) if self.of_offers else len(columns)
        return Words.same(self.of_asker(condition.attribute, workload), rows)


def together(workload: Workload) -> Workload:
    """The workload with all that it holds as one set of data: of every class and people, and as open as its openest."""
    sets = (workload.data, *workload.carries)
    said = all(data.subjects for data in sets)
    whole = replace(
        workload.data,
        classes=tuple(dict.fromkeys(name for data in sets for name in data.classes)),
        subjects=tuple(dict.fromkeys(name for data in sets for name in data.subjects)) if said else (),
        deidentified=all(data.deidentified for data in sets),
        attestation=workload.data.attestation if all(data.attestation for data in sets) else "",
    )
    return replace(workload, data=whole)


def lawful_offers(rules: tuple[LawRule, ...], workload: Workload, fleet: Fleet) -> Mask:
    """Shape (offers,): the offers that no enforced rule refuses. Rules that speak of sites alone refuse whole sites."""
    mask = np.ones(len(fleet.columns.offers), dtype=np.bool_)
    for rule in rules:
        if rule.enforced and rule.of_offers:
            mask &= rule.offers(workload, fleet)
    return mask


def compile_policy(policy: Policy, teams: Mapping[str, Team] = NO_TEAMS) -> tuple[LawRule, ...]:
    """Every rule of a policy, in order; Refused, with the field, at the first that means nothing."""
    return tuple(_compile(policy, rule, f"rules[{index}]", teams) for index, rule in enumerate(policy.rules))


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
        if (rule.penalty_micros_per_hour > 0) != (rule.effect is Effect.PREFER):
            prefers = rule.effect is Effect.PREFER
            raise Refused(
                f"rule {rule.name} {'prefers, but at no price' if prefers else 'has a penalty, but does not prefer'}",
                field=f"rules[{index}].penalty",
                found=rule.penalty_micros_per_hour,
                wanted="money per hour above 0" if prefers else "effect: prefer, or no penalty",
            )
    compile_policy(policy)


def warnings(policy: Policy) -> tuple[str, ...]:
    """What is allowed but is likely a mistake: classes of data that look like a known one written otherwise."""
    found: dict[str, None] = {}
    for index, rule in enumerate(policy.rules):
        ways = (("when", rule.when), ("unless", rule.unless), ("require", rule.require))
        any_of = tuple((f"requireAny[{n}]", way.expressions) for n, way in enumerate(rule.require_any))
        for part, expressions in (*ways, *any_of):
            for expression in expressions:
                for value in expression.values if expression.key == "data.classes" else ():
                    if close := mistaken_class(value):
                        found[f'rules[{index}].{part}: class "{value}" is no known one; did you mean {close}?'] = None
    return tuple(found)


def classes_named(policy: Policy) -> frozenset[str]:
    """The classes of data that its rules speak of."""
    parts = (
        expression
        for rule in policy.rules
        for part in (rule.when, rule.unless, rule.require, *(way.expressions for way in rule.require_any))
        for expression in part
    )
    return frozenset(value for one in parts if one.key == "data.classes" for value in one.values)


def _compile(policy: Policy, rule: Rule, field: str, teams: Mapping[str, Team]) -> LawRule:
    return LawRule(
        name=f"{policy.name}/{rule.name}",
        because=rule.because or policy.because,
        effect=rule.effect,
        when=_conditions(rule.when, False, f"{field}.when"),
        unless=_conditions(rule.unless, True, f"{field}.unless"),
        require=_conditions(rule.require, True, f"{field}.require"),
        require_any=tuple(
            _conditions(alternative.expressions, True, f"{field}.requireAny[{number}]")
            for number, alternative in enumerate(rule.require_any)
        ),
        penalty_micros_per_hour=rule.penalty_micros_per_hour if rule.effect is Effect.PREFER else 0,
        teams=teams,
    )


def _conditions(expressions: tuple[Expression, ...], required: bool, field: str) -> Conditions:
    return tuple(compile_expression(e, required, f"{field}[{index}]") for index, e in enumerate(expressions))
