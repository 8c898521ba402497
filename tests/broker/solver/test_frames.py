"""What is asked and answered comes back equal, and rubbish is half an answer, not an exception."""

import pytest

from broker.core.decide.proposing import Wish
from broker.solver.frames import answer, asked, plan_of, request
from broker.workers.frames import joined
from tests.support.builders import job, service
from tidegate.model.decision import Slot
from tidegate.model.errors import Conflict, NotFound, Refused, Unavailable
from tidegate.model.plan import Goal, Plan, PlannedMove


def test_a_question_comes_back_equal():
    wish = Wish((Goal.LEGAL, Goal.CHEAPER), 48, 7, (service(), job()))
    assert asked(request(wish, 12, 3.5, b"{}")) == (wish, 12, 3.5, b"{}")


def test_an_answer_comes_back_equal_and_a_refusal_is_raised():
    plan = Plan(4, (PlannedMove("w1", "a", (), (Slot("s", "o", 1),), Goal.CHEAPER, 9),), considered=3)
    assert plan_of(answer(plan)) == plan
    for family in (Refused, NotFound, Conflict):
        with pytest.raises(family) as raised:
            plan_of(answer(family("no", field="together[0]", found=7, wanted="less")))
        assert (raised.value.field, raised.value.found, raised.value.wanted) == ("together[0]", "7", "less")


@pytest.mark.parametrize("rubbish", [b"", b"\x00" * 3, joined([b"{}"]), joined([b"{}", b"", b""])])
def test_half_an_answer_is_none(rubbish):
    with pytest.raises(Unavailable):
        plan_of(rubbish)
