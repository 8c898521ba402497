"""The journal of units: who is behind is told each unit once, as it was and is; who is too far behind is told that."""

from placement.fleet.journal import MOST_CAUGHT_UP, MOST_ENTRIES, Change, Journal, Left

A, B = (0, 0), (3, 1)
WHOLE, PART, LESS = Left(2, 8, 64), Left(2, 7, 64), Left(1, 6, 64)


def test_each_unit_is_told_once_as_it_was_and_is() -> None:
    journal = Journal()
    journal.add(A, Change(WHOLE, PART, False))
    place = journal.end
    journal.add(A, Change(PART, LESS, True))
    journal.add(B, Change(Left(0, 4, 32), Left(0, 3, 32), False))
    journal.add(A, Change(LESS, WHOLE, False))
    assert journal.since(place) == {
        A: Change(PART, WHOLE, True),
        B: Change(Left(0, 4, 32), Left(0, 3, 32), False),
    }
    assert journal.since(journal.end) == {}


def test_what_is_as_it_was_is_not_told_unless_its_gpus_may_be_others() -> None:
    journal = Journal()
    for unit, gpus_changed in ((A, True), (B, False)):
        journal.add(unit, Change(WHOLE, LESS, gpus_changed))
        journal.add(unit, Change(LESS, WHOLE, gpus_changed))
    assert journal.since(0) == {A: Change(WHOLE, WHOLE, True)}


def test_what_was_undone_was_never_there() -> None:
    journal = Journal()
    journal.add(A, Change(WHOLE, PART, False))
    place = journal.end
    journal.add(A, Change(PART, LESS, False))
    journal.add(B, Change(WHOLE, LESS, False))
    journal.undo(place)
    assert journal.end == place
    assert journal.since(0) == {A: Change(WHOLE, PART, False)}


def test_who_is_too_far_behind_is_told_so() -> None:
    journal, change = Journal(), Change(WHOLE, PART, False)
    for number in range(MOST_CAUGHT_UP):
        journal.add((number, 0), change)
    assert len(journal.since(0) or ()) == MOST_CAUGHT_UP
    journal.add(A, change)
    assert journal.since(0) is None
    assert len(journal.since(1) or ()) == MOST_CAUGHT_UP
    for _ in range(2 * MOST_ENTRIES):
        journal.add(A, change)
    assert journal.since(1) is None
    assert journal.since(journal.end - 1) == {A: change}
