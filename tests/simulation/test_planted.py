"""Every planted bug can still be planted; `make sim-quick` has a tenth of them found, another with each commit."""

from tests.simulation.planted import PARTS, ROOT, turn
from tests.simulation.plants import PLANTED


def test_each_can_still_be_planted() -> None:
    assert len(PLANTED) >= 40
    for planted in PLANTED:
        assert (ROOT / planted.file).read_text().count(planted.right) == 1, planted.name


def test_names_are_told_apart_and_every_part_has_some() -> None:
    names = [planted.name for planted in PLANTED]
    assert len(set(names)) == len(names)
    assert 0 <= turn() < PARTS and all(PLANTED[part::PARTS] for part in range(PARTS))
