"""Every verb explains itself, mistakes are named, and each error family has its exit code."""

import subprocess
import sys

import pytest

from tidegate.cli import main
from tidegate.model.errors import Broken, Conflict, NotFound, Refused, Unavailable


def run(*arguments, text=None):
    command = [sys.executable, "-m", "tidegate.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, input=text, timeout=60, check=False)


@pytest.mark.parametrize("verb", main.VERBS)
def test_a_verb_has_help(verb):
    command = main.cli.get_command(None, verb)
    assert command is not None and command.help


@pytest.mark.parametrize(
    ("error", "code"),
    [(Refused("a"), 2), (NotFound("a"), 2), (Conflict("a"), 2), (Unavailable("a"), 3), (Broken("a"), 4)],
)
def test_a_family_has_its_exit_code(error, code):
    assert main.exit_code(error) == code


def test_a_verb_misspelt_is_guessed():
    answer = run("sumbit")
    assert answer.returncode == 2
    assert "Did you mean 'submit'?" in answer.stderr


def test_a_broker_that_is_not_there_exits_3():
    answer = run("--broker", "127.0.0.1:1", "sites")
    assert answer.returncode == 3
    assert "no broker answers at 127.0.0.1:1" in answer.stderr


def test_a_manifest_with_a_mistake_exits_2_and_names_line_and_field():
    manifest = (
        "apiVersion: tidegate.dev/v1\nkind: InferenceService\nmetadata: {name: a}\nspec:\n  latencyy: {p99: 50ms}\n"
    )
    answer = run("plan", "-", text=manifest)
    assert answer.returncode == 2
    assert ":5" in answer.stderr and "latency" in answer.stderr
