"""The journal of units: who is behind is told each unit once, as it was; who is too far behind is told that."""

from placement.fleet.journal import MOST_CAUGHT_UP, MOST_ENTRIES, Before, Journal, Left

A, B = (0, 0), (3, 1)


def test_each_unit_is_told_once_as_it_was() -> None:
    journal = Journal()
    journal.add(A, Left(2, 8, 64), False)
    place = journal.end
    journal.add(A, Left(2, 7, 64), False)
    journal.add(B, Left(0, 4, 32), False)
    journal.add(A, Left(1, 6, 64), True)
    assert journal.since(place) == {A: Before(Left(2, 7, 64), True), B: Before(Left(0, 4, 32), False)}
    assert journal.since(journal.end) == {}


def test_what_was_undone_was_never_there() -> None:
    journal = Journal()
    journal.add(A, Left(2, 8, 64), False)
    place = journal.end
    journal.add(B, Left(0, 4, 32), False)
    journal.add(B, Left(0, 3, 32), False)
    journal.undo(place)
    assert journal.end == place
    assert journal.since(0) == {A: Before(Left(2, 8, 64), False)}


def test_who_is_too_far_behind_is_told_so() -> None:
    journal = Journal()
    for number in range(MOST_CAUGHT_UP):
        journal.add((number, 0), Left(0, 1, 1), False)
    assert len(journal.since(0) or ()) == MOST_CAUGHT_UP
    journal.add(A, Left(0, 1, 1), False)
    assert journal.since(0) is None
    assert len(journal.since(1) or ()) == MOST_CAUGHT_UP
    for _ in range(2 * MOST_ENTRIES):
        journal.add(A, Left(0, 1, 1), False)
    assert journal.since(1) is None
    assert journal.since(journal.end - 1) == {A: Before(Left(0, 1, 1), False)}
