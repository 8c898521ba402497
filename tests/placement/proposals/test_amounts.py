"""How far an amount must give way is found exactly, whatever was guessed; and few numbers are asked of."""

from hypothesis import given
from hypothesis import strategies as st

from placement.proposals.amounts import boundary

NUMBERS = st.integers(0, 10**12)


@given(NUMBERS, NUMBERS, st.data())
def test_the_nearest_number_that_fits_is_found(near: int, far: int, data: st.DataObject) -> None:
    if near == far:
        return
    toward = 1 if near > far else -1
    distance = data.draw(st.integers(1, abs(near - far)))
    guesses = data.draw(st.lists(st.integers(min(near, far), max(near, far)), max_size=9))
    asked: list[int] = []

    def fits(number: int) -> bool:
        asked.append(number)
        return toward * (near - number) >= distance

    assert boundary(fits, near, far, guesses) == near - toward * distance
    assert near not in asked and far not in asked
    assert len(asked) <= 47


def test_a_good_guess_is_asked_of_and_its_neighbour() -> None:
    asked: list[int] = []

    def fits(number: int) -> bool:
        asked.append(number)
        return number <= 4_000

    assert boundary(fits, 16_000, 1, (4_000, 8_000, 2_000)) == 4_000
    assert asked == [4_000, 4_001]
