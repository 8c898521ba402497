"""The law compiled for one fleet's declarations, so that two hundred rules cost what a few look-ups cost.

What a rule answers over a fleet follows from the truth of its conditions on the workload, and from nothing else of the
workload but the values that its misses name. So the distinct conditions are numbered, the truths of a workload are the
bits of one number, found by one look-up for each attribute that the law speaks of, and every answer of a rule is worked
out once (`LawRule.allows`, `LawRule.findings`) and then shared, record and all. The answers of the whole law for one
set of truths are kept together as well (`Legal`).

Nothing here knows what a rule means: an answer that was kept is the answer that the rule gave. It is forgotten with the
columns it was made for, when a site is declared anew.

Limits: `MOST_ANSWERS` numbers are kept for a law, site by site; then everything is forgotten and worked out again.
"""

from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np

from placement.columns import Columns, Mask, Numbers
from placement.explain import record
from placement.fleet import Fleet
from placement.rules.attributes import Attribute, Found
from placement.rules.expressions import Condition
from placement.rules.law import LawRule
from placement.rules.rule import Column, to_mask
from tidegate.model.decision import RuleColumn
from tidegate.model.policy import Expression
from tidegate.model.workload import Workload

MOST_ANSWERS = 50_000_000
"""Sites times the answers kept: about as many bytes."""

MOST_VALUES = 10_000
"""Values of one attribute whose truths are kept."""

Test = tuple[Expression, bool]
"""What makes two conditions the same: the expression, and whether it is required."""
Truths = tuple[int, ...]
"""For each data set that the workload holds, the truth of every condition on the workload, as bits."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One rule's answer over the fleet, with its record."""

    column: Column
    record: RuleColumn
    offers: Mask | None
    """Shape (offers,): what the rule allows, where it is enforced, speaks of offers and refuses some."""


@dataclass(frozen=True, slots=True)
class Legal:
    """The whole law's answers for one set of truths. Shared between decisions, so never to be written to."""

    columns: tuple[Column, ...]
    records: tuple[RuleColumn, ...]
    refusing: tuple[Column, ...]
    """Of the enforced rules, those that refuse some site."""
    preferring: tuple[Column, ...]
    """Of the rules that prefer, those that apply."""
    once: int
    """The sites that some enforced rule refuses, as bits."""
    twice: int
    """The sites that two of them refuse."""
    allowed: Mask
    """Shape (sites,): where every enforced rule allows."""
    some_offer: Mask
    """The same for those rules alone that speak of offers."""
    offers: Mask | None
    """Shape (offers,): what every enforced rule on offers allows; None where that is all of them."""
    counts: dict[str, int]
    """How many sites each rule refuses, of those that refuse any."""

    def at(self, row: int, offers: range) -> "Legal":
        """The same for a fleet of that row alone, whose offers have those rows. Only who refuses is kept."""
        refusing = tuple(
            Column(column.rule, column.allowed[row : row + 1]) for column in self.refusing if column.refuses >> row & 1
        )
        return Legal(
            columns=refusing,
            records=(),
            refusing=refusing,
            preferring=(),
            once=self.once >> row & 1,
            twice=self.twice >> row & 1,
            allowed=self.allowed[row : row + 1],
            some_offer=self.some_offer[row : row + 1],
            offers=None if self.offers is None else self.offers[offers.start : offers.stop],
            counts={},
        )

    def refusals(self) -> Numbers:
        """Shape (sites,): how many enforced rules refuse each site. Counted anew, so the caller's to change."""
        refused = np.zeros(len(self.allowed), dtype=np.int64)
        for column in self.refusing:
            refused += ~column.allowed
        return refused


class _Rule:
    """A rule, with the bits of its own conditions and the answers it has given."""

    def __init__(self, rule: LawRule, bits: dict[Test, int], asked: dict[str, int]) -> None:
        self.rule = rule
        self.enforced, self.of_offers, self.of_data = rule.enforced, rule.of_offers, rule.of_data
        self.prefers = rule.penalty_micros_per_hour > 0
        self.when = _sum(bits, rule.when)
        self.bits = _sum(bits, rule.conditions)
        wanted = (*rule.require, *(condition for way in rule.require_any for condition in way))
        self.told = tuple(dict.fromkeys(asked[c.attribute.key] for c in wanted if c.attribute.key in asked))
        """Which of the workload's attributes a miss may name."""
        self.answers: dict[Hashable, Answer] = {}


def _sum(bits: dict[Test, int], conditions: tuple[Condition, ...]) -> int:
    total = 0
    for condition in conditions:
        total |= bits.get(_test(condition), 0)
    return total


def _test(condition: Condition) -> Test:
    return condition.expression, condition.required


