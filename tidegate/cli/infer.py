"""`tidegate infer`: ask an inference service, directly at the device."""

import json
import sys
from pathlib import Path

import click
import numpy as np

from tidegate.cli import options, render
from tidegate.model.errors import Refused


@click.command("infer")
@click.argument("service")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    required=True,
    metavar="NAME=VALUE",
    help="VALUE is JSON, @FILE (JSON), or a .npy file.",
)
@click.option("--dtype", default="float32", show_default=True, help="NumPy type of the inputs that are given as JSON.")
@click.option("--endpoint", default="", help="http://host:port or unix:/path of the device; the broker is not asked.")
@options.output
@click.pass_context
def command(ctx: click.Context, service: str, inputs: tuple[str, ...], dtype: str, endpoint: str, output: str) -> None:
    """Ask SERVICE for one prediction. The broker only names the device; the tensors go there directly.

    For instance: tidegate infer line-camera --input 'image=[[0, 0, 5, 13, ...]]'
    """
    arrays = dict(_array(given, dtype) for given in inputs)
    prediction = options.connect(ctx).infer(service, arrays, endpoint=endpoint)
    shown = {
        "outputs": {name: prediction[name].tolist() for name in prediction},
        "model_version": prediction.model_version,
        "endpoint": prediction.endpoint,
        "trace_id": prediction.trace_id,
        "latency_us": prediction.latency_us,
    }
    if render.data(shown, output):
        return
    render.table("outputs", ["output", "value"], [(name, str(prediction[name].tolist())) for name in prediction])
    render.line(
        f"version {prediction.model_version} at {prediction.endpoint} in {prediction.latency_us / 1000:.2f} ms, "
        f"trace {prediction.trace_id}",
        "dim",
    )


def _array(given: str, dtype: str) -> tuple[str, np.ndarray]:
    name, equals, value = given.partition("=")
    field = f"--input {name}"
    if not equals:
        raise Refused("has no value", field="--input", found=given, wanted="NAME=VALUE")
    try:
        if value.endswith(".npy"):
            return name, np.load(value.removeprefix("@"), allow_pickle=False)
        if value == "-":
            value = sys.stdin.read()
        elif value.startswith("@"):
            value = Path(value[1:]).read_text(encoding="utf-8")
        return name, np.array(json.loads(value), dtype=np.dtype(dtype))
    except OSError as error:
        raise Refused(f"cannot be read: {error.strerror}", field=field, found=value) from error
    except (ValueError, TypeError) as error:
        raise Refused(
            f"is no array: {error}", field=field, found=value[:60], wanted=f"JSON numbers of {dtype}"
        ) from error
