"""Explain: from verdicts to the record of them, packed. The matrix is what the rules said; nothing is asked again.

Limits: a fleet of N sites under R rules records at most N x R misses, in one bit and some bytes each (see
`tidegate.model.packed`); no object is made for any of them.
"""

import numpy as np

from placement.columns import UNKNOWN, Mask, Numbers
from placement.fleet import Fleet
from placement.verdicts import Column, Verdicts
from tidegate.model.decision import Lack, RuleColumn
from tidegate.model.workload import Workload


def matrix(verdicts: Verdicts, workload: Workload, fleet: Fleet) -> tuple[RuleColumn, ...]:
    """Every rule's answers with what it found at those that it refused, in the rules' order."""
    return tuple(record(column, workload, fleet) for column in verdicts.columns)


def record(column: Column, workload: Workload, fleet: Fleet) -> RuleColumn:
    """One rule's answers, and its findings where it refused anybody."""
    rule = column.rule
    refused = np.flatnonzero(~column.allowed)
    if len(refused) == 0:
        return RuleColumn(
            rule.name, rule.because, rule.enforced, rule.kind, penalty_micros_per_hour=rule.penalty_micros_per_hour
        )
    found = rule.findings(workload, fleet, refused)
    lacks, codes = _used(found.lacks, found.codes)
    offers, offer_codes = _names(found.offers, fleet)
    return RuleColumn(
        rule=rule.name,
        because=rule.because,
        enforced=rule.enforced,
        kind=rule.kind,
        bits=pack_bits(column.allowed),
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


def _names(rows: Numbers | None, fleet: Fleet) -> tuple[tuple[str, ...], bytes]:
    """The offers' names, each once in the order of the fleet, and which of them each site has; no offer has no name."""
    if rows is None:
        return (), b""
    distinct, codes = np.unique(rows, return_inverse=True)
    named = ["" if row == UNKNOWN else fleet.columns.offers[row].name for row in distinct.tolist()]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(named))}
    return tuple(numbers), pack_numbers(np.array([numbers[name] for name in named], dtype=np.int64)[codes])


def pack_bits(mask: Mask) -> bytes:
    """As `tidegate.model.packed.pack_bits`."""
    return b"" if mask.all() else np.packbits(mask, bitorder="little").tobytes()


def pack_numbers(numbers: Numbers) -> bytes:
    """As `tidegate.model.packed.pack_numbers`."""
    if not numbers.any():
        return b""
    low, high = int(numbers.min()), int(numbers.max())
    if low < 0 or high >= 1 << 32:
        return numbers.astype("<i8").tobytes()
    return numbers.astype("<u1" if high < 1 << 8 else "<u2" if high < 1 << 16 else "<u4").tobytes()
