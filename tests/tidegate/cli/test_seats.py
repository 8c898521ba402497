"""Which GPUs a workload sits on, as people read it."""

from dataclasses import replace

import pytest

from tests.placement.places import HALL, decided, fleet, service
from tidegate.cli import explanation
from tidegate.model.decision import Seat


def test_the_gpus_of_each_copy_are_printed_and_the_rest_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    decision = decided(service(gpus=1, copies=2), fleet(HALL))
    explanation.show("inspect", decision)
    shown = capsys.readouterr().out
    assert "hall/node  unit 0  GPU 0" in shown and "hall/node  unit 0  GPU 1" in shown
    many = replace(decision, slots=(replace(decision.slots[0], count=10),), seats=(Seat(0, (1,), 6),) * 10)
    explanation.show("inspect", many)
    shown = capsys.readouterr().out
    assert "GPU 1 from slice 6" in shown and "and 2 more" in shown


def test_work_without_gpus_sits_on_none(capsys: pytest.CaptureFixture[str]) -> None:
    explanation.show("inspect", decided(service()))
    assert "sits on" not in capsys.readouterr().out
