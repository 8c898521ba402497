"""Every call of every deed fails, once and for good; and then the power is cut."""

from tests.disks.failing import DEEDS, WAYS, points

FEWEST = 4
"""Calls of the shortest deed, counted once for each way to fail."""


def test_every_call_may_fail_and_nothing_that_was_acknowledged_is_lost() -> None:
    found = points()
    assert not found.wrong, found.wrong[0]
    assert set(found.tried) == {f"{deed.life}: {deed.name}" for deed in DEEDS}
    assert min(found.tried.values()) >= FEWEST
    told = "\n".join(found.told)
    assert all(f"{way.partition(' ')[0]} at" in told for way in WAYS)
    for deed in ("log: append", "spool: append", "telemetry: receive"):
        assert found.told[f"{deed}, EIO at sync: Broken"], deed
        assert not found.told[f"{deed}, EIO at sync: done"], deed
        assert not found.told[f"{deed}, EIO at sync: Unavailable"], deed
