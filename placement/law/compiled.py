"""The law compiled for one fleet's declarations, so that two hundred rules cost what a few look-ups cost.

What a rule answers over a fleet follows from the truth of its conditions on the workload, and from nothing else of the
workload but the values that its misses name. So the distinct conditions are numbered, the truths of a workload are the
bits of one number, found by one look-up for each attribute that the law speaks of, and every answer of a rule is worked
out once (`LawRule.allows`, `LawRule.findings`) and then shared, record and all. The answers of the whole law for one
set of truths are kept together as well (`Legal`).

A value also says which rules it makes silent, since one of their conditions on when they apply fails for it. What is
left when all attributes have said so are the rules that apply, and only these are gone through. Numbers are kept by
where they stand among the numbers that conditions name, not one by one.

Nothing here knows what a rule means: an answer that was kept is the answer that the rule gave. It is forgotten with the
columns it was made for, when a site is declared anew.

Limits: `MOST_ANSWERS` numbers are kept for a law, site by site; then everything is forgotten and worked out again. Of
the answers of the whole law those of the last sets of truths are, `MOST_LEGAL` rule by rule.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import partial

from placement.bits import to_mask
from placement.explain import record, record_silent
from placement.fleet.columns import Columns, Mask
from placement.fleet.fleet import Fleet
from placement.lately import Lately
from placement.law.legal import Legal
from placement.rules.attributes import Attribute, Found, Type
from placement.rules.expressions import Condition
from placement.rules.law import LawRule, together
from placement.rules.rule import Column
from tidegate.model.decision import RuleColumn
from tidegate.model.policy import Expression
from tidegate.model.workload import Workload

MOST_ANSWERS = 50_000_000
"""Sites times the answers kept: about as many bytes."""

MOST_LEGAL = 200_000
"""Rules times the answers of the whole law kept: some twenty times as many bytes."""

MOST_VALUES = 10_000
"""Values of one attribute whose truths are kept."""

Test = tuple[Expression, bool]
"""What makes two conditions the same: the expression, and whether it is required."""
Truths = tuple[int, ...]
"""For each data set that the workload holds, the truth of every condition on the workload, as bits."""
Key = tuple[Truths, tuple[tuple[Found, ...], ...]]
"""What the answers of the whole law follow from: the truths, and for each data set the values that a miss may name."""
Truth = tuple[int, int]
"""The conditions that hold for a value, as bits, and the rules that are silent for it."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """One rule's answer over the fleet, with its record."""

    column: Column
    record: RuleColumn
    refuses: int
    """The sites that it refuses, where it is enforced, as bits."""
    offers: Mask | None
    """Shape (offers,): what the rule allows, where it is enforced, speaks of offers and refuses some."""
    prefers: bool
    """Whether it counts something against a site, or may count it against an offer."""
    of_offers: bool
    """Whether the rule speaks of offers."""
    is_particular: bool
    """Whether it does that, or is not enforced: there are few."""


