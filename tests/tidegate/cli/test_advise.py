"""`tidegate advise` and `tidegate prices import`, as one calls them; without a broker where files give the prices."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tidegate.manifests import load

DEPLOY = Path(__file__).parents[3] / "deploy"
EXAMPLE = (str(DEPLOY / "examples" / "own-or-rent"), str(DEPLOY / "prices"))
NOWHERE = ("--broker", "unix:/nowhere/at-all")


def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tidegate.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, input=stdin)


def test_the_example_is_advised_without_a_broker():
    answer = run(*NOWHERE, "advise", *EXAMPLE, "--service-time", "gpu=4ms", "--service-time", "cpu=60ms")
    assert answer.returncode == 0, answer.stderr
    for told in (
        "weekly-training",
        "break-even",
        "hours a week",
        "if it were used",
        "taken for granted",
        "all together",
    ):
        assert told in answer.stdout
    assert "tidegate plan" in answer.stdout, "it says what it does not ask"


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_advice_is_one_document_for_programs(form: str):
    told = run("advise", *EXAMPLE, "-o", form).stdout
    data = json.loads(told) if form == "json" else yaml.safe_load(told)
    assert [one["workload"] for one in data["advice"]] == ["weekly-training", "defect-service"]
    training = data["advice"][0]
    assert training["choices"] == sorted(training["choices"], key=lambda one: one["per_month"])
    assert {even["kind"] for even in training["break_evens"]} == {"hours", "months"}
    assert data["price_books"][0] == "plant-owned@1"
    assert all(type(one["per_month"]) is int for one in data["together"])


def test_the_date_chooses_the_prices(tmp_path: Path):
    workload = str(DEPLOY / "examples" / "own-or-rent" / "workloads.yaml")
    book = (
        "apiVersion: tidegate.dev/v1\nkind: PriceBook\nmetadata: {name: b}\n"
        'spec: {effectiveFrom: "2026-01-01", prices: [{gpuModel: H100, perHour: $1}]}\n'
    )
    (tmp_path / "b.yaml").write_text(book)
    assert run("advise", workload, str(tmp_path / "b.yaml")).returncode == 0
    early = run("advise", workload, str(tmp_path / "b.yaml"), "--at", "2025-12-31")
    assert (early.returncode, early.stdout) == (2, "") and "no price holds" in early.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--service-time", "gpu"), "--service-time"),
        (("--service-time", "=5ms"), "a device and a time"),
        (("--service-time", "gpu=5"), "a duration such as"),
        (("--peak", "0.5"), "wanted 1 or more"),
        (("--peak", "much"), "a number such as"),
        (("--at", "soon"), "a date or moment"),
    ],
)
def test_a_wrong_option_is_named(arguments: tuple[str, ...], told: str):
    answer = run("advise", *EXAMPLE, *arguments)
    assert (answer.returncode, answer.stdout) == (2, "") and told in answer.stderr
    assert "Traceback" not in answer.stderr


def test_files_without_a_workload_are_refused():
    answer = run("advise", EXAMPLE[1])
    assert answer.returncode == 2 and "no workload there" in answer.stderr


def test_without_prices_and_without_a_broker_it_says_who_does_not_answer():
    answer = run(*NOWHERE, "advise", f"{EXAMPLE[0]}/workloads.yaml")
    assert answer.returncode == 3 and "Traceback" not in answer.stderr


def test_a_table_becomes_a_book(tmp_path: Path):
    (tmp_path / "t.csv").write_text("instance_type,region,usd_per_hour\nm5,us-east-1,0.096\nm 5,us,1\n")
    (tmp_path / "e.csv").write_text("src,dst,cost\nus-east-1,internet,0.09\n")
    made = run(
        *("prices", "import", str(tmp_path / "t.csv"), str(tmp_path / "e.csv")),
        *("--name", "list", "--version", "3", "--effective-from", "2025-03-02", "--source", "a list: of 2025"),
    )
    assert made.returncode == 0 and "t.csv:3" in made.stderr
    (book,) = load(made.stdout, source="made")
    assert (book.name, book.version, book.effective_from, book.sources) == (
        *("list", 3, 1_740_873_600_000),
        ("a list: of 2025",),
    )
    assert [line.strip() for line in made.stdout.splitlines() if "perHour" in line] == [
        "- {instanceType: m5, perHour: $0.096, region: us-east-1}"
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--name", "Not A Name"), "--name"),
        (("--name", "n", "--effective-from", "soon"), "--effective-from"),
        (("--name", "n", "--version", "0"), "--version"),
    ],
)
def test_what_is_no_book_is_refused(tmp_path: Path, arguments: tuple[str, ...], told: str):
    (tmp_path / "t.csv").write_text("src,dst,cost\na,b,1\n")
    answer = run("prices", "import", str(tmp_path / "t.csv"), "--source", "s", *arguments)
    assert (answer.returncode, answer.stdout) == (2, "") and told in answer.stderr


def test_a_table_that_is_not_there_is_refused():
    answer = run("prices", "import", "nothing.csv", "--name", "n", "--source", "s")
    assert answer.returncode == 2 and "cannot be read" in answer.stderr


@pytest.mark.parametrize("verb", ["advise", "prices", "prices import", "prices list"])
def test_every_verb_has_help(verb: str):
    answer = run(*verb.split(), "--help")
    assert answer.returncode == 0 and "Usage" in answer.stdout
