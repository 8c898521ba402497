"""What the whole law says of the sites to one set of truths: its rules' answers, joined as far as somebody asks."""

from dataclasses import dataclass
from itertools import chain

import numpy as np

from placement.bits import to_mask
from placement.fleet.columns import Mask, Numbers
from placement.lazily import lazily
from placement.rules.rule import Column
from tidegate.model.decision import RuleColumn


class Group:
    """The answers of some rules that stand together, for some of them that apply."""

    __slots__ = ("columns", "is_more", "no_offer", "offers", "once", "preferring", "records", "refusing", "twice")

    def __init__(self) -> None:
        self.columns: list[Column] = []
        self.records: list[RuleColumn] = []
        self.refusing: list[Column] = []
        self.preferring: list[Column] = []
        self.once = self.twice = self.no_offer = 0
        """The sites that some enforced rule refuses, that two do, and that one on offers does, as bits."""
        self.offers: list[Mask] = []
        self.is_more = False
        """Whether any of its rules prefers or speaks of offers."""

    def add(self, column: Column, record: RuleColumn, offers: Mask | None, *, prefers: bool, of_offers: bool) -> None:
        """The answer of the next rule, which applies. `offers`: those it allows, where it refuses some."""
        self.columns.append(column)
        self.records.append(record)
        self.is_more |= prefers or of_offers
        if prefers and (column.refuses or of_offers):
            self.preferring.append(column)
        if offers is not None:
            self.offers.append(offers)
        if column.refuses and column.rule.enforced:
            self.no_offer |= column.refuses if of_offers else 0
            self.refuse(column)

    def refuse(self, column: Column) -> None:
        """An enforced rule refuses some site."""
        self.twice |= self.once & column.refuses
        self.once |= column.refuses
        self.refusing.append(column)


@dataclass(frozen=True)
class Legal:
    """The whole law's answers for one set of truths. Shared between decisions, so never to be written to.

    What few ask for is put together when somebody does: to go through two hundred columns takes longer than to judge.
    """

    groups: tuple[Group, ...]
    once: int
    """The sites that some enforced rule refuses, as bits."""
    sites: int
    """How many there are."""
    for_offers: int
    """The sites that every enforced rule allows which speaks of offers, as bits."""
    offers: Mask | None = None
    """Shape (offers,): what every enforced rule on offers allows; None where that is all of them."""
    preferring: tuple[Column, ...] = ()
    """Of the rules that prefer, those that apply."""

    @lazily
    def columns(self) -> tuple[Column, ...]:
        """A column for each rule; of a `Legal` for one site, for those that refuse alone."""
        return tuple([column for group in self.groups for column in group.columns])

    def records(self, own: list[RuleColumn]) -> tuple[RuleColumn, ...]:
        """The record of each, and the engine's own behind them. Put together anew: no two that ask ask the same."""
        return tuple(chain(*[group.records for group in self.groups], own))

    @property
    def twice(self) -> int:
        """The sites that two enforced rules refuse, as bits."""
        once = twice = 0
        for group in self.groups:
            twice |= once & group.once | group.twice
            once |= group.once
        return twice

    def refusing_any(self, among: int) -> list[Column]:
        """Of the enforced rules, those that refuse some of these sites, given as bits."""
        groups = [group for group in self.groups if group.once & among]
        return [column for group in groups for column in group.refusing if column.refuses & among]

    @lazily
    def refusing(self) -> tuple[Column, ...]:
        """Of the enforced rules, those that refuse some site."""
        return tuple([column for group in self.groups for column in group.refusing])

    @property
    def counts(self) -> dict[str, int]:
        """How many sites each rule refuses, of those that refuse any."""
        return {column.rule.name: column.refused for column in self.columns if column.refuses}

    def at(self, row: int, offers: range) -> "Legal":
        """The same for a fleet of that row alone, whose offers have those rows. Only who refuses is kept."""
        refusing = [Column(column.rule, 1, 1) for column in self.refusing if column.refuses >> row & 1]
        return Legal(
            groups=(refused_by(refusing),),
            once=self.once >> row & 1,
            sites=1,
            for_offers=self.for_offers >> row & 1,
            offers=None if self.offers is None else self.offers[offers.start : offers.stop],
        )

    @property
    def allowed(self) -> Mask:
        """Shape (sites,): where every enforced rule allows."""
        return ~to_mask(self.once, self.sites)

    def refusals(self) -> Numbers:
        """Shape (sites,): how many enforced rules refuse each site. Counted anew, so the caller's to change."""
        refused = np.zeros(self.sites, dtype=np.int64)
        for column in self.refusing:
            refused += ~column.allowed
        return refused


def refused_by(columns: list[Column]) -> Group:
    """A group of these columns, without a record."""
    group = Group()
    group.columns = columns
    for column in columns:
        group.refuse(column)
    return group


def joined(groups: list[Group], sites: int) -> Legal:
    """The answers of all rules, group by group."""
    once = no_offer = 0
    offers: Mask | None = None
    preferring: list[Column] = []
    for group in groups:
        once |= group.once
        if group.is_more:
            no_offer |= group.no_offer
            preferring += group.preferring
            for mask in group.offers:
                offers = mask if offers is None else offers & mask
    return Legal(tuple(groups), once, sites, (1 << sites) - 1 & ~no_offer, offers, tuple(preferring))
