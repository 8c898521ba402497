"""Quantities: what is written comes back to the same number, and nothing is guessed or rounded."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.manifests import quantities as q

WHOLE = st.integers(0, q.LARGEST)
ROUND = st.builds(lambda figure, power: figure * 1024**power, st.integers(0, 1000), st.integers(0, 5))


@given(WHOLE | ROUND)
def test_every_amount_is_written_so_that_it_is_read_back(amount: int) -> None:
    assert q.parse_bytes(q.format_bytes(amount)) == amount
    assert q.parse_cpus(q.format_cpus(amount)) == amount
    assert q.parse_duration(q.format_duration(amount)) == amount
    assert q.parse_money(q.format_money(amount)) == amount


@given(st.integers(0, 1_000_000))
def test_every_share_is_written_both_ways_and_read_back(ppm: int) -> None:
    assert q.parse_share(q.format_share(ppm)) == ppm
    assert q.parse_share(q.format_percent(ppm)) == ppm


@pytest.mark.parametrize(
    ("parse", "written", "meant"),
    [
        (q.parse_bytes, "24Gi", 24 * 2**30),
        (q.parse_bytes, "1.5k", 1500),
        (q.parse_bytes, "4096", 4096),
        (q.parse_bytes, "0.5Ki", 512),
        (q.parse_cpus, "500m", 500),
        (q.parse_cpus, "0.5", 500),
        (q.parse_cpus, "2", 2000),
        (q.parse_duration, "50ms", 50_000),
        (q.parse_duration, "250us", 250),
        (q.parse_duration, "1.5h", 5_400_000_000),
        (q.parse_money, "$1.20", 1_200_000),
        (q.parse_money, "0.000001", 1),
        (q.parse_share, "5%", 50_000),
        (q.parse_share, "0.01", 10_000),
    ],
)
def test_what_people_write(parse: Callable[[str], int], written: str, meant: int) -> None:
    assert parse(written) == meant


@pytest.mark.parametrize(
    ("form", "amount", "written"),
    [
        (q.format_bytes, 40 * 2**30, "40Gi"),
        (q.format_bytes, 1000, "1k"),
        (q.format_cpus, 500, "500m"),
        (q.format_duration, 72 * 3_600_000_000, "72h"),
        (q.format_duration, 50_000, "50ms"),
        (q.format_money, 170_000, "$0.17"),
        (q.format_money, 1_006_400, "$1.0064"),
        (q.format_percent, 50_000, "5%"),
    ],
)
def test_what_people_read(form: Callable[[int], str], amount: int, written: str) -> None:
    assert form(amount) == written


@pytest.mark.parametrize(
    ("parse", "written"),
    [
        (q.parse_bytes, "0.5"),
        (q.parse_bytes, "24GB"),
        (q.parse_bytes, "-1"),
        (q.parse_bytes, "8Ei"),
        (q.parse_bytes, "\u0664"),
        (q.parse_bytes, "9" * 5000),
        (q.parse_cpus, "0.0001"),
        (q.parse_duration, "50"),
        (q.parse_duration, "50 parsecs"),
        (q.parse_money, "1e3"),
        (q.parse_money, "0.0000001"),
        (q.parse_share, "1.5"),
        (q.parse_share, "101%"),
    ],
)
def test_what_is_not_whole_or_not_known_is_refused(parse: Callable[[str], int], written: str) -> None:
    with pytest.raises(ValueError, match="such as"):
        parse(written)
