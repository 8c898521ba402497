"""What a caller may hand to `plan`, `submit` and `apply`, read into nouns: a noun, a path, or YAML text.

A workload's code is packed here, beside its manifest: `working_dir` is relative to the manifest's folder.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from tidegate import manifests
from tidegate.client.calls import Declaration
from tidegate.client.code import pack
from tidegate.model.errors import Refused
from tidegate.model.registry import Artifact
from tidegate.model.workload import Workload

Source = Workload | str | PathLike[str]


@dataclass(frozen=True)
class Prepared:
    """A workload ready to be sent, with the code that must be uploaded first."""

    workload: Workload
    code: Artifact | None = None
    packed: bytes = b""


def workload_of(source: Source) -> Prepared:
    """Exactly one workload, from a noun, a path or YAML text (anything with a line break)."""
    if isinstance(source, Workload):
        return _with_code(source, Path.cwd())
    nouns, folder = _read(source)
    workloads = [noun for noun in nouns if isinstance(noun, Workload)]
    if len(workloads) != 1 or len(nouns) != 1:
        kinds = ", ".join(f"{_kind(noun)} {noun.name}" for noun in nouns) or "nothing"
        raise Refused("must hold one workload", field=str(source)[:80], found=kinds, wanted="one workload")
    return _with_code(workloads[0], folder)


def workloads_of(sources: Sequence[Source]) -> list[Prepared]:
    """Every workload in the given nouns, files or YAML texts, in order; each may hold several."""
    found: list[Prepared] = []
    for source in sources:
        nouns, folder = ((source,), Path.cwd()) if isinstance(source, Workload) else _read(source)
        strangers = [f"{_kind(noun)} {noun.name}" for noun in nouns if not isinstance(noun, Workload)]
        if strangers:
            raise Refused(
                "must hold workloads alone", field=str(source)[:80], found=", ".join(strangers), wanted="workloads"
            )
        found += [_with_code(noun, folder) for noun in nouns]
    return found


def declarations_of(sources: Sequence[Declaration | str | PathLike[str]]) -> list[Declaration]:
    """Every declaration in the given nouns, files, folders or YAML texts, in order."""
    found: list[Any] = []
    for source in sources:
        found += _read(source)[0] if isinstance(source, str | PathLike) else [source]
    strangers = [noun.name for noun in found if isinstance(noun, Workload)]
    if strangers:
        raise Refused(
            "holds workloads; these are submitted, not applied",
            found=", ".join(strangers),
            wanted="Site, Policy, Team or PriceBook",
        )
    return found


def _kind(noun: Any) -> str:
    return noun.kind.value if isinstance(noun, Workload) else type(noun).__name__


def _read(source: str | PathLike[str]) -> tuple[tuple[Any, ...], Path]:
    if isinstance(source, str) and "\n" in source:
        return manifests.load(source, source="<text>"), Path.cwd()
    path = Path(source)
    return manifests.load_files([path]), path.parent


def _with_code(workload: Workload, folder: Path) -> Prepared:
    if workload.training is None or not workload.training.working_dir:
        return Prepared(workload)
    code, packed = pack(folder / workload.training.working_dir)
    training = replace(workload.training, code_digest=code.digest)
    return Prepared(replace(workload, training=training), code, packed)
