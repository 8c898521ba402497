"""The question for bid prices: frames that come back, rubbish that is no answer, the programme asked through them."""

import json

import pytest

from broker.core.decide.proposing import Wish
from broker.solver.frames import request
from broker.solver.pricing import MOST_CLASSES, is_question, priced, question, worths_in
from broker.solver.work import work
from broker.workers.frames import joined
from tidegate.model.errors import Unavailable

MIX = {"1000/1073741824/1/0/": 60, "1000/1073741824/1/0/V100": 40}
UNITS = {"64000/274877906944/2/T4": 90, "64000/274877906944/2/V100": 10}


def test_the_worker_prices_the_mix_and_what_only_few_units_do_is_dearer():
    asked = question(MIX, UNITS)
    assert is_question(asked)
    worths = worths_in(work(asked))
    assert worths["1000/1073741824/1/0/V100"] > worths["1000/1073741824/1/0/"] >= 0


def test_a_wish_for_a_plan_is_not_taken_for_it():
    assert not is_question(request(Wish(), 1, 1.0, b"{}"))
    assert not is_question(b"")


def test_only_the_most_frequent_classes_are_priced():
    many = {f"{1_000 + number}/1073741824/1/0/": 1_000 - number for number in range(MOST_CLASSES + 9)}
    assert list(worths_in(priced(question(many, UNITS)))) == list(many)[:MOST_CLASSES]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"rubbish",
        joined([b"{"]),
        joined([b"\xff"]),
        joined([b"[]"]),
        joined([b"{}", b"{}"]),
        *(joined([json.dumps({"a": worth}).encode()]) for worth in (1.5, "1", None, True)),
    ],
)
def test_rubbish_is_no_answer(data):
    with pytest.raises(Unavailable):
        worths_in(data)
