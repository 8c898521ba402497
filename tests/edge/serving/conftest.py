"""One trained model and one running server for all tests that leave it as it was."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge.serving.served import ModelFile, Served, digits, echo, serving, slow


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def digits_model(models: Path) -> ModelFile:
    return digits(models)


@pytest.fixture(scope="session")
def newer_model(models: Path) -> ModelFile:
    return digits(models, examples=900)


@pytest.fixture(scope="session")
def slow_model(models: Path) -> ModelFile:
    return slow(models)


@pytest.fixture(scope="session")
def echo_model(models: Path) -> ModelFile:
    return echo(models)


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory, digits_model: ModelFile, echo_model: ModelFile
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("server")
    with serving(folder, {"digits": digits_model, "echo": echo_model}, max_request_bytes=2**20) as served:
        yield served
