"""The law compiled for one fleet's declarations, so that two hundred rules cost what a few look-ups cost.

What a rule answers over a fleet follows from the truth of its conditions on the workload, and from nothing else of the
workload but the values that its misses name. So the distinct conditions are numbered, the truths of a workload are the
bits of one number, found by one look-up for each attribute that the law speaks of, and every answer of a rule is worked
out once (`LawRule.allows`, `LawRule.findings`) and then shared, record and all. The answers of the whole law for one
set of truths are kept together as well (`Legal`).

A value also says which rules it makes silent, since one of their conditions on when they apply fails for it. What is
left when all attributes have said so are the rules that apply. Their answers are joined group by group, and a group
that was met before with the same rules applying is not gone through again. Numbers are kept by where they stand among
the numbers that conditions name, not one by one.

Nothing here knows what a rule means: an answer that was kept is the answer that the rule gave. It is forgotten with the
columns it was made for, when a site is declared anew.

Limits: `MOST_ANSWERS` numbers are kept for a law, site by site; then everything is forgotten and worked out again. Of
the answers of the whole law those of the last `MOST_LEGAL` sets of truths are.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from placement.explain import record, record_silent
from placement.fleet.columns import Columns, Mask
from placement.fleet.fleet import Fleet
from placement.lately import Lately
from placement.law.legal import Group, Legal, joined
from placement.rules.attributes import Attribute, Found, Type
from placement.rules.expressions import Condition
from placement.rules.law import LawRule, together
from placement.rules.rule import Column
from tidegate.model.decision import RuleColumn
from tidegate.model.policy import Expression
from tidegate.model.workload import Workload

MOST_ANSWERS = 50_000_000
"""Sites times the answers kept: about as many bytes."""

MOST_LEGAL = 1_000

GROUP = 8
"""Rules whose answers are joined once and for all, for those of them that apply: 256 ways at most, of plain rules, each
of which is a byte of the number that says who applies."""

MOST_VALUES = 10_000
"""Values of one attribute whose truths are kept."""

Test = tuple[Expression, bool]
"""What makes two conditions the same: the expression, and whether it is required."""
Truths = tuple[int, ...]
"""For each data set that the workload holds, the truth of every condition on the workload, as bits."""
Key = tuple[Truths, tuple[tuple[Found, ...], ...]]
"""What the answers of the whole law follow from: the truths, and for each data set the values that a miss may name."""
Variants = tuple[Any, ...]
"""For each rule of a group of which it matters: its number, truths, and the values that its misses name."""
Truth = tuple[int, int]
"""The conditions that hold for a value, as bits, and the rules that are silent for it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One rule's answer over the fleet, with its record."""

    column: Column
    record: RuleColumn
    offers: Mask | None
    """Shape (offers,): what the rule allows, where it is enforced, speaks of offers and refuses some."""


class _Rule:
    """A rule, with the bits of its own conditions and the answers it has given."""

    def __init__(self, rule: LawRule, bits: dict[Test, int], asked: dict[str, int], sites: int) -> None:
        self.rule = rule
        self.enforced, self.of_offers, self.of_data = rule.enforced, rule.of_offers, rule.of_data
        self.prefers = rule.penalty_micros_per_hour > 0
        self.bits = _sum(bits, rule.conditions)
        wanted = (*rule.require, *(condition for way in rule.require_any for condition in way))
        self.told = tuple(dict.fromkeys(asked[c.attribute.key] for c in wanted if c.attribute.key in asked))
        """Which of the workload's attributes a miss may name."""
        self.silent = Column(rule, 0, sites)
        """What it says where it does not apply."""
        self.plain = not self.told and _sum(bits, rule.conditions) == _sum(bits, rule.when)
        """Whether a workload to which it applies can make no difference to its answer."""
        self.answers: dict[Hashable, Answer] = {}


