"""What the library prints would land in whatever the process answers on."""

import highspy
import pytest

from broker.solver.highs import OPTIONS, Highs


def test_it_is_silent_from_its_first_moment_on(capfd: pytest.CaptureFixture[str]) -> None:
    solver = Highs()
    solver.addVar(0.0, 3.0)
    solver.changeColCost(0, -1.0)
    solver.run()
    assert solver.getSolution().col_value[0] == pytest.approx(3.0)
    assert capfd.readouterr() == ("", "")
    highspy.Highs()  # type: ignore[no-untyped-call]
    assert "HiGHS" in capfd.readouterr().out, "the library is silent by itself now, and this class has less to do"


def test_its_settings_took() -> None:
    solver = Highs()
    for name, value in (*OPTIONS, ("output_flag", False)):
        assert solver.getOptionValue(name)[1] == value
