"""The inputs that are kept: one file each, `corpus/<target>/<name>`, named by what they once broke."""

import hashlib
from pathlib import Path

from tests.fuzzing.measure import Finding, execute
from tests.fuzzing.target import Target

KEPT = Path(__file__).parent / "corpus"
GROWN = Path(__file__).resolve().parents[2] / ".tidegate" / "fuzzing"
"""Where the coverage-guided engine keeps what took it somewhere new. Not in the repository."""
TRIES = 400
"""To make a finding's input smaller."""


def kept(name: str) -> dict[str, bytes]:
    """The kept inputs of a target, by file name."""
    return {path.name: path.read_bytes() for path in sorted((KEPT / name).glob("*"))}


def inputs(target: Target) -> list[bytes]:
    """What a run begins with: the target's own seeds, then what is kept."""
    return [*target.seeds(), *kept(target.name).values()]


def keep(finding: Finding) -> Path:
    """Write a finding's input into the corpus."""
    folder = KEPT / finding.target
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{finding.kind.lower()}-{hashlib.sha256(finding.data).hexdigest()[:12]}"
    path.write_bytes(finding.data)
    return path


def smaller(target: Target, finding: Finding) -> Finding:
    """The same finding from fewer bytes, as far as `TRIES` executions get."""
    if finding.kind in ("slow", "memory", "crash", "hang"):
        return finding
    tries, size = TRIES, max(1, len(finding.data) // 2)
    while size and tries:
        at = 0
        while at < len(finding.data) and tries:
            tries -= 1
            found = execute(target, finding.data[:at] + finding.data[at + size :])
            if found is not None and found.key == finding.key:
                finding = found
            else:
                at += size
        size //= 2
    return finding
