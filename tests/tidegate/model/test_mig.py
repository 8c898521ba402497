"""The MIG tables: their sums, and that a GPU is found by whatever name it goes."""

import pytest

from tidegate.model.mig import GIB, NAMES, TABLES, MigProfile, MigTable, families, gpu_milli, table_of

EVERY = [(table, profile) for table in TABLES for profile in table.profiles]


@pytest.mark.parametrize(("table", "profile"), EVERY, ids=lambda one: one.name)
def test_a_profile_keeps_within_its_gpu(table: MigTable, profile: MigProfile) -> None:
    assert profile.most * profile.slices <= table.slices
    assert all(start + profile.size <= table.size for start in profile.starts)
    assert all(b - a >= profile.size for a, b in zip(profile.starts, profile.starts[1:], strict=False))
    assert profile.name.endswith("+me") or profile.most == len(profile.starts)
    assert profile.name.startswith(f"{profile.slices}g.")
    named = int(profile.name.partition(".")[2].partition("gb")[0])
    assert named * 1000 * 85 <= profile.memory_mib * 100 <= named * 1024 * 100
    assert 0.86 <= profile.memory_mib * 2**20 / (table.memory_gb * GIB * profile.size / table.size) <= 1


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_largest_profile_is_the_gpu_and_names_are_its_own(table: MigTable) -> None:
    largest = table.profiles[-1] if table.profiles[-1].size == table.size else None
    assert largest is not None
    assert (largest.slices, largest.starts, largest.most) == (table.slices, (0,), 1)
    names = [profile.name for profile in table.profiles]
    assert len(set(names)) == len(names)


def test_the_tables_as_the_guide_prints_them() -> None:
    """Names, instances and starts of `nvidia-smi mig -lgip` and `-lgipp` on an A100 40GB."""
    (table,) = (table for table in TABLES if table.name == "a100-40gb")
    assert {profile.name: (profile.most, profile.starts, profile.size) for profile in table.profiles} == {
        "1g.5gb": (7, (0, 1, 2, 3, 4, 5, 6), 1),
        "1g.5gb+me": (1, (0, 1, 2, 3, 4, 5, 6), 1),
        "1g.10gb": (4, (0, 2, 4, 6), 2),
        "2g.10gb": (3, (0, 2, 4), 2),
        "3g.20gb": (2, (0, 4), 4),
        "4g.20gb": (1, (0,), 4),
        "7g.40gb": (1, (0,), 8),
    }
    assert [profile.masks for profile in table.profiles][3:5] == [(0b11, 0b1100, 0b110000), (0b1111, 0b11110000)]


def test_a_name_means_one_share_of_compute_whatever_the_gpu() -> None:
    shares: dict[str, set[int]] = {}
    for table, profile in EVERY:
        shares.setdefault(profile.name, set()).add(-(-1000 * profile.slices // table.slices))
    assert {name: {gpu_milli(name)} for name in NAMES} == shares
    assert (gpu_milli("1g.10gb"), gpu_milli("4g.24gb"), gpu_milli("")) == (143, 1000, 0)


@pytest.mark.parametrize(
    ("model", "memory", "name"),
    [
        ("A100", 40 * GIB, "a100-40gb"),
        ("NVIDIA A100-SXM4-80GB", 81_920 * 2**20, "a100-80gb"),
        ("a100_pcie", 80 * 10**9, "a100-80gb"),
        ("NVIDIA H100 80GB HBM3", 81_559 * 2**20, "h100-80gb"),
        ("NVIDIA H100 NVL", 95_830 * 2**20, "h100-94gb"),
        ("NVIDIA GH200 480GB", 97_871 * 2**20, "h100-96gb"),
        ("H100", 96 * 10**9, "h100-96gb"),
        ("NVIDIA H200", 143_771 * 2**20, "h200"),
        ("NVIDIA B200", 183_359 * 2**20, "b200"),
        ("A30", 24 * GIB, "a30"),
    ],
)
def test_a_gpu_is_known_by_model_and_memory(model: str, memory: int, name: str) -> None:
    table = table_of(model, memory)
    assert table is not None
    assert table.name == name


def test_what_cannot_be_divided_has_no_table() -> None:
    assert table_of("L4", 24 * GIB) is None
    assert table_of("", 0) is None
    assert families("NVIDIA A10") == ()
