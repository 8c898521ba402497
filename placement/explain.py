"""Explain: from verdicts to the record of them, packed. The matrix is what the rules said; nothing is asked again.

Limits: a fleet of N sites under R rules records at most N x R misses, in one bit and some bytes each (see
`tidegate.model.packed`); no object is made for any of them.
"""

from itertools import compress
from typing import TypeVar

import numpy as np

from placement.bits import to_bytes
from placement.fleet.columns import Mask, Numbers
from placement.fleet.fleet import Fleet
from placement.recording import pack_numbers, pack_used
from placement.rules.rule import Column, Rule
from tidegate.model.decision import RuleColumn
from tidegate.model.workload import Workload

Value = TypeVar("Value")


def record(column: Column, workload: Workload, fleet: Fleet) -> RuleColumn:
    """One rule's answers, and its findings where it refused anybody; made once for a column."""
    if column.record is None:
        column.record = _record(column, workload, fleet)
    return column.record


def record_silent(rule: Rule) -> RuleColumn:
    """The record of a rule that refuses nobody."""
    return RuleColumn(
        rule.name, rule.because, rule.enforced, rule.kind, penalty_micros_per_hour=rule.penalty_micros_per_hour
    )


def _record(column: Column, workload: Workload, fleet: Fleet) -> RuleColumn:
    rule = column.rule
    if not column.refuses:
        return record_silent(rule)
    refused = (~column.allowed).nonzero()[0]
    found = rule.findings(workload, fleet, refused)
    lacks, codes = (found.lacks[:1], b"") if found.codes is None else used(found.lacks, found.codes)
    offers, offer_codes = ((), b"") if found.offers is None else used(*found.offers)
    numbers = _packed(found.numbers)
    return RuleColumn(
        rule=rule.name,
        because=rule.because,
        enforced=rule.enforced,
        kind=rule.kind,
        bits=to_bytes(~column.refuses & (1 << column.sites) - 1, column.sites),
        lacks=lacks,
        codes=codes,
        numbers=numbers,
        offers=offers,
        offer_codes=offer_codes,
        measured_at=_packed(found.measured_at),
        samples=_packed(found.samples),
        likely=numbers if found.likely is found.numbers else _packed(found.likely),
        parts=_packed(found.parts),
        penalty_micros_per_hour=rule.penalty_micros_per_hour,
        may_pass=to_bytes(~column.for_good & (1 << column.sites) - 1, column.sites),
    )


def _packed(numbers: Numbers | None) -> bytes:
    return b"" if numbers is None else pack_numbers(numbers)


def used(values: tuple[Value, ...], codes: Numbers) -> tuple[tuple[Value, ...], bytes]:
    """Those of the values that some row has, in their order, and which of them each row has."""
    present, packed = pack_used(len(values), codes)
    return tuple(compress(values, present.tolist())), packed


def pack_bits(mask: Mask) -> bytes:
    """As `tidegate.model.packed.pack_bits`."""
    return b"" if mask.all() else np.packbits(mask, bitorder="little").tobytes()
