"""Rows vouch for themselves and for all rows before them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.log.record import (
    GENESIS,
    LARGEST_PAYLOAD,
    Damage,
    Head,
    Record,
    Row,
    admit,
    chained,
    first_damage,
    stands_alone,
)
from tidegate.model.errors import Refused

records = st.builds(
    Record,
    kind=st.text(min_size=1, max_size=20).filter(lambda kind: _encodes(kind)),
    version=st.integers(1, 2**31 - 1),
    at=st.integers(-(2**63), 2**63 - 1),
    payload=st.binary(max_size=64),
)


def _encodes(kind: str) -> bool:
    try:
        return 0 < len(kind.encode()) <= 128
    except UnicodeEncodeError:
        return False


@given(st.lists(records, max_size=8))
def test_rows_made_from_records_hold(made: list[Record]) -> None:
    rows = chained(Head(), made)
    assert [row.offset for row in rows] == list(range(1, len(made) + 1))
    assert first_damage(Head(), rows) is None
    assert all(stands_alone(row) for row in rows)


@given(st.lists(records, min_size=2, max_size=8), st.data())
def test_any_change_to_a_row_is_found_at_that_row(made: list[Record], data: st.DataObject) -> None:
    rows = chained(Head(), made)
    index = data.draw(st.integers(0, len(rows) - 1))
    row = rows[index]
    rows[index] = data.draw(
        st.sampled_from(
            [
                replace(row, kind=row.kind + "x"),
                replace(row, version=row.version % (2**31 - 1) + 1),
                replace(row, at=row.at + 1 if row.at < 0 else row.at - 1),
                replace(row, payload=row.payload + b"\0"),
                replace(row, crc=row.crc ^ 1),
                replace(row, chain=GENESIS),
            ]
        )
    )
    damage = first_damage(Head(), rows)
    assert damage is not None
    assert damage.offset == index + 1


@given(st.lists(records, min_size=3, max_size=6), st.data())
def test_a_row_taken_out_or_two_swapped_break_the_order(made: list[Record], data: st.DataObject) -> None:
    rows = chained(Head(), made)
    index = data.draw(st.integers(0, len(rows) - 2))
    without = [*rows[:index], *rows[index + 1 :]]
    swapped = [*rows[:index], rows[index + 1], rows[index], *rows[index + 2 :]]
    for told in (without, swapped):
        damage = first_damage(Head(), told)
        assert damage is not None
        assert damage.offset == index + 1


def test_a_row_forged_with_a_right_checksum_is_found_by_the_chain() -> None:
    honest = chained(Head(), [Record("a", 1, 0, b"1"), Record("a", 1, 0, b"2")])
    forged = chained(Head(), [Record("a", 1, 0, b"one"), Record("a", 1, 0, b"2")])
    assert first_damage(Head(), [forged[0], honest[1]]) == Damage(
        2, "the chain hash does not follow from the row before"
    )


def test_the_chain_is_the_same_on_every_machine() -> None:
    """A recorded answer: changing the format would orphan every log ever written."""
    (row,) = chained(Head(), [Record("SiteJoined", 1, 1_700_000_000_000, b"payload")])
    assert row.crc == 2773914354
    assert row.chain.hex() == "7add161dcdb3d6889faf3dcb4b036083133ebad5ab31a56115921aa350d65f58"


@pytest.mark.parametrize(
    ("record", "field"),
    [
        (Record("", 1, 0, b""), "records[0].kind"),
        (Record("k" * 129, 1, 0, b""), "records[0].kind"),
        (Record("k", 0, 0, b""), "records[0].version"),
        (Record("k", 2**31, 0, b""), "records[0].version"),
        (Record("k", 1, 2**63, b""), "records[0].at"),
        (Record("k", 1, 0, bytes(LARGEST_PAYLOAD + 1)), "records[0].payload"),
    ],
)
def test_what_could_not_be_read_back_is_refused_by_name(record: Record, field: str) -> None:
    with pytest.raises(Refused) as refused:
        admit([record])
    assert refused.value.field == field


def test_a_row_out_of_bounds_does_not_stand() -> None:
    assert not stands_alone(Row(1, "k", -1, 0, b"", 0, b""))
