"""Act 2: a training job is placed in the cloud, a Ray cluster comes up for it, and a model version comes back."""

from tidegate.cli import explanation, following, render
from tidegate.cli.acts.stage import Stage
from tidegate.cli.local.fleet import EXAMPLE
from tidegate.model.decision import Outcome


def perform(stage: Stage) -> str:
    """Plans, submits and waits; returns the job's id."""
    manifest = EXAMPLE / "training.yaml"
    planned = stage.client.plan(manifest)
    submission = stage.client.submit(manifest, if_revision=planned.revision, if_decided_at=planned.decision.decided_at)
    explanation.show(submission.workload_id, submission.decision, offset=submission.offset)
    stage.promise(
        "training goes to the cloud, as the plan said",
        submission.decision.outcome is Outcome.PLACED and submission.decision.slots == planned.decision.slots,
        ", ".join(submission.decision.sites),
    )
    view = following.until_settled(stage.client, submission.workload_id)
    if view.phase != "succeeded":
        for piece in stage.client.logs(submission.workload_id):
            render.raw(piece.text)
    models = stage.client.models()
    made = [model for model in models if model.lineage and model.lineage.workload_id == submission.workload_id]
    metrics = made[0].metrics if made else {}
    accuracy = float(metrics.get("accuracy", "0"))
    workers = int(float(metrics.get("workers", "0")))
    stage.promise(
        "two or more Ray workers trained a real model", view.phase == "succeeded" and workers >= 2, f"{workers} workers"
    )
    stage.promise(
        "the model version is registered by its content, with lineage",
        bool(made and made[0].lineage and made[0].lineage.code_digest),
        f"{made[0].ref} sha256:{made[0].artifact.digest[:12]}, accuracy {accuracy:.4f}" if made else "none",
    )
    return submission.workload_id
