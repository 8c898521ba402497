"""Manifests in, nouns out: the text of one file, or files and folders by path.

Every mistake of every document is found in one pass and raised together as ManifestError. A name may be declared once
per kind in one call, since the second would silently win over the first; a price book once per version.
"""

from collections.abc import Iterable
from pathlib import Path

from tidegate.manifests import tree
from tidegate.manifests.kinds import API_VERSION, KINDS, Noun
from tidegate.manifests.problems import Enough, ManifestError, Problem
from tidegate.manifests.shapes import Missing, Notes, near
from tidegate.model.money import PriceBook


def load(text: str, *, source: str) -> tuple[Noun, ...]:
    """The nouns of a YAML text, in order; `source` is what errors call it. Raises ManifestError."""
    problems: list[Problem] = []
    nouns = tuple(noun for _, noun in _read(text, source, problems))
    if problems:
        raise ManifestError(tuple(problems))
    return nouns


def load_files(paths: Iterable[str | Path]) -> tuple[Noun, ...]:
    """The nouns of files, and of the `*.yaml` directly in folders (sorted by name). Raises ManifestError.

    A file must be UTF-8. A folder without any manifest is an error, as is a path that is not there.
    """
    problems: list[Problem] = []
    nouns: list[Noun] = []
    seen: dict[tuple[str, str], str] = {}
    for path in _files(paths, problems):
        source = str(path)
        text = _text(path, source, problems)
        if text is None:
            continue
        for root, noun in _read(text, source, problems):
            place = f"{source}:{root.line}"
            first = seen.setdefault((_kind_name(root), _once(noun)), place)
            if first != place:
                message = f'"{noun.name}" is declared twice, first at {first}'
                problems.append(Problem(source, root.line, root.column, "metadata.name", message))
            nouns.append(noun)
    if problems:
        raise ManifestError(tuple(problems))
    return tuple(nouns)


def _read(text: str, source: str, problems: list[Problem]) -> list[tuple[tree.Node, Noun]]:
    """Each document's root with its noun; documents with mistakes are left out, their problems added by line."""
    found: list[Problem] = []
    nouns: list[tuple[tree.Node, Noun]] = []
    try:
        for root in tree.read(text, source, found):
            if noun := _noun(root, Notes(source, found)):
                nouns.append((root, noun))
    except Enough:
        found.append(Problem(source, text.count("\n") + 1, 0, "", "has more mistakes than are told"))
    if not nouns and not found:
        found.append(Problem(source, 0, 0, "", "holds no manifest"))
    problems.extend(sorted(found, key=lambda problem: (problem.line, problem.column)))
    return nouns


def _noun(root: tree.Node, notes: Notes) -> Noun | None:
    if not isinstance(root, tree.Mapping):
        notes.note(root, "", wanted="a manifest with apiVersion, kind, metadata and spec")
        return None
    kind = root.items.get("kind")
    if kind is None:
        notes.note(root, "kind", "is required", hint=f"one of {', '.join(KINDS)}")
        return None
    name = _kind_name(root)
    if name not in KINDS:
        notes.note(kind, "kind", wanted=f"one of {', '.join(KINDS)}", hint=near(name, tuple(KINDS)))
        version = root.items.get("apiVersion")
        if isinstance(version, tree.Scalar) and version.text != API_VERSION:
            notes.note(version, "apiVersion", wanted=API_VERSION)
        return None
    noun: Noun | Missing = KINDS[name].read(root, "", notes)
    return None if isinstance(noun, Missing) else noun


def _once(noun: Noun) -> str:
    """What may be declared once: a name or, for price books, which hold from their own moments on, a version of it."""
    return noun.ref if isinstance(noun, PriceBook) else noun.name


def _kind_name(root: tree.Node) -> str:
    kind = root.items.get("kind") if isinstance(root, tree.Mapping) else None
    return kind.text if isinstance(kind, tree.Scalar) else ""


def _files(paths: Iterable[str | Path], problems: list[Problem]) -> list[Path]:
    files: list[Path] = []
    for path in map(Path, paths):
        try:
            folder = path.is_dir()
        except OSError:  # a name too long, a folder that may not be looked into: opening it says so
            folder = False
        if not folder:
            files.append(path)
            continue
        inside = sorted(path.glob("*.yaml"))
        if not inside:
            problems.append(Problem(str(path), 0, 0, "", "holds no *.yaml"))
        files.extend(inside)
    return files


def _text(path: Path, source: str, problems: list[Problem]) -> str | None:
    try:
        with path.open("rb") as file:
            raw = file.read(tree.MAX_FILE_BYTES + 1)
        if len(raw) <= tree.MAX_FILE_BYTES:
            return raw.decode("utf-8-sig")
        problems.append(Problem(source, 0, 0, "", f"the file is over {tree.MAX_FILE_BYTES:,} bytes"))
    except OSError as error:
        problems.append(Problem(source, 0, 0, "", f"cannot be read: {(error.strerror or str(error)).lower()}"))
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        problems.append(Problem(source, line, column, "", f"is not UTF-8: byte 0x{raw[error.start]:02x}"))
    return None
