"""Acts 3 and 4: a service is placed on the device, another refused with its reasons; predictions are right and fast."""

from tidegate.cli import explanation, following
from tidegate.cli.acts.stage import LATENCY_P99_MS, SERVICE, Run, Stage
from tidegate.cli.local.fleet import EXAMPLE
from tidegate.model.decision import Outcome


def place(stage: Stage) -> str:
    """Submits the service and waits until it answers; returns the device's site."""
    submission = stage.client.submit(EXAMPLE / "service.yaml")
    decision = submission.decision
    explanation.show(f"{SERVICE} ({submission.workload_id})", decision, matrix=True, offset=submission.offset)
    sites = {view.site.name: view.site for view in stage.client.sites()}
    site = decision.sites[0] if decision.sites else ""
    stage.promise(
        "the service is placed on an edge device in Germany",
        decision.outcome is Outcome.PLACED and sites[site].tier == "edge" and sites[site].jurisdiction == "DE",
        site,
    )
    view = following.until_settled(stage.client, submission.workload_id)
    stage.promise("it answers on the device", following.serves(view), view.phase)
    return site


def refuse(stage: Stage) -> None:
    """Submits what the law allows nowhere; the answer must say why, everywhere, and what would help."""
    submission = stage.client.submit(EXAMPLE / "refused.yaml")
    decision = submission.decision
    explanation.show(f"patient-triage ({submission.workload_id})", decision, offset=submission.offset)
    told = {miss.site for miss in decision.misses}
    stage.promise(
        "what the law allows nowhere is refused, with a reason for every site",
        decision.outcome is Outcome.REFUSED and told == set(decision.candidates),
        f"{len(decision.misses)} misses over {len(decision.candidates)} sites",
    )
    stage.promise(
        "the refusal names the smallest change that would make it fit",
        bool(decision.relaxations),
        explanation.relaxation_text(decision.relaxations[0]) if decision.relaxations else "none",
    )


def predict(stage: Stage, count: int) -> Run:
    """Sends predictions with the link up."""
    run = stage.predict(count)
    stage.promise(
        f"{count} predictions answered through the Open Inference Protocol",
        run.failed == 0 and len(run.labels) == count,
        f"{run.failed} failed{', ' + run.first_error if run.first_error else ''}; accuracy {run.accuracy:.4f}",
    )
    stage.promise(
        f"p99 within the {LATENCY_P99_MS:.0f} ms asked for",
        run.quantile_ms(0.99) <= LATENCY_P99_MS,
        f"p50 {run.median_ms:.2f} ms, p99 {run.quantile_ms(0.99):.2f} ms",
    )
    return run
