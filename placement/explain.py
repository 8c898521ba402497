"""Explain: from verdicts to the record of them, packed. The matrix is what the rules said; nothing is asked again.

Limits: a fleet of N sites under R rules records at most N x R misses, in one bit and some bytes each (see
`tidegate.model.packed`); no object is made for any of them.
"""

import numpy as np

from placement.bits import to_bytes, to_mask
from placement.fleet.columns import UNKNOWN, Columns, Mask, Numbers
from placement.fleet.fleet import Fleet
from placement.rules.rule import Column, Rule
from tidegate.model.decision import Lack, RuleColumn
from tidegate.model.workload import Workload


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
    refused = to_mask(column.refuses, column.sites).nonzero()[0]
    found = rule.findings(workload, fleet, refused)
    lacks, codes = _used(found.lacks, found.codes)
    offers, offer_codes = ((), b"") if found.offers is None else name_offers(found.offers, fleet.columns)
    return RuleColumn(
        rule=rule.name,
        because=rule.because,
        enforced=rule.enforced,
        kind=rule.kind,
        bits=to_bytes(~column.refuses & (1 << column.sites) - 1, column.sites),
        lacks=lacks,
        codes=codes,
        numbers=b"" if found.numbers is None else pack_numbers(found.numbers),
        offers=offers,
        offer_codes=offer_codes,
        measured_at=b"" if found.measured_at is None else pack_numbers(found.measured_at),
        samples=b"" if found.samples is None else pack_numbers(found.samples),
        likely=b"" if found.likely is None else pack_numbers(found.likely),
        parts=b"" if found.parts is None else pack_numbers(found.parts),
        penalty_micros_per_hour=rule.penalty_micros_per_hour,
        may_pass=to_bytes(~column.for_good & (1 << column.sites) - 1, column.sites),
    )


def _used(lacks: tuple[Lack, ...], codes: Numbers | None) -> tuple[tuple[Lack, ...], bytes]:
    """Those that some site has, in the order of first mention among `lacks`."""
    if codes is None:
        return lacks[:1], b""
    present = np.bincount(codes, minlength=len(lacks)) > 0
    if not present.all():
        lacks = tuple(lack for lack, there in zip(lacks, present.tolist(), strict=True) if there)
        codes = (np.cumsum(present) - 1)[codes]
    return lacks, pack_numbers(codes)


def name_offers(rows: Numbers, columns: Columns) -> tuple[tuple[str, ...], bytes]:
    """The offers' names, each once in the order of the fleet, and which of them each site has; no offer has no name."""
    named = columns.offer_name
    if len(named.codes) == 0:
        return ("",), b""
    nothing = len(named.values)
    codes = named.codes.take(rows, mode="wrap")  # UNKNOWN: any, put right below
    if UNKNOWN in rows:
        codes[rows == UNKNOWN] = nothing
    used = np.zeros(nothing + 1, dtype=np.int64)
    used[codes] = 1
    number = np.add.accumulate(used)
    names = ["" if value == nothing else named.values[value] for value in used.nonzero()[0].tolist()]
    return tuple(names), pack_within(number.take(codes) - 1, 0, len(names) - 1) if len(rows) else b""


def pack_bits(mask: Mask) -> bytes:
    """As `tidegate.model.packed.pack_bits`."""
    return b"" if mask.all() else np.packbits(mask, bitorder="little").tobytes()


def pack_numbers(numbers: Numbers) -> bytes:
    """As `tidegate.model.packed.pack_numbers`."""
    if len(numbers) == 0:
        return b""
    return pack_within(numbers, int(np.minimum.reduce(numbers)), int(np.maximum.reduce(numbers)))


def pack_within(numbers: Numbers, low: int, high: int) -> bytes:
    """The same where the least and the greatest are known."""
    if low == high == 0:
        return b""
    if low < 0 or high >= 1 << 32:
        return numbers.astype("<i8").tobytes()
    return numbers.astype("<u1" if high < 1 << 8 else "<u2" if high < 1 << 16 else "<u4").tobytes()
