"""What runs in front of a job, without a cluster: commands, exit codes, timeouts, the report."""

import json
import os

import pytest

from agents.drivers.ray import runner


@pytest.fixture(autouse=True)
def signals_as_before():
    import signal

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_exit_codes_pass_through():
    assert runner.execute("exit 0", dict(os.environ), 0) == (0, "")
    assert runner.execute("exit 7", dict(os.environ), 0) == (7, "")
    assert runner.execute("kill -9 $$", dict(os.environ), 0) == (137, "killed by signal 9")


def test_a_job_past_its_time_is_killed_with_all_it_started():
    code, why = runner.execute("cat /dev/zero >/dev/null & wait", dict(os.environ), 0.2)
    assert (code, why) == (runner.TIMEOUT_EXIT, "the job ran longer than 0.2 s")


def test_the_house_is_not_on_the_jobs_path():
    given = {"PYTHONPATH": "/code:/house:", "TIDEGATE_HOUSE": "/house", "OTHER": "kept"}
    assert runner.environment(given) == {"PYTHONPATH": "/code", "OTHER": "kept"}


def test_a_report_is_always_whole(tmp_path):
    report = runner.Report(tmp_path / "run.json")
    report.tell(step="gathering", began_ns=1)
    report.tell(step="running", gang_ns=2)
    assert json.loads((tmp_path / "run.json").read_text()) == {"step": "running", "began_ns": 1, "gang_ns": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_gang_that_does_not_come_ends_the_job_before_it_began(tmp_path, monkeypatch, capfd):
    run = {"workers": 2, "bundle": {"CPU": 1.0}, "gang_timeout_s": 5, "report": str(tmp_path / "run.json")}
    monkeypatch.setenv("TIDEGATE_RUN", json.dumps(run))
    monkeypatch.setattr(runner, "gather", lambda run: None)
    assert runner.main() == runner.GANG_EXIT
    told = json.loads((tmp_path / "run.json").read_text())
    assert told["exit_code"] == runner.GANG_EXIT
    assert told["why"] == "the gang of 2 x {'CPU': 1.0} was not whole within 5 s"
    assert told["why"] in capfd.readouterr().out
