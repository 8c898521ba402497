"""The refusal table: one row for each rule, with the candidate that came nearest."""

from tidegate.model.decision import Decision, Kind, Lack, Outcome, RuleColumn, Unit
from tidegate.model.explanation import summarise
from tidegate.model.packed import pack_bits, pack_numbers

LATE = Lack("latency.p99", "Le", ("plant",), (), 50_000, Unit.MICROSECONDS)
UNKNOWN = Lack("latency.p99", "Le", ("plant",), ("unknown",), 50_000, Unit.MICROSECONDS)
DECISION = Decision(
    outcome=Outcome.REFUSED,
    candidates=("a", "b", "c"),
    columns=(
        RuleColumn(
            "law/home",
            "an act",
            bits=pack_bits((False, False, True)),
            lacks=tuple(Lack("site.operator", "In", ("self",), (found,)) for found in ("aws", "gcp")),
            codes=pack_numbers((0, 1)),
        ),
        RuleColumn("available", kind=Kind.REACH),
        RuleColumn(
            "latency",
            kind=Kind.REACH,
            bits=pack_bits((False, False, False)),
            lacks=(LATE, UNKNOWN),
            codes=pack_numbers((0, 1, 0)),
            numbers=pack_numbers((90_000, 0, 61_000)),
            offers=("node", ""),
            offer_codes=pack_numbers((0, 1, 0)),
            measured_at=pack_numbers((7, 0, 0)),
        ),
    ),
)


def test_a_row_for_every_rule_that_refused_somebody() -> None:
    law, latency = summarise(DECISION)
    assert (law.rule, law.because, law.refused, law.nearest.site) == ("law/home", "an act", 2, "a")
    assert (latency.refused, latency.nearest.found_number) == (3, 61_000)


def test_packed_misses_say_what_was_wanted_and_found() -> None:
    first, second, *_ = DECISION.columns[2].misses(DECISION.candidates)
    assert (first.site, first.found_number, first.offer, first.measured_at) == ("a", 90_000, "node", 7)
    assert (second.site, second.found, second.offer) == ("b", ("unknown",), "")
    assert [miss.found for miss in DECISION.misses[:2]] == [("aws",), ("gcp",)]
