"""The planner: bounds of a wish, and a broker that has no solver."""

import pytest

from broker.core.decide.proposing import Wish
from broker.runtime.planner import MOST_HOURS, TOGETHER, check
from broker.solver.process import NoSolver
from tests.support.builders import service
from tidegate.model.errors import Refused, Unavailable


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        (Wish(horizon_hours=0), "horizon_hours"),
        (Wish(horizon_hours=MOST_HOURS + 1), "horizon_hours"),
        (Wish(most_moves=0), "most_moves"),
        (Wish(most_moves=100_000), "most_moves"),
        (Wish(together=(service(),) * (TOGETHER + 1)), "together"),
    ],
)
def test_a_wish_that_nobody_can_mean_is_refused_by_its_field(wish, field):
    with pytest.raises(Refused) as refused:
        check(wish)
    assert refused.value.field == field
    check(Wish(horizon_hours=MOST_HOURS, together=(service(),) * TOGETHER))


async def test_a_broker_without_a_solver_says_so():
    with pytest.raises(Unavailable):
        await NoSolver().ask(b"")
    await NoSolver().close()
