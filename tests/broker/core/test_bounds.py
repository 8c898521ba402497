"""Numbers that nobody can mean: refused at the door by field, and no fleet in which they could add up to too much."""

import contextlib
import random
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from broker.core.commands import ApplyDeclarations, CordonSite, RecordLinks, RegisterModel, SiteAttached, SubmitWorkload
from broker.core.decide.bounds import check_bounds
from broker.core.decide.workloads import plan
from tests.placement.oracle.chance import NOW, case
from tests.support.builders import book, job, model, press, service
from tests.support.playbook import Playbook
from tidegate.model.errors import Refused
from tidegate.model.money import Team
from tidegate.model.quantity import Resources
from tidegate.model.session import Hello, Probed
from tidegate.model.site import Reach
from tidegate.model.workload import Data, Disconnect, Latency, Wait
from tidegate.wire.codec import encode

EXTREMES = (-(2**63), -1, 0, 1, 2**31, 2**40, 2**50, 2**53, 2**53 + 1, 2**62, 2**63 - 1)
WORDS = ("", "ü" * 50, "\u202e\N{SNOWMAN}", "a b/c", "x" * 253, "x" * 254, "0", "-1")


@pytest.mark.parametrize(
    ("noun", "field"),
    [
        (service(data=Data(bytes_per_day=2**62)), "data.bytes_per_day"),
        (service(data=Data(size_bytes=-1)), "data.size_bytes"),
        (service(latency=Latency(50_000, ("plant",), 2**40)), "latency.service_time_us"),
        (service(disconnect=Disconnect(replace_after_ms=2**62)), "disconnect.replace_after_ms"),
        (service(max_cost_micros_per_hour=2**60), "max_cost_micros_per_hour"),
        (job(wait=Wait(2**62)), "wait.at_most_ms"),
        (service(demand=replace(service().demand, resources=Resources(gpus=2**40))), "demand.resources.gpus"),
        (press(uplink_bytes_per_day=2**62), "uplink_bytes_per_day"),
        (press(reach=(Reach("plant", 300), Reach("branch", -5))), "reach[1].rtt_us"),
        (Team("vision", limit_models={"l4": 2**60}), "limit_models.l4"),
    ],
)
def test_what_nobody_can_mean_is_refused_by_field(noun: Any, field: str) -> None:
    with pytest.raises(Refused) as refused:
        check_bounds(noun)
    assert refused.value.field == field


def _twisted(value: Any, dice: random.Random, share: float) -> Any:
    """The value with some of its numbers, words and lists replaced by extreme ones."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return dice.choice(EXTREMES) if dice.random() < share else value
    if type(value) is str:
        return dice.choice(WORDS) if dice.random() < share / 3 else value
    if is_dataclass(value):
        return replace(value, **{f.name: _twisted(getattr(value, f.name), dice, share) for f in fields(value)})
    if isinstance(value, tuple):
        return () if dice.random() < share / 3 else tuple(_twisted(item, dice, share) for item in value)
    if isinstance(value, dict):
        return {key: _twisted(item, dice, share) for key, item in value.items()}
    return value


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_asked_is_refused_by_field_or_decided_soundly(seed: int) -> None:
    """Every decision passes the auditor, which counts in whole numbers of any size, and travels as bytes."""
    dice, question = random.Random(seed), case(seed).question
    share, play = dice.choice((0.02, 0.05, 0.2)), Playbook()

    def ask(command: Any) -> None:
        try:
            play.ask(command)
        except Refused as refused:
            assert refused.field or refused.message

    nouns = (*(facts.site for facts in question.sites.values()), *question.books, *question.policies, *question.teams)
    for noun in nouns:
        ask(ApplyDeclarations(NOW - 9, (_twisted(noun, dice, share),)))
    for name in list(play.state.sites):
        ask(SiteAttached(NOW - 8, _twisted(Hello(name, "boot", 0), dice, share)))
        ask(SiteAttached(NOW - 7, Hello(name, "boot", 0)))
        ask(RecordLinks(NOW - 6, (_twisted(Probed("plant", name, 900, 40, 1, 1_000), dice, share),)))
    ask(RegisterModel(NOW - 5, model("m")))
    for number in range(3):
        work = _twisted(replace(case(seed * 7 + number).question.work, name=f"w{number}"), dice, share)
        with contextlib.suppress(Refused):
            encode(plan(play.state, work, NOW))
        ask(SubmitWorkload(NOW + number, work))
    assert play


@pytest.mark.parametrize(
    ("noun", "field"),
    [
        (service(labels={"line": "x" * 20_000}), "labels.line"),
        (service(labels={"x" * 20_000: "1"}), f"labels.{'x' * 64}"),
        (service(data=Data(classes=("phi",) * 20_000)), "data.classes"),
    ],
)
def test_what_is_too_long_to_be_kept_is_refused_by_field(noun: Any, field: str) -> None:
    with pytest.raises(Refused, match="too long") as refused:
        check_bounds(noun)
    assert refused.value.field == field


def test_reasons_and_addresses_have_a_length() -> None:
    play = Playbook()
    play.ask(ApplyDeclarations(1, (press(),)))
    for command in (
        CordonSite(2, "press-7", because="x" * 5_000),
        SiteAttached(2, Hello("press-7", "b", 0, "x" * 300)),
    ):
        with pytest.raises(Refused, match="too long"):
            play.ask(command)


def test_a_book_from_after_the_last_date_is_refused() -> None:
    """It could be kept, but `tidegate prices list` could not say from when it holds."""
    with pytest.raises(Refused, match="not a moment"):
        Playbook().ask(ApplyDeclarations(1, (book(effective_from=2**53),)))


def test_a_book_says_where_its_prices_are_from_in_a_sentence() -> None:
    with pytest.raises(Refused, match="too long"):
        Playbook().ask(ApplyDeclarations(1, (book(sources=("x" * 20_000,)),)))
