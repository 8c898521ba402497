"""`tidegate models`: registered model versions and where they came from."""

import click

from tidegate.cli import options, render


@click.command("models")
@click.argument("name", default="")
@options.output
@click.pass_context
def command(ctx: click.Context, name: str, output: str) -> None:
    """Every registered model version, or those of NAME, newest first."""
    found = options.connect(ctx).models(name)
    if not render.data(found, output):
        render.table(
            "models",
            ["model", "digest", "bytes", "made by", "code", "data", "metrics"],
            [
                (
                    model.ref,
                    model.artifact.digest[:12],
                    model.artifact.size_bytes,
                    model.lineage.workload_id if model.lineage else "",
                    model.lineage.code_digest[:12] if model.lineage else "",
                    model.lineage.data_ref if model.lineage else "",
                    ", ".join(f"{key}={value}" for key, value in sorted(model.metrics.items())),
                )
                for model in found
            ],
            right=["bytes"],
        )
