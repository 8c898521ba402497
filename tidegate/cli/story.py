"""`tidegate story`: every event that touched one id, in order."""

import dataclasses
import datetime
from typing import Any

import click

from tidegate.cli import options, render
from tidegate.client.calls import LogEvent
from tidegate.model.errors import NotFound


@click.command("story")
@click.argument("about", default="")
@click.option("-f", "--follow", is_flag=True, help="Stay and show what happens next.")
@click.option(
    "--after", default=0, type=options.OFFSET, metavar="OFFSET", help="Only events after this offset of the log."
)
@options.output
@click.pass_context
def command(ctx: click.Context, about: str, follow: bool, after: int, output: str) -> None:
    """Every event that touched ABOUT (a workload's id or name, a site, a policy); without it, the whole log.

    With -o json one event to a line, with -o yaml one to a document.
    """
    anything = False
    for happened in options.connect(ctx).events(after=after, follow=follow, about=about):
        anything = True
        if not render.record(happened, output):
            render.line(line_of(happened))
    if about and not anything:
        raise NotFound("nothing in the log touches it", field="about", found=about)


def line_of(happened: LogEvent) -> str:
    """Offset, moment, kind and the fields that fit in a line."""
    event = happened.recorded.event
    moment = datetime.datetime.fromtimestamp(event.at / 1000, datetime.UTC).isoformat(timespec="milliseconds")
    fields = [
        f"{field.name}={_short(getattr(event, field.name))}"
        for field in dataclasses.fields(event)
        if field.name not in {"at", "key", "traceparent"} and getattr(event, field.name) not in ("", (), None)
    ]
    return f"{happened.recorded.offset:>6}  {moment}  {happened.kind:<20} {'  '.join(fields)}"


def _short(value: Any) -> str:
    """A noun by its name, a decision by its outcome, a status by its phase."""
    if hasattr(value, "outcome"):
        return f"{value.outcome} {', '.join(value.sites)}".strip()
    if hasattr(value, "phase"):
        return f"{value.workload_id} {value.phase}"
    if hasattr(value, "ref") and isinstance(value.ref, str):
        return value.ref
    if hasattr(value, "name"):
        return str(value.name)
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
