"""`tidegate apply`: declare sites, policies, teams and prices, all of them or none."""

import click

from tidegate.cli import options, render


@click.command("apply", short_help="Declare sites, policies, teams and prices.")
@options.files()
@options.output
@click.pass_context
def command(ctx: click.Context, files: tuple[str, ...], output: str) -> None:
    """Declare what stands in FILE... (files, folders, or - for standard input): all of it or none."""
    applied = options.connect(ctx).apply(*map(options.source, files))
    if render.data(applied, output):
        return
    render.table(
        "declarations", ["kind", "name", "outcome"], [(one.kind, one.name, one.outcome) for one in applied.declarations]
    )
    for warning in applied.warnings:
        render.progress(f"warning: {warning}")
    for workload in applied.outlawed:
        render.line(f"{workload} stands where the law now in force forbids it; see tidegate explain {workload}", "red")
