"""Published tables as CSV: what becomes of a row, and what is refused."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.manifests import load_files, price_tables
from tidegate.model.errors import Refused
from tidegate.model.money import EgressPrice, Price, PriceBook
from tidegate.model.quantity import Resources
from tidegate.model.site import Pricing

INSTANCES = """\
provider,instance_type,gpu_model,gpus,vcpus,memory_gib,region,usd_per_hour,usd_per_hour_spot,source
runpod,1x_A100,A100-80GB,1,8,80,US,1.64,1.19,catalogue
aws,g3,,,,,us-east-1,5.0160001,,
gcp,a2 (host only),,0,12,85,us-central1,0.73948,0.29576,catalogue
"""
SHIPPED = {
    noun.name: noun
    for noun in load_files([Path(__file__).parents[3] / "deploy" / "prices"])
    if isinstance(noun, PriceBook)
}


def test_a_row_is_a_price_and_perhaps_a_second_as_spot():
    table = price_tables.read(INSTANCES, source="t.csv")
    has = Resources(gpus=1, cpus_milli=8_000, memory_bytes=80 * 2**30)
    assert table.prices == [
        Price("1x_A100", 1_640_000, "US", gpu_model="A100-80GB", resources=has),
        Price("1x_A100", 1_190_000, "US", Pricing.SPOT, "A100-80GB", has),
        Price("g3", 5_016_001, "us-east-1"),
    ]
    assert len(table.left_out) == 1 and table.left_out[0].startswith("t.csv:4: instance_type: found 'a2 (host only)'")


def test_moving_is_priced_by_the_gb_and_the_internet_is_anywhere():
    table = price_tables.read("src,dst,cost\na,internet,0.09\na,b,0.02\n", source="t.csv")
    assert table.egress == [EgressPrice("a", "", micros_per_gb=90_000), EgressPrice("a", "b", micros_per_gb=20_000)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is no price table"),
        ("a,b\n1,2\n", "is no price table"),
        ("src,dst,cost\n", "holds no price: it has no rows"),
        ("src,dst,cost\na,b,free\n", "holds no price: t.csv:2: cost: found 'free'"),
        ("src,dst,cost\na,b,-1\n", "not negative"),
        ("src,dst,cost\na,b,NaN\n", "not negative"),
        ("src,dst,cost\na,b\n", "found ''"),
        ("src,dst,cost\na,b,1\na,b,2\n", "t.csv:3: is given twice"),
        ('src,dst,cost\n"a,b,1\n', "is no CSV"),
        ("instance_type,region,usd_per_hour,gpus\nm5,us,1,many\n", "gpus: found 'many'"),
        ("\0\1\2", "is no "),
    ],
)
def test_what_is_no_price_is_named(text: str, told: str):
    with pytest.raises(Refused) as refused:
        price_tables.read(text, source="t.csv")
    assert told in str(refused.value)


def test_the_books_that_are_shipped_hold_what_the_tables_say():
    instances = {(p.instance_type, p.region): p for p in SHIPPED["aws-on-demand"].prices}
    assert len(instances) == 782
    assert instances["p5.48xlarge", "us-east-1"].hourly == 98_320_000
    assert instances["p5.48xlarge", "us-east-1"].resources.gpus == 8
    egress = {(e.source, e.destination): e.micros_per_gb for e in SHIPPED["aws-egress"].egress}
    assert len(egress) == 674
    assert (egress["us-east-1", "eu-central-1"], egress["us-east-1", ""]) == (20_000, 90_000)
    spot = [p for p in SHIPPED["neocloud"].prices if p.pricing is Pricing.SPOT]
    assert [p.hourly for p in spot] == [1_190_000, 9_520_000]
    assert all(book.sources for book in SHIPPED.values())


cells = st.one_of(
    st.sampled_from(("", "1.20", "-1", "1e99", "NaN", "a", "us-east-1", '"', "internet")), st.text(max_size=4)
)


@given(
    st.sampled_from((price_tables.INSTANCES, price_tables.EGRESS)), st.lists(st.lists(cells, max_size=4), max_size=5)
)
@settings(max_examples=200, deadline=None)
def test_rubbish_is_refused_or_left_out_and_nothing_else(header: tuple[str, ...], rows: list[list[str]]):
    text = "\n".join([",".join(header), *(",".join(row) for row in rows)])
    try:
        table = price_tables.read(text, source="t.csv")
    except Refused:
        return
    assert all(price.micros_per_hour >= 0 and price.instance_type for price in table.prices)
    assert all(one.micros_per_gb >= 0 and one.source for one in table.egress)
