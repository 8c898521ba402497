"""The auditor's reading of the whole law over the whole fleet: rules as sets of places, joined like sets.

A set of places is a number with a bit for each site. Which places have which value of an attribute is looked up once; a
condition is then the union of the sets of those values of which it is true (`meaning.truth`), a rule an expression
over such sets. So two hundred rules over a thousand sites take some milliseconds and not some seconds, and still every
truth is the auditor's own.

A rule that speaks of offers is not answered here: it is read place by place (`meaning.lawful`).
"""

from collections.abc import Sequence
from dataclasses import replace

from placement.audit import meaning
from tidegate.model.money import Team
from tidegate.model.policy import Expression, Rule
from tidegate.model.site import Site
from tidegate.model.workload import Workload

Places = int


class LawOverPlaces:
    """One workload's law at these sites, the first in the lowest bit.

    `said` and `truths` are what is known of these very sites from before, and what will be known (`Ground`).
    """

    def __init__(
        self,
        workload: Workload,
        sites: Sequence[Site],
        team: Team | None,
        said: dict[str, dict[tuple[str, ...], Places]] | None = None,
        truths: dict[Expression, tuple[Places, Places]] | None = None,
    ) -> None:
        self.sites, self.team = sites, team
        self.everywhere: Places = (1 << len(sites)) - 1
        self.workload = workload
        sets = [workload.data, *workload.carries]
        self.each = [replace(workload, data=data) for data in (*sets, meaning.as_one(sets))]
        """One for each of the data that it holds, and last all of it as one."""
        self.said = {} if said is None else said
        self.of_sites = {} if truths is None else truths
        self.truths: list[dict[Expression, tuple[Places, Places]]] = [{} for _ in self.each]

    def lawful(self, rule: Rule) -> Places:
        """Where a rule that speaks of no offers allows the workload, with all the data that it holds."""
        places = self.everywhere
        for number in range(len(meaning.held(rule, self.workload))):
            places &= self._lawful(rule, number)
        return places

    def _lawful(self, rule: Rule, number: int) -> Places:
        applies = self.everywhere
        for expression in rule.when:
            applies &= ~self.truth(expression, number)[1]
        if not applies:
            return self.everywhere
        if rule.unless:
            applies &= ~self._all(rule.unless, number)
        met = self._all(rule.require, number)
        if rule.require_any:
            ways = 0
            for way in rule.require_any:
                ways |= self._all(way.expressions, number)
            met &= ways
        return self.everywhere & ~applies | met

    def _all(self, expressions: tuple[Expression, ...], number: int) -> Places:
        places = self.everywhere
        for expression in expressions:
            places &= self.truth(expression, number)[0]
        return places

    def truth(self, expression: Expression, number: int) -> tuple[Places, Places]:
        """Where it is true, and where it is false, of the workload with the data of that number."""
        kept = self.of_sites if meaning.is_of_sites(expression.key) else self.truths[number]
        known = kept.get(expression)
        if known is None:
            true = false = 0
            for value, places in self._values(expression.key, number).items():
                answer = meaning.truth(expression, value)
                true |= places if answer is True else 0
                false |= places if answer is False else 0
            known = kept[expression] = (true, false)
        return known

    def _values(self, key: str, number: int) -> dict[tuple[str, ...], Places]:
        """Each value of an attribute, with the places that have it."""
        if not meaning.is_of_sites(key):
            site = self.sites[0] if self.sites else None
            return {meaning.value(key, self.each[number], site, None, self.team): self.everywhere} if site else {}
        found = self.said.get(key)
        if found is None:
            found = self.said[key] = {}
            for row, site in enumerate(self.sites):
                value = meaning.site_says(key, site)
                found[value] = found.get(value, 0) | 1 << row
        return found