def _reader(rule: LawRule, attribute: Attribute) -> Callable[[Workload], Found]:
    """How the value of an attribute is read, of a workload or of its team; any rule of one law knows the teams."""
    return attribute.of_workload or partial(rule.of_asker, attribute)


def _sum(bits: dict[Test, int], conditions: tuple[Condition, ...]) -> int:
    total = 0
    for condition in conditions:
        total |= bits.get(_test(condition), 0)
    return total


def _test(condition: Condition) -> Test:
    return condition.expression, condition.required


class _Asked:
    """One attribute of workloads or teams that the law speaks of, with every condition on it."""

    def __init__(self, attribute: Attribute, read: Callable[[Workload], Found]) -> None:
        """`read`: its value."""
        self.attribute, self.read = attribute, read
        self.conditions: list[tuple[int, Condition]] = []
        """Each with its bit."""
        self.needing: list[tuple[int, int]] = []
        """Rules, as bits, that apply only where all these conditions hold, as bits."""
        self._known: dict[Hashable, Truth] = {}
        self._scale: list[int] | None = None

    def truth(self, found: Found) -> Truth:
        """Of a value: the conditions that hold, and the rules that are silent for it."""
        key: Hashable = found if self.attribute.type is not Type.NUMBER else self._place(found)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= MOST_VALUES:
                self._known.clear()
            holds = sum(bit for bit, condition in self.conditions if condition.holds(found))
            silent = sum(rule for rule, bits in self.needing if holds & bits != bits)
            known = self._known[key] = (holds, silent)
        return known

    def _place(self, found: Found) -> Hashable:
        """Where a number stands among those that conditions name, which is all that any of them can tell of it."""
        if self._scale is None:
            self._scale = sorted({int(value) for _, one in self.conditions for value in one.expression.values})
        number = int(found[0])
        return bisect_left(self._scale, number), bisect_right(self._scale, number)


