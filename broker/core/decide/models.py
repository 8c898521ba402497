"""Models: what a reference means at this moment, and what a finished job leaves behind.

    models:/NAME@latest     the newest version          models:/NAME/N     that version, for ever
    sha256:HEX              the content itself

There are no other aliases: who may point `@champion` at a version is a question of identity and comes with it.
"""

import re

from broker.core.commands import RegisterModel
from broker.core.decide.keys import check_name, earlier, reused
from broker.core.decide.placing import Deciding, Watch
from broker.core.records import WorkloadRecord
from broker.core.replies import Registration
from broker.core.state import State
from tidegate.model.assignment import Phase, Status
from tidegate.model.errors import NotFound, Refused
from tidegate.model.event import ModelRegistered
from tidegate.model.registry import Artifact, Lineage, ModelVersion

_REFERENCE = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>[0-9]{1,9}))")
_DIGEST = re.compile(r"sha256:(?P<digest>[0-9a-f]{64})")
_FIELD = "inference.model_uri"
_FORMS = "models:/NAME@latest, models:/NAME/VERSION or sha256:HEX"


def resolve(state: State, uri: str) -> ModelVersion:
    """The version that a reference means now. Refused where it is none, NotFound where there is no such version."""
    if match := _DIGEST.fullmatch(uri):
        return _by_digest(state, match["digest"])
    match = _REFERENCE.fullmatch(uri)
    if match is None:
        raise Refused("is not a model reference", field=_FIELD, found=uri, wanted=_FORMS)
    versions = state.models.get(match["name"], ())
    if not versions:
        known = ", ".join(list(state.models)[:5]) or "no model is registered yet"
        raise NotFound("no model of that name", field=_FIELD, found=match["name"], wanted=f"one of: {known}")
    if match["alias"]:
        if match["alias"] != "latest":
            wanted = f"models:/{match['name']}@latest or models:/{match['name']}/{versions[-1].version}"
            raise Refused("no such alias", field=_FIELD, found=f"@{match['alias']}", wanted=wanted)
        return versions[-1]
    version = int(match["version"])
    if not 1 <= version <= len(versions):
        wanted = f"1 to {len(versions)}"
        raise NotFound("no such version", field=_FIELD, found=version, wanted=wanted)
    return versions[version - 1]


def _by_digest(state: State, digest: str) -> ModelVersion:
    for versions in state.models.values():
        for model in versions:
            if model.artifact.digest == digest:
                return model
    # Content that was pushed and never registered: it has no name and no lineage, and that is recorded so.
    return ModelVersion(name=f"sha256-{digest[:12]}", version=0, artifact=Artifact(digest, 0, "model.onnx"))


def register(state: State, command: RegisterModel, watch: Watch) -> Deciding[Registration]:
    """The next version of a model that was made elsewhere. The same content again is the same version."""
    check_name(command.model.name, "model.name")
    versions = state.models.get(command.model.name, ())
    same = next((m for m in versions if m.artifact.digest == command.model.artifact.digest), None)
    if answer := earlier(state, command.key, "register"):
        if same is None or same.ref != answer.about:
            raise reused(command.key, answer)
        return Registration(same)
    if same is None:
        same = _numbered(command.model, len(versions) + 1)
        yield ModelRegistered(command.at, same, command.key)
    return Registration(same)


def _numbered(model: ModelVersion, version: int) -> ModelVersion:
    return ModelVersion(model.name, version, model.artifact, model.format, model.lineage, model.metrics)


def made_by(state: State, record: WorkloadRecord, site: str, status: Status) -> ModelVersion | None:
    """The model version that a finished job leaves behind, None where it leaves none."""
    training = record.workload.training
    artifact = next((output for output in status.outputs if output.name.endswith(".onnx")), None)
    if training is None or artifact is None or status.phase is not Phase.SUCCEEDED:
        return None
    name, data = training.output_model or record.workload.name, record.workload.data
    return ModelVersion(
        name=name,
        version=len(state.models.get(name, ())) + 1,
        artifact=artifact,
        lineage=Lineage(
            workload_id=record.id,
            data_ref=data.ref,
            code_digest=training.code_digest,
            site=site,
            data_classes=data.classes,
            data_subjects=data.subjects,
            data_deidentified=data.deidentified,
            data_attestation=data.attestation,
            data_origin=data.origin,
        ),
        metrics=status.metrics,
    )
