"""On the production trace: FGD lies where it was published, and the house's ranking is better on the same arrivals."""

from broker.solver.bid_prices import bid_prices
from placement.pool.scoring import fgd, house
from tests.bench.packing import figures
from tests.bench.trace import load, nodes


def test_the_trace_is_the_one_that_was_published() -> None:
    trace = load()
    assert (len(trace.order), trace.gpu_milli, len(trace.tasks)) == (1_213, 6_212_000, 8_152)
    assert sum(wanted.count * wanted.ask.gpu_milli for wanted in trace.mix) == 6_086_800
    assert len(nodes()[0]) == 15


def test_fgd_leaves_what_it_was_published_to_leave_and_the_house_leaves_less() -> None:
    """Published: 4.77 % at 100 % arrivals, 4.61 at 130, seeds within 0.3. Other roundings or ties give 5.8 to 10."""
    trace = load()
    theirs = figures(trace, fgd(trace.mix, trace.kinds), seeds=(42,))[0]
    assert abs(theirs[0] - 4.77) < 0.5
    assert abs(theirs[1] - 4.61) < 0.5
    ours = figures(trace, house(trace.mix, trace.kinds, bid_prices(trace.mix, trace.fleet).worths), seeds=(42,))[0]
    assert (ours < theirs).all()
