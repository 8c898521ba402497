"""What the whole law says of the sites to one set of truths: its rules' answers, joined as far as somebody asks."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from placement.bits import to_mask
from placement.fleet.columns import Mask, Numbers
from placement.rules.rule import Column
from tidegate.model.decision import RuleColumn


class Legal(NamedTuple):
    """The whole law's answers for one set of truths. Shared between decisions, so never to be written to."""

    refusing: Sequence[Column]
    """Of the enforced rules, those that refuse some site."""
    warning: Sequence[Column]
    """Of the others, those that do."""
    once: int
    """The sites that some enforced rule refuses, as bits."""
    twice: int
    """The sites that two enforced rules refuse, as bits."""
    sites: int
    """How many there are."""
    for_offers: int
    """The sites that every enforced rule allows which speaks of offers, as bits."""
    offers: Mask | None = None
    """Shape (offers,): what every enforced rule on offers allows; None where that is all of them."""
    preferring: Sequence[Column] = ()
    """Of the rules that prefer, those that apply."""
    told: Sequence[RuleColumn] = ()
    """The record of each rule; none of a `Legal` for one site."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """Of every rule that refuses some site."""
        return (*self.refusing, *self.warning)

    def records(self, own: list[RuleColumn]) -> tuple[RuleColumn, ...]:
        """The record of each rule, and the engine's own behind them."""
        return (*self.told, *own)

    def refusing_any(self, among: int) -> list[Column]:
        """Of the enforced rules, those that refuse some of these sites, given as bits."""
        return [column for column in self.refusing if column.refuses & among]

    @property
    def counts(self) -> dict[str, int]:
        """How many sites each rule refuses, of those that refuse any."""
        return {column.rule.name: column.refused for column in self.columns}

    def at(self, row: int, offers: range) -> "Legal":
        """The same for a fleet of that row alone, whose offers have those rows. Only who refuses is kept."""
        refusing = [Column(column.rule, 1, 1) for column in self.refusing if column.refuses >> row & 1]
        return Legal(
            refusing=refusing,
            warning=(),
            once=self.once >> row & 1,
            twice=self.twice >> row & 1,
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
