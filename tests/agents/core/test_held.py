"""Which news is taken, and that it survives."""

from dataclasses import replace
from pathlib import Path

import pytest

from agents.core.held import Held
from agents.spool import RealFiles
from agents.store import HeldStore
from tests.support.builders import service
from tidegate.model.assignment import Assignment, Phase, Status
from tidegate.model.errors import Broken, Conflict, Refused
from tidegate.model.session import Difference


def assigned(name: str, generation: int) -> Assignment:
    return Assignment(name, service(), "press-7", generation)


HELD = Held("press-7").told(Difference(0, 4, True, (assigned("a", 2), assigned("b", 4))))


def test_a_difference_changes_what_it_names_and_keeps_the_rest() -> None:
    after = HELD.told(Difference(4, 5, False, (assigned("c", 5),), ("a",)))
    assert sorted(after.assignments) == ["b", "c"]
    assert sorted(after.leaving) == ["a"]
    assert after.left("a").leaving == {}


def test_a_whole_replaces_everything() -> None:
    after = HELD.told(Difference(0, 9, True, (assigned("z", 9),)))
    assert sorted(after.assignments) == ["z"]
    assert sorted(after.leaving) == ["a", "b"]


def test_a_generation_never_goes_back_not_even_whole() -> None:
    with pytest.raises(Refused):
        HELD.told(Difference(0, 3, True))


def test_a_difference_for_another_state_asks_for_the_whole() -> None:
    with pytest.raises(Conflict):
        HELD.told(Difference(3, 6, False))


def test_an_older_broker_is_refused() -> None:
    with pytest.raises(Refused):
        HELD.greeted(5).greeted(4)


def test_an_end_stands_until_a_newer_generation_of_the_same_work() -> None:
    ended = HELD.finished(Status("a", 2, Phase.SUCCEEDED))
    assert ended.told(Difference(4, 5, False)).ended
    assert not ended.told(Difference(4, 5, False, (assigned("a", 5),))).ended


def test_what_was_written_is_read_back_whole(tmp_path: Path) -> None:
    held = replace(HELD, epoch=3, away_since=77, leaving={"x": assigned("x", 1)})
    held = held.finished(Status("a", 2, Phase.FAILED, "no", 3))
    HeldStore(RealFiles(), str(tmp_path), "press-7").write(held)
    assert HeldStore(RealFiles(), str(tmp_path), "press-7").read() == held


def test_a_damaged_or_foreign_file_is_never_half_believed(tmp_path: Path) -> None:
    store = HeldStore(RealFiles(), str(tmp_path), "press-7")
    store.write(HELD)
    with pytest.raises(Broken):
        HeldStore(RealFiles(), str(tmp_path), "press-8").read()
    path = tmp_path / "held.json"
    path.write_bytes(path.read_bytes().replace(b'"generation": 4', b'"generation": 5'))
    with pytest.raises(Broken):
        store.read()


@pytest.mark.parametrize("name", ["../../etc", "a/b", "", ".", "..", "x" * 64, "w1\n", "-w"])
def test_an_id_that_is_no_plain_word_is_refused_since_a_folder_is_called_so(name: str) -> None:
    with pytest.raises(Refused, match="no id"):
        HELD.told(Difference(4, 5, False, (assigned(name, 5),)))
