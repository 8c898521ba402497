"""Acts 5 and 6: the plant's link is cut, the device loses power and comes back alone; then the link returns."""

import time

from tidegate.cli import render, waterfall
from tidegate.cli.acts.stage import SERVICE, Run, Stage
from tidegate.cli.local.fleet import member, wait_until
from tidegate.cli.local.survivors import model_servers
from tidegate.model.errors import TidegateError


def alone(stage: Stage, site: str) -> tuple[Run, Run]:
    """Cuts the link, predicts, kills everything on the device, starts it without a link, predicts again."""
    stage.fleet.uplink.cut()
    before = stage.predict(300)
    stage.promise(
        "with the link cut, every prediction is answered",
        before.failed == 0,
        f"{len(before.labels)} answered, p99 {before.quantile_ms(0.99):.2f} ms",
    )
    servers = model_servers(stage.fleet.folder / site)
    stage.fleet.daemons[site].kill()
    for server in servers:
        server.kill()
        server.wait(10)
    render.line(f"  killed the agent and {len(servers)} model server of {site} with SIGKILL", "dim")
    began = time.monotonic()
    stage.fleet.start_agent(member(site))
    wait_until(lambda: _answers(stage), 60, f"{SERVICE} to answer on {site} without a link")
    took = time.monotonic() - began
    after = stage.predict(200)
    stage.promise(
        "after a power cycle without any network the device serves again, from its own disk",
        after.failed == 0 and not stage.fleet.uplink.up and bool(servers),
        f"first answer {took:.2f} s after the start; then {len(after.labels)} answered, {after.failed} failed",
    )
    return before, after


def returned(stage: Stage, site: str, runs: tuple[Run, Run]) -> None:
    """Restores the link and counts what arrives."""
    sent = [trace for run in runs for trace in run.traces]
    since, until = runs[0].began_ms, runs[1].ended_ms
    held = stage.client.counts(site, since_ms=since, until_ms=until).predictions
    stage.fleet.uplink.restore()
    began = time.monotonic()
    wait_until(lambda: _joined(stage, site), 60, f"{site} to join again")

    def drained() -> bool:
        return stage.client.counts(site, since_ms=since, until_ms=until).predictions >= len(sent)

    try:
        wait_until(drained, 60, "the spool to drain")
    except TidegateError as error:
        render.line(f"  {error}", "red")
    took = time.monotonic() - began
    counts = stage.client.counts(site, since_ms=since, until_ms=until)
    seen = {trace: _visible(stage, trace) for trace in sent}
    missing = sum(count == 0 for count in seen.values())
    twice = sum(count > 1 for count in seen.values())
    stage.promise(
        "the device says nothing while it is alone, and all of it when the link is back",
        held == 0 and counts.predictions >= len(sent),
        f"{len(sent)} recorded alone; {counts.predictions} predictions, {counts.spans} spans received in {took:.1f} s",
    )
    stage.promise(
        "each prediction made alone is visible exactly once, under its original trace id",
        missing == 0 and twice == 0,
        f"missing {missing}, duplicates {twice}, gaps {counts.gap_records}",
    )
    answer = stage.client.trace(trace_id=sent[0], linked=True, limit=40)
    render.line("")
    render.line(f"  one prediction made alone, trace {sent[0]}")
    render.show(waterfall.draw(list(answer.spans), list(answer.away)))


def _answers(stage: Stage) -> bool:
    return stage.predict(1).failed == 0


def _joined(stage: Stage, site: str) -> bool:
    return any(view.site.name == site and view.state == "joined" for view in stage.client.sites())


def _visible(stage: Stage, trace_id: str) -> int:
    """How many server spans of that trace the broker shows."""
    spans = stage.client.trace(trace_id=trace_id, linked=False, limit=10).spans
    return sum(span.kind == "server" for span in spans)