class _Rule:
    """A rule, with the bits of its own conditions and the answers it has given."""

    def __init__(self, rule: LawRule, bits: dict[Test, int], asked: dict[str, int]) -> None:
        self.rule = rule
        self.of_offers, self.of_data = rule.of_offers, rule.of_data
        self.bits = _sum(bits, rule.conditions)
        wanted = (*rule.require, *(condition for way in rule.require_any for condition in way))
        self.told = tuple(dict.fromkeys(asked[c.attribute.key] for c in wanted if c.attribute.key in asked))
        """Which of the workload's attributes a miss may name."""
        self.plain = not self.told and _sum(bits, rule.conditions) == _sum(bits, rule.when)
        """Whether a workload to which it applies, with its own data alone, can make no difference to its answer."""
        self.answers: dict[Hashable, Answer] = {}
        """By the rule's truths and the values that its misses name."""


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
        self._is_number = attribute.type is Type.NUMBER
        self.conditions: list[tuple[int, Condition]] = []
        """Each with its bit."""
        self.needing: list[tuple[int, int]] = []
        """Rules, as bits, that apply only where all these conditions hold, as bits."""
        self.known: dict[Hashable, Truth] = {}
        """What `truth` said before, by the value; of numbers, by their place."""
        self._scale: list[int] | None = None

    def truth(self, found: Found) -> Truth:
        """Of a value: the conditions that hold, and the rules that are silent for it."""
        key: Hashable = self._place(found) if self._is_number else found
        known = self.known.get(key)
        if known is None:
            if len(self.known) >= MOST_VALUES:
                self.known.clear()
            holds = sum(bit for bit, condition in self.conditions if condition.holds(found))
            silent = sum(rule for rule, bits in self.needing if holds & bits != bits)
            known = self.known[key] = (holds, silent)
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
        self._rules = tuple(_Rule(rule, bits, asked) for rule in rules)
        self._told = tuple(sorted({number for one in self._rules for number in one.told}))
        self._place = {number: index for index, number in enumerate(self._told)}
        self._silent_records = [record_silent(rule) for rule in rules]
        self._always: list[Answer | None] = [None] * len(rules)
        """Of rules that are `plain`: the one answer to work with its own data alone, once it was given."""
        self._legal: Lately[Legal] = Lately(MOST_LEGAL // (len(rules) + 1))
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
                holding, silenced = asked.known.get(value) or asked.truth(value)
                holds |= holding
                silent |= silenced
            truths.append(holds)
            values.append(tuple([found[number] for number in told]) if told else ())
            applying |= everyone & ~silent
        return (tuple(truths), tuple(values)), applying

    def _judge(self, key: Key, applying: int, workload: Workload, fleet: Fleet) -> Legal:
        truths, values = key
        always, sites = self._always, len(fleet.columns)
        numbers = to_mask(applying, len(always)).nonzero()[0].tolist()
        known = list(map(always.__getitem__, numbers)) if len(truths) == 1 else [None] * len(numbers)
        answers = [answer for answer in known if answer]
        if len(answers) < len(numbers):
            answers = [
                answer or self._answer(number, truths, values, workload, fleet)
                for number, answer in zip(numbers, known, strict=True)
            ]
        records = self._silent_records.copy()
        once = twice = 0
        for number, answer in zip(numbers, answers, strict=True):
            records[number] = answer.record
            if refuses := answer.refuses:
                twice |= once & refuses
                once |= refuses
        some = [answer for answer in answers if answer.is_particular]
        no_offer, offers = 0, None
        for answer in some:
            if answer.of_offers:
                no_offer |= answer.refuses
            if answer.offers is not None:
                offers = answer.offers if offers is None else offers & answer.offers
        return Legal(
            refusing=[answer.column for answer in answers if answer.refuses],
            warning=[answer.column for answer in some if answer.column.refuses and not answer.column.rule.enforced],
            once=once,
            twice=twice,
            sites=sites,
            for_offers=(1 << sites) - 1 & ~no_offer,
            offers=offers,
            preferring=[answer.column for answer in some if answer.prefers],
            told=records,
        )

    def _variant(self, rule: _Rule, truths: Truths, values: tuple[tuple[Found, ...], ...]) -> Hashable:
        """What the answer of a rule goes by that applies."""
        own = truths if rule.of_data else truths[:1]
        named = tuple(tuple(seen[self._place[told]] for told in rule.told) for seen in values[: len(own)])
        return tuple(truth & rule.bits for truth in own), named

    def _answer(
        self, number: int, truths: Truths, values: tuple[tuple[Found, ...], ...], workload: Workload, fleet: Fleet
    ) -> Answer:
        """What a rule says that applies: what it said before, or what it says now that it is asked."""
        one = self._rules[number]
        if one.plain and len(truths) == 1:
            answer = self._always[number] = self._ask(one, workload, fleet)
            return answer
        variant = self._variant(one, truths, values)
        known = one.answers.get(variant)
        if known is None:
            known = one.answers[variant] = self._ask(one, workload, fleet)
        return known

    def _ask(self, one: _Rule, workload: Workload, fleet: Fleet) -> Answer:
        rule = one.rule
        self._kept += 3 * self._sites
        column = Column.of(rule, rule.allows(workload, fleet))
        offers = rule.offers(workload, fleet) if one.of_offers and rule.enforced else None
        return Answer(
            column,
            record(column, workload, fleet),
            refuses=column.refuses if rule.enforced else 0,
            offers=None if offers is None or offers.all() else offers,
            prefers=rule.penalty_micros_per_hour > 0 and bool(column.refuses or one.of_offers),
            of_offers=one.of_offers,
            is_particular=one.of_offers or not rule.enforced,
        )

    def _forget(self) -> None:
        self._legal.clear()
        self._always = [None] * len(self.rules)
        for one in self._rules:
            one.answers.clear()
        self._kept = 0
