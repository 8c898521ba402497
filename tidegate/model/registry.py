"""Model versions: what a training job left behind, addressed by its content, with where it came from."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file addressed by its content."""

    digest: str
    """SHA-256, 64 hex digits."""
    size_bytes: int
    name: str = ""
    """The file's name where it was made, e.g. `model.onnx`."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a model version came from."""

    workload_id: str
    data_ref: str = ""
    code_digest: str = ""
    site: str = ""
    data_classes: tuple[str, ...] = ()
    data_subjects: tuple[str, ...] = ()
    data_deidentified: bool = False
    data_attestation: str = ""
    data_origin: str = ""
    """Of the data it was made from, as its job declared them: law binds the model, and what serves it, by these."""


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version of a named model. Versions count from 1 and are never reused."""

    name: str
    version: int
    artifact: Artifact
    format: str = "onnx"
    lineage: Lineage | None = None
    metrics: dict[str, str] = field(default_factory=dict)
    """As measured by the job that made it, e.g. `accuracy` to `0.9722`."""

    @property
    def ref(self) -> str:
        """As manifests cite it."""
        return f"models:/{self.name}/{self.version}"
