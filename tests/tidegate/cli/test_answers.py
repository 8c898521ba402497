"""What verbs answer, against a broker in a process of its own: for people, for programs, and where there is nothing."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.brokers import BrokerProcess

FACTORY = Path(__file__).parents[3] / "deploy" / "examples" / "factory"
DECLARED = [str(FACTORY / name) for name in ("sites.yaml", "teams.yaml", "prices.yaml", "policies.yaml")]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """One broker with the factory's declarations and a workload that is refused, since no site has joined."""
    broker = BrokerProcess(tmp_path_factory.mktemp("broker")).start()
    try:
        assert run(broker, "apply", *DECLARED).returncode == 0
        assert run(broker, "submit", str(FACTORY / "training.yaml")).returncode == 1
        yield broker
    finally:
        broker.stop()


def run(broker: BrokerProcess, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tidegate.cli.main", "--broker", broker.address, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "verb",
    [
        "sites",
        "sites press-7",
        "get",
        "get line-camera-training",
        "explain line-camera-training",
        "trace line-camera-training",
        "models",
        "audit replay",
        "audit verify",
        "prices list",
    ],
)
def test_an_answer_is_one_document_for_programs(broker: BrokerProcess, verb: str) -> None:
    assert json.loads(run(broker, *verb.split(), "-o", "json").stdout) is not None
    assert yaml.safe_load(run(broker, *verb.split(), "-o", "yaml").stdout) is not None


@pytest.mark.parametrize("verb", ["story", "story line-camera-training", "watch line-camera-training"])
def test_what_comes_one_by_one_is_a_line_or_a_document_each(broker: BrokerProcess, verb: str) -> None:
    lines = run(broker, *verb.split(), "-o", "json").stdout.splitlines()
    documents = list(yaml.safe_load_all(run(broker, *verb.split(), "-o", "yaml").stdout))
    assert lines and [json.loads(line) for line in lines] == documents


@pytest.mark.parametrize(
    "verb",
    [
        "get nobody",
        "explain nobody",
        "trace nobody",
        "story nobody",
        "logs nobody",
        "watch nobody",
        "cancel nobody",
        "infer nobody --input x=[1]",
        "sites nowhere",
        "cordon nowhere",
        "drain nowhere",
        "models nothing",
        "get --phase asleep",
        "replay --from 9 --to 3",
        "audit replay --from 9 --to 3",
        "submit nothing.yaml",
    ],
)
def test_a_name_that_nobody_has_exits_2(broker: BrokerProcess, verb: str) -> None:
    answer = run(broker, *verb.split())
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "rror: " in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_log_that_decides_as_it_did_and_a_fleet_that_stands_as_it_should_exit_0(broker: BrokerProcess) -> None:
    replayed, verified = run(broker, "audit", "replay"), run(broker, "audit", "verify")
    assert (replayed.returncode, verified.returncode) == (0, 0), replayed.stdout + verified.stdout
    assert "0 different" in replayed.stdout
    assert "0 workloads stand" in verified.stdout and "no findings" in verified.stdout


def test_a_refusal_exits_1_and_says_where_it_is_recorded(broker: BrokerProcess) -> None:
    answer = run(broker, "submit", str(FACTORY / "training.yaml"))
    assert answer.returncode == 1
    assert answer.stdout.startswith("refused  w")
    assert "recorded at" in answer.stdout


def test_a_policy_s_mistake_exits_2_and_is_guessed(broker: BrokerProcess, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text((FACTORY / "policies.yaml").read_text().replace("data.origin", "data.orgin"))
    answer = run(broker, "apply", str(policy))
    assert answer.returncode == 2
    assert "policy plant-data-stays: rules[0].when[1].key: unknown attribute" in answer.stderr
    assert "data.origin (did you mean that?)" in answer.stderr


def test_advice_takes_the_broker_s_prices_where_the_files_hold_none(broker: BrokerProcess) -> None:
    answer = run(broker, "advise", str(FACTORY / "training.yaml"), "-o", "json")
    assert json.loads(answer.stdout)["price_books"] == ["factory@1"], answer.stderr
    service = run(broker, "advise", str(FACTORY / "service.yaml"))
    assert service.returncode == 0, service.stderr
    listed = json.loads(run(broker, "prices", "list", "-o", "json").stdout)
    assert [(book["name"], book["version"]) for book in listed] == [("factory", 1)]


def test_a_fleet_with_nothing_to_move_is_planned_and_adopted_all_the_same(broker: BrokerProcess) -> None:
    told = run(broker, "rebalance", "--adopt", "--goal", "cheaper", "--horizon", "2d", "-o", "json")
    assert told.returncode == 0, told.stderr
    answer = json.loads(told.stdout)
    assert (answer["proposed"]["plan"]["horizon_hours"], answer["moved"]) == (48, [])
    assert "no moves worth making" in run(broker, "rebalance").stdout
    assert run(broker, "rebalance", "--horizon", "5m").returncode == 2
    assert run(broker, "rebalance", "--horizon", "soon").returncode == 2
    assert "100001" in run(broker, "rebalance", "--most", "100001").stderr


def test_workloads_are_planned_together_and_named_where_they_go_nowhere(broker: BrokerProcess) -> None:
    files = [str(FACTORY / "training.yaml"), str(FACTORY / "refused.yaml")]
    assert run(broker, "plan", *files).returncode == 2
    training = run(broker, "plan", "--together", files[0], "-o", "json")
    assert training.returncode == 1, training.stderr
    plan = json.loads(training.stdout)["plan"]
    assert plan["considered"] == 1 and plan["moves"] == []
    assert [(one["name"], one["why"]) for one in plan["staying"]] == [("line-camera-training", "nowhere")]
    assert "line-camera-training: no lawful place" in run(broker, "plan", "--together", files[0]).stdout
