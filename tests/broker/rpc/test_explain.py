"""Plan and Explain as calls: what was decided, then and now, and what would be cheaper, which is in no record."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from broker.core.commands import ApplyDeclarations, CancelWorkload, SiteAttached, SubmitWorkload
from broker.core.decide.placing import unwatched
from broker.log.record import Row
from broker.rpc.workloads import Workloads
from broker.runtime.history import to_record
from tests.support.builders import book, cloud, job
from tests.support.playbook import Playbook
from tidegate.model.decision import Change, Decision, Outcome, Relaxation, RulePrice
from tidegate.model.errors import NotFound
from tidegate.model.money import Price
from tidegate.model.policy import Expression, Operator, Policy, Rule
from tidegate.model.session import Hello
from tidegate.v1 import workloads_pb2 as wire
from tidegate.wire.codec import from_message, to_message

NOW = 50


class Loop:
    """Answers from a conversation's state."""

    def __init__(self, play: Playbook) -> None:
        self.play = play

    async def read(self, ask: Any) -> Any:
        return ask(self.play.state, NOW)


class Log:
    """A conversation's events, as rows."""

    def __init__(self, play: Playbook) -> None:
        self.play = play

    async def read(self, after: int, most: int) -> list[Row]:
        recorded = [one for one in self.play.recorded if one.offset > after][:most]
        each = [(one.offset, to_record(one.event)) for one in recorded]
        return [Row(offset, one.kind, one.version, one.at, one.payload, 0, b"") for offset, one in each]


class Tracing:
    """Times nothing."""

    @contextmanager
    def call(self, name: str, context: Any) -> Generator[SimpleNamespace]:
        yield SimpleNamespace(about=lambda **_: None, decided=lambda _: None, watch=unwatched)


@pytest.fixture
def play() -> Playbook:
    """A cloud region whose operator has signed what the law asks for, and a cheaper one whose has not."""
    play = Playbook()
    (offer,) = cloud().offers
    rule = Rule("signed", require=(Expression("site.agreements", Operator.CONTAINS_ALL, ("dpa",)),))
    prices = replace(book(), prices=(*book().prices, Price("m1", 90_000, "us-east-1")))
    sites = (cloud(agreements=("dpa",)), cloud("spare-us", offers=(replace(offer, name="m1"),)))
    play.ask(ApplyDeclarations(1, (*sites, prices, Policy("group", 1, rules=(rule,)))))
    for name in ("burst-us", "spare-us"):
        play.ask(SiteAttached(2, Hello(name, "boot-1", 0, f"127.0.0.1:{len(name)}")))
    return play


def service(play: Playbook) -> Workloads:
    return Workloads(Loop(play), Log(play), None, None, Tracing())  # type: ignore[arg-type]


CHEAPER = Relaxation((Change("site.agreements", "", "dpa"),), "spare-us", 90_000)


def explained(play: Playbook, workload: str, at_offset: int = 0) -> tuple[Decision, int]:
    request = wire.ExplainRequest(workload=workload, at_offset=at_offset)
    answer = asyncio.run(service(play).Explain(request, None))
    return from_message(Decision, answer.decision), answer.offset


def test_a_plan_says_what_would_be_cheaper_where_that_is_asked(play: Playbook):
    request = wire.PlanRequest(workload=to_message(job()))
    plain = asyncio.run(service(play).Plan(request, None))
    request.advise = True
    advised = asyncio.run(service(play).Plan(request, None))
    assert (plain.decision, plain.revision) == (advised.decision, advised.revision)
    assert not plain.cheaper and not plain.decision.relaxations
    assert [from_message(Relaxation, one) for one in advised.cheaper] == [CHEAPER]


def test_what_stands_is_explained_with_what_would_make_it_cheaper(play: Playbook):
    submitted = play.ask(SubmitWorkload(5, job()))
    decision, offset = explained(play, "train")
    assert (decision.outcome, decision.sites, offset) == (Outcome.PLACED, ("burst-us",), play.state.offset)
    assert decision == replace(submitted.decision, relaxations=(CHEAPER,))
    assert {miss.rule for miss in decision.misses if miss.site == "spare-us"} == {"group/signed"}
    assert decision.rule_prices == (RulePrice("group/signed", "spare-us", 110_000),)


def test_what_has_ended_is_explained_as_it_was_decided(play: Playbook):
    submitted = play.ask(SubmitWorkload(5, job()))
    play.ask(CancelWorkload(6, "train"))
    assert explained(play, submitted.workload_id)[0] == submitted.decision


def test_an_explanation_at_an_offset_is_the_record_alone(play: Playbook):
    submitted = play.ask(SubmitWorkload(5, job()))
    assert explained(play, "train", play.state.offset)[0] == submitted.decision
    with pytest.raises(NotFound) as refused:
        explained(play, "train", 1)
    assert refused.value.field == "at_offset"


def test_a_workload_that_nobody_has_is_not_found(play: Playbook):
    with pytest.raises(NotFound):
        explained(play, "nobody")
