"""`tidegate models`: registered model versions and where they came from."""

import click

from tidegate.cli import options, render
from tidegate.model.errors import NotFound
from tidegate.model.registry import ModelVersion


@click.command("models")
@click.argument("name", default="")
@options.output
@click.pass_context
def command(ctx: click.Context, name: str, output: str) -> None:
    """Every registered model version, or those of NAME with what was measured of each; newest first."""
    found = options.connect(ctx).models(name)
    if name and not found:
        raise NotFound("no such model", field="name", found=name, wanted="a model that was registered")
    if not render.data(found, output):
        render.table(
            "models",
            ["model", "digest", "bytes", "made by", "code", "data"],
            [
                (
                    model.ref,
                    model.artifact.digest[:12],
                    model.artifact.size_bytes,
                    model.lineage.workload_id if model.lineage else "",
                    model.lineage.code_digest[:12] if model.lineage else "",
                    model.lineage.data_ref if model.lineage else "",
                )
                for model in found
            ],
            right=["bytes"],
        )
        for model in found if name else ():
            _measured(model)


def _measured(model: ModelVersion) -> None:
    render.line("")
    render.line(model.ref, "bold")
    render.table("metrics", ["metric", "value"], sorted(model.metrics.items()))