class Compiled:
    """See the module."""

    def __init__(self, rules: tuple[LawRule, ...], columns: Columns) -> None:
        self.rules = rules
        self._sites = max(len(columns), 1)
        self._asked: list[_Asked] = []
        asked: dict[str, int] = {}
        bits: dict[Test, int] = {}
        for rule in rules:
            for condition in rule.conditions:
                attribute = condition.attribute
                if attribute.of_workload is None and attribute.of_team is None:
                    continue
                if attribute.key not in asked:
                    asked[attribute.key] = len(asked)
                    self._asked.append(_Asked(attribute, _reader(rule, attribute)))
                if _test(condition) not in bits:
                    bit = bits[_test(condition)] = 1 << len(bits)
                    self._asked[asked[attribute.key]].conditions.append((bit, condition))
        for number, rule in enumerate(rules):
            for one in self._asked:
                needs = _sum(bits, tuple(c for c in rule.when if c.attribute.key == one.attribute.key))
                if needs:
                    one.needing.append((1 << number, needs))
        self._of_data = any(key.startswith("data.") for key in asked)
        self._of_several = any(rule.of_several for rule in rules)
        self._rules = tuple(_Rule(rule, bits, asked, len(columns)) for rule in rules)
        self._told = tuple(sorted({number for one in self._rules for number in one.told}))
        self._place = {number: index for index, number in enumerate(self._told)}
        self._not_plain = [0] * -(-len(rules) // GROUP)
        """Which rules of each group are not plain, as bits."""
        for number, one_rule in enumerate(self._rules):
            self._not_plain[number // GROUP] |= (not one_rule.plain) << number % GROUP
        self._groups: list[dict[Hashable, Group]] = [{} for _ in self._not_plain]
        """Of each group: its answers, by which rules apply and, where that does not say all, by `Variants` too."""
        self._silent_records = [record_silent(rule) for rule in rules]
        self._legal: Lately[Legal] = Lately(MOST_LEGAL)
        self._kept = 0

    def legal(self, workload: Workload, fleet: Fleet) -> Legal:
        """What the law says to a workload, at every site of the fleet that this was compiled for."""
        key, applying = self._key(workload)
        legal = self._legal.get(key)
        if legal is None:
            if self._kept > MOST_ANSWERS:
                self._forget()
            legal = self._judge(key, applying, workload, fleet)
            self._legal.put(key, legal)
        return legal

    def _key(self, workload: Workload) -> tuple[Key, int]:
        """The truths, and the values that a miss may name, for each data set that the workload holds; who applies."""
        if not self.rules:
            return ((), ()), 0
        carries = workload.carries if self._of_data else ()
        each = [workload, *(replace(workload, data=data) for data in carries)]
        if carries and self._of_several:
            each.append(together(workload))
        truths: list[int] = []
        values: list[tuple[Found, ...]] = []
        everyone, applying, told = (1 << len(self.rules)) - 1, 0, self._told
        for one in each:
            holds = silent = 0
            found: list[Found] = []
            for asked in self._asked:
                value = asked.read(one)
                found.append(value)
                truth = asked.truth(value)
                holds |= truth[0]
                silent |= truth[1]
            truths.append(holds)
            values.append(tuple([found[number] for number in told]) if told else ())
            applying |= everyone & ~silent
        return (tuple(truths), tuple(values)), applying

    def _judge(self, key: Key, applying: int, workload: Workload, fleet: Fleet) -> Legal:
        truths, values = key
        alone = len(truths) == 1
        groups: list[Group] = []
        by_group = applying.to_bytes(len(self._groups), "little")
        for number, (known, here, odd) in enumerate(zip(self._groups, by_group, self._not_plain, strict=True)):
            variants = () if alone and not here & odd else self._variants(number * GROUP, here, truths, values)
            answer: Hashable = (here, variants) if variants else here
            found = known.get(answer)
            if found is None:
                found = known[answer] = self._group(number * GROUP, here, variants, workload, fleet)
            groups.append(found)
        return joined(groups, len(fleet.columns))

    def _variants(self, start: int, here: int, truths: Truths, values: tuple[tuple[Found, ...], ...]) -> Variants:
        """Of each rule of a group that applies: what its answer goes by, beside that it applies."""
        alone = len(truths) == 1
        found: list[Hashable] = []
        for number in range(start, min(start + GROUP, len(self._rules))):
            one = self._rules[number]
            if (one.plain and alone) or not here >> (number - start) & 1:
                continue
            own = truths if one.of_data else truths[:1]
            named = tuple(tuple(seen[self._place[told]] for told in one.told) for seen in values[: len(own)])
            found.append((number, tuple(truth & one.bits for truth in own), named))
        return tuple(found)

    def _group(self, start: int, here: int, variants: Variants, workload: Workload, fleet: Fleet) -> Group:
        of_rule = {variant[0]: variant[1:] for variant in variants}
        group = Group()
        for number, one in enumerate(self._rules[start : start + GROUP], start):
            if not here >> (number - start) & 1:
                group.columns.append(one.silent)
                group.records.append(self._silent_records[number])
                continue
            variant = of_rule.get(number)
            answer = one.answers.get(variant)
            if answer is None:
                answer = one.answers[variant] = self._ask(one.rule, workload, fleet)
            group.add(answer.column, answer.record, answer.offers, prefers=one.prefers, of_offers=one.of_offers)
        self._kept += 16 * GROUP + self._sites // 2
        return group

    def _ask(self, rule: LawRule, workload: Workload, fleet: Fleet) -> Answer:
        column = Column.of(rule, rule.allows(workload, fleet))
        offers = rule.offers(workload, fleet) if rule.of_offers and rule.enforced else None
        self._kept += 3 * self._sites
        return Answer(column, record(column, workload, fleet), None if offers is None or offers.all() else offers)

    def _forget(self) -> None:
        self._legal.clear()
        for known in self._groups:
            known.clear()
        for one in self._rules:
            one.answers.clear()
        self._kept = 0
