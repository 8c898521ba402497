"""`tidegate get`: workloads, or one of them."""

import click

from tidegate.cli import options, prospects, render
from tidegate.model.assignment import Phase
from tidegate.model.event import WorkloadView


@click.command("get")
@click.argument("workload", required=False)
@click.option(
    "--phase",
    "phases",
    multiple=True,
    metavar="PHASE",
    type=click.Choice([phase.value for phase in Phase]),
    help=f"Only this phase ({', '.join(Phase)}); may be given several times.",
)
@click.option("--team", default="", help="Only this team's.")
@click.option("--site", default="", help="Only what is placed at this site.")
@options.output
@click.pass_context
def command(
    ctx: click.Context, workload: str | None, phases: tuple[str, ...], team: str, site: str, output: str
) -> None:
    """Every workload in the order of their submission, or one by id or name."""
    client = options.connect(ctx)
    if workload:
        view = client.get(workload)
        if not render.data(view, output):
            detail(view)
        return
    views = client.workloads(phases=phases, team=team, site=site)
    if not render.data(views, output):
        render.table(
            "workloads",
            ["id", "name", "kind", "phase", "sites", "team", "detail"],
            [
                (
                    view.id,
                    view.workload.name,
                    view.workload.kind,
                    view.phase,
                    sites_of(view),
                    view.workload.team,
                    view.detail,
                )
                for view in views
            ],
        )


def sites_of(view: WorkloadView) -> str:
    """The sites it is placed at; `?` marks one that cannot be reached."""
    if view.brief is None:
        return ""
    return ", ".join(site + ("?" if view.site_states.get(site) == "unknown" else "") for site in view.brief.sites)


def detail(view: WorkloadView) -> None:
    """One workload, field by field."""
    rows: list[tuple[str, object]] = [
        ("id", view.id),
        ("name", view.workload.name),
        ("kind", view.workload.kind),
        ("team", view.workload.team),
        ("phase", view.phase),
        ("placed at", sites_of(view)),
    ]
    if view.model:
        rows.append(("model", f"{view.model.ref} sha256:{view.model.artifact.digest[:12]}"))
    if view.waiting:
        rows += [("waits" if not index else "", line) for index, line in enumerate(prospects.lines(view.waiting))]
    if view.detail and not view.waiting:
        rows.append(("detail", view.detail))
    for site, status in view.statuses.items():
        rows.append((site, f"{status.phase} at generation {status.generation}"))
        rows += [("", f"{endpoint.protocol}  {endpoint.address}") for endpoint in status.endpoints]
        rows += [("", f"{name} = {value}") for name, value in sorted(status.metrics.items())]
        rows += [("", f"output {output.name} sha256:{output.digest[:12]}") for output in status.outputs]
    if view.outlawed_by:
        rows.append(("outlawed by", ", ".join(view.outlawed_by)))
    render.table("details", ["field", "value"], rows)