class Compiled:
    """See the module."""

    def __init__(self, rules: tuple[LawRule, ...], columns: Columns) -> None:
        self.rules = rules
        self._sites = max(len(columns), 1)
        self._attributes: list[Attribute] = []
        self._conditions: list[list[tuple[int, Condition]]] = []
        asked: dict[str, int] = {}
        bits: dict[Test, int] = {}
        for rule in rules:
            for condition in rule.conditions:
                attribute = condition.attribute
                if attribute.of_workload is None and attribute.of_team is None:
                    continue
                if attribute.key not in asked:
                    asked[attribute.key] = len(asked)
                    self._attributes.append(attribute)
                    self._conditions.append([])
                if _test(condition) not in bits:
                    bit = bits[_test(condition)] = 1 << len(bits)
                    self._conditions[asked[attribute.key]].append((bit, condition))
        self._truths: list[dict[Found, int]] = [{} for _ in asked]
        self._of_data = any(key.startswith("data.") for key in asked)
        self._rules = tuple(_Rule(rule, bits, asked) for rule in rules)
        self._told = tuple(sorted({number for one in self._rules for number in one.told}))
        self._legal: dict[Hashable, Legal] = {}
        self._kept = 0

    def legal(self, workload: Workload, fleet: Fleet) -> Legal:
        """What the law says to a workload, at every site of the fleet that this was compiled for."""
        key = self._key(workload)
        legal = self._legal.get(key)
        if legal is None:
            if self._kept > MOST_ANSWERS:
                self._forget()
            legal = self._legal[key] = self._judge(key, workload, fleet)
            self._kept += 9 * self._sites + 16 * len(self._rules)
        return legal

    def _key(self, workload: Workload) -> tuple[Truths, tuple[tuple[Found, ...], ...]]:
        """The truths, and the values that a miss may name, for each data set that the workload holds."""
        if not self.rules:
            return (), ()
        carries = workload.carries if self._of_data else ()
        each = [workload, *(replace(workload, data=data) for data in carries)]
        truths: list[int] = []
        values: list[tuple[Found, ...]] = []
        asker = self.rules[0]
        for one in each:
            found = [asker.of_asker(attribute, one) for attribute in self._attributes]
            bits = 0
            for number, value in enumerate(found):
                known = self._truths[number].get(value)
                bits |= self._find(number, value) if known is None else known
            truths.append(bits)
            values.append(tuple(found[number] for number in self._told))
        return tuple(truths), tuple(values)

    def _find(self, number: int, value: Found) -> int:
        known = self._truths[number]
        if len(known) >= MOST_VALUES:
            known.clear()
        truth = known[value] = sum(bit for bit, condition in self._conditions[number] if condition.holds(value))
        return truth

    def _judge(self, key: tuple[Truths, tuple[tuple[Found, ...], ...]], workload: Workload, fleet: Fleet) -> Legal:
        truths, values = key
        place = {number: index for index, number in enumerate(self._told)}
        answers: list[Answer] = []
        for one in self._rules:
            when, bits = one.when, one.bits
            own = truths if one.of_data else truths[:1]
            if len(own) == 1 and own[0] & when != when:
                variant: Hashable = None  # it does not apply
            elif one.told:
                named = tuple(tuple(found[place[number]] for number in one.told) for found in values[: len(own)])
                variant = (tuple(truth & bits for truth in own), named)
            elif len(own) == 1:
                variant = own[0] & bits
            else:
                variant = tuple(truth & bits for truth in own)
            answer = one.answers.get(variant)
            if answer is None:
                answer = one.answers[variant] = self._ask(one.rule, workload, fleet)
            answers.append(answer)
        return _together(answers, self._rules, len(fleet.columns))

    def _ask(self, rule: LawRule, workload: Workload, fleet: Fleet) -> Answer:
        column = Column(rule, rule.allows(workload, fleet))
        offers = rule.offers(workload, fleet) if rule.of_offers and rule.enforced else None
        self._kept += 3 * self._sites
        return Answer(column, record(column, workload, fleet), None if offers is None or offers.all() else offers)

    def _forget(self) -> None:
        self._legal.clear()
        for one in self._rules:
            one.answers.clear()
        self._kept = 0


def _together(answers: list[Answer], rules: tuple[_Rule, ...], sites: int) -> Legal:
    once = twice = no_offer = 0
    offers: Mask | None = None
    refusing: list[Column] = []
    preferring: list[Column] = []
    counts: dict[str, int] = {}
    for answer, one in zip(answers, rules, strict=True):
        column = answer.column
        if one.prefers and (column.refuses or one.of_offers):
            preferring.append(column)
        if answer.offers is not None:
            offers = answer.offers if offers is None else offers & answer.offers
        if not column.refuses:
            continue
        counts[column.rule.name] = column.refused
        if one.enforced:
            twice |= once & column.refuses
            once |= column.refuses
            no_offer |= column.refuses if one.of_offers else 0
            refusing.append(column)
    return Legal(
        columns=tuple([answer.column for answer in answers]),
        records=tuple([answer.record for answer in answers]),
        refusing=tuple(refusing),
        preferring=tuple(preferring),
        once=once,
        twice=twice,
        allowed=~to_mask(once, sites),
        some_offer=~to_mask(no_offer, sites),
        offers=offers,
        counts=counts,
    )
