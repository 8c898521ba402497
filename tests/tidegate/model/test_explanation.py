"""The refusal table: one row for each rule, with the candidate that came nearest."""

from tidegate.model.decision import Decision, Miss, Outcome, RuleColumn, Unit
from tidegate.model.explanation import summarise


def late(site: str, found: int, *words: str) -> Miss:
    return Miss("latency", site, "latency.p99", "Le", (), words, 50_000, found, Unit.MICROSECONDS)


def test_a_row_for_every_rule_that_refused_somebody() -> None:
    decision = Decision(
        outcome=Outcome.REFUSED,
        candidates=("a", "b", "c"),
        columns=(
            RuleColumn("law/home", "an act", b"\0\0\1"),
            RuleColumn("available", "", b"\1\1\1"),
            RuleColumn("latency", "", b"\0\0\0"),
        ),
        misses=(
            Miss("law/home", "a", "site.operator", "In", ("self",), ("aws",)),
            Miss("law/home", "b", "site.operator", "In", ("self",), ("gcp",)),
            late("a", 90_000),
            late("b", 0, "unknown"),
            late("c", 61_000),
        ),
        ranked=(),
    )
    law, latency = summarise(decision)
    assert (law.rule, law.because, law.refused, law.nearest.site) == ("law/home", "an act", 2, "a")
    assert (latency.refused, latency.nearest.found_number) == (3, 61_000)
