"""When what waits is likely to start."""

from placement.quota.forecast import Ending, Lasting, Place, Wanting, forecast, lasting
from tidegate.model.event import Basis, Forecast

HOUR = 3_600_000
FREE_END = Lasting(None, None)


def test_what_a_team_s_jobs_took():
    assert lasting([], 0) == FREE_END
    assert lasting([], HOUR) == Lasting(HOUR, HOUR, 0, True)
    assert lasting(range(1, 11), 0) == Lasting(5, 9, 10)
    assert lasting([5, 5 * HOUR], HOUR) == Lasting(5, HOUR, 2, True)


def test_the_line_moves_up_as_work_ends():
    running = (Ending(4, 0, Lasting(2 * HOUR, 4 * HOUR, 12)), Ending(4, HOUR, Lasting(2 * HOUR, 4 * HOUR, 12)))
    ahead = Wanting(4, Lasting(HOUR, HOUR, 12))
    mine = Wanting(4, FREE_END)
    assert forecast([Place(0, running, (mine,))], HOUR) == Forecast(2 * HOUR, 4 * HOUR, Basis.LEARNED, 12)
    assert forecast([Place(0, running, (ahead, mine))], HOUR) == Forecast(3 * HOUR, 5 * HOUR, Basis.LEARNED, 12)


def test_the_soonest_site_counts():
    slow = Place(0, (Ending(4, 0, Lasting(9 * HOUR, 9 * HOUR, 3)),), (Wanting(4, FREE_END),))
    soon = Place(0, (Ending(4, 0, Lasting(HOUR, HOUR, 0, True)),), (Wanting(4, FREE_END),))
    assert forecast([slow, soon], 0) == Forecast(HOUR, HOUR, Basis.MIXED, 3)


def test_nothing_is_said_where_nothing_is_known():
    service = Place(0, (Ending(4, 0, FREE_END),), (Wanting(4, FREE_END),))
    assert forecast([service], 0) == Forecast()
    assert forecast([], 0) == Forecast()
    behind = Place(4, (), (Wanting(4, FREE_END), Wanting(1, FREE_END)))
    assert forecast([behind], 0) == Forecast(), "who stands before it may stay for ever"


def test_what_has_run_longer_than_most_may_run_as_long_again():
    late = Place(0, (Ending(4, 0, Lasting(HOUR, 2 * HOUR, 9)),), (Wanting(4, FREE_END),))
    assert forecast([late], 5 * HOUR) == Forecast(5 * HOUR, 10 * HOUR, Basis.LEARNED, 9)
