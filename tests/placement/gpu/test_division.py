"""How one GPU divides: every layout there can be, by brute force beside the bits."""

import itertools

import pytest

from placement.gpu.division import (
    EVERY_SLICE,
    MEDIA,
    Division,
    divisions_of,
    instance_mask,
    mask_of,
    more,
    places,
    worth,
)
from tidegate.model.mig import TABLES, MigProfile, MigTable

GIB = 2**30
A100 = next(table for table in TABLES if table.name == "a100-40gb")
A30 = next(table for table in TABLES if table.name == "a30")


def layouts(table: MigTable) -> set[frozenset[tuple[str, int]]]:
    """Every set of instances that can stand on one GPU, slice by slice."""
    found: set[frozenset[tuple[str, int]]] = {frozenset()}
    open_ends = list(found)
    while open_ends:
        layout = open_ends.pop()
        for profile in table.profiles:
            for start in profile.starts:
                if free(table, layout, profile, start):
                    larger = layout | {(profile.name, start)}
                    if larger not in found:
                        found.add(larger)
                        open_ends.append(larger)
    return found


def free(table: MigTable, layout: frozenset[tuple[str, int]], profile: MigProfile, start: int) -> bool:
    """As the guide says it: no slice twice, and the media extensions once."""
    slices: list[int] = [*range(start, start + profile.size)]
    media = profile.name.endswith("+me")
    for name, at in layout:
        other = table.profile(name)
        assert other is not None
        slices += range(at, at + other.size)
        media = media and not name.endswith("+me")
        if profile.name.endswith("+me") and not media:
            return False
    return len(set(slices)) == len(slices)


@pytest.mark.parametrize("table", [A30, A100], ids=lambda table: table.name)
def test_every_layout_keeps_within_the_gpu_and_is_counted_as_the_bits_say(table: MigTable) -> None:
    division = Division(table)
    every = layouts(table)
    assert len(every) > 50
    for layout in every:
        profiles = [(table.profile(name), start) for name, start in layout]
        assert sum(profile.slices for profile, _ in profiles if profile) <= table.slices
        mask = 0
        for profile, start in profiles:
            assert profile is not None
            bits = mask_of(table, profile, start)
            assert mask & bits == 0
            mask |= bits
        for profile in table.profiles:
            starts = [start for start in profile.starts if free(table, layout, profile, start)]
            most = min(len(starts), 1) if profile.name.endswith("+me") else len(starts)
            assert int(more(division, profile.name)[mask]) == most


def test_the_published_layouts_of_an_a100_are_legal() -> None:
    """Rows of the user guide's figure of profiles on the A100, as starts."""
    rows = [
        [("7g.40gb", 0)],
        [("4g.20gb", 0), ("3g.20gb", 4)],
        [("4g.20gb", 0), ("2g.10gb", 4), ("1g.5gb", 6)],
        [("3g.20gb", 0), ("3g.20gb", 4)],
        [("2g.10gb", 0), ("2g.10gb", 2), ("2g.10gb", 4), ("1g.5gb", 6)],
        [("1g.5gb", start) for start in range(7)],
        [("1g.10gb", start) for start in (0, 2, 4, 6)],
    ]
    every = layouts(A100)
    for row in rows:
        assert frozenset(row) in every
        assert all(
            b & a == 0 for a, b in itertools.combinations([instance_mask(Division(A100), *one) for one in row], 2)
        )


def test_a_single_slice_goes_where_it_costs_the_large_profiles_least() -> None:
    division = Division(A100)
    value = worth(division)
    losses = {place.start: value[0] - value[place.mask] for place in places(division, "1g.5gb")}
    assert min(losses, key=lambda start: (losses[start], start)) == 6


def test_a_layout_that_stands_leaves_its_own_instances_and_no_others() -> None:
    (first, second) = divisions_of(2, "A100", 40 * GIB, ((0, "3g.20gb", 4), (0, "1g.5gb", 0), (0, "2g.10gb", 0)))
    assert first is not None
    assert second is not None
    assert first.standing == (("3g.20gb", 4), ("1g.5gb", 0))  # what overlaps an earlier one is none
    assert [place.start for place in places(first, "3g.20gb")] == [4]
    assert int(more(first, "1g.5gb")[0]) == 1
    assert int(more(first, "2g.10gb")[0]) == 0
    assert second.standing == ()
    assert int(more(second, "2g.10gb")[0]) == 3


def test_nothing_is_beside_a_gpu_that_is_given_out_whole_or_an_instance_that_cannot_be() -> None:
    division = Division(A100)
    assert all(int(more(division, profile.name)[EVERY_SLICE]) == 0 for profile in A100.profiles)
    assert instance_mask(division, "1g.6gb", 0) == EVERY_SLICE
    assert instance_mask(division, "3g.20gb", 1) == EVERY_SLICE
    assert instance_mask(None, "3g.20gb", 1) == 0
    assert instance_mask(division, "7g.40gb", 0) & MEDIA


def test_what_cannot_be_divided_divides_nowhere() -> None:
    assert divisions_of(2, "L4", 24 * GIB, ()) == (None, None)
    assert divisions_of(1, "A100", 40 * GIB, ((3, "1g.5gb", 0), (0, "1g.5gb", 9), (0, "x", 0))) == (Division(A100),)
