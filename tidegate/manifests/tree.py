"""YAML text to a tree of marked nodes, refusing what could harm before any of it is built.

This works on the parser's events. Anchors, aliases, tags and merge keys are refused (a kilobyte of aliases can stand
for a gigabyte of objects, and a tag can name code), as are duplicate keys and keys that are not plain text. Scalars
stay the text they were written as: what `NO` or `1e3` means is for the field that stands there, so Norway is a country.

Limits: a file of 4 MiB, 1,000 documents and 200,000 nodes; a document of 1 MiB, 20,000 nodes and 32 levels. A file
over any of them is refused at the event that crosses it. The parser itself gives no more than its first syntax error,
so after one the rest of the file is not read; everything before it is.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from tidegate.manifests.problems import MOST_PROBLEMS, Problem

MAX_FILE_BYTES = 4 * 1024 * 1024
MAX_DOCUMENTS = 1_000
MAX_DOCUMENT_CHARACTERS = 1024 * 1024
MAX_NODES = 20_000
MAX_FILE_NODES = 200_000
MAX_DEPTH = 32

_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NOTHING = re.compile(r"(?:|~|null|Null|NULL)")
_BOOLEAN = re.compile(r"(?:true|True|TRUE|false|False|FALSE)")
_NUMBER = re.compile(r"[-+]?(?:0x[0-9a-fA-F]+|0o[0-7]+|(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)")


@dataclass(slots=True)
class Scalar:
    """Text, a number, true, false or nothing, as written. Lines and columns count from 1."""

    line: int
    column: int
    text: str
    quoted: bool = False

    @property
    def sort(self) -> str:
        """`text`, `number`, `boolean` or `nothing`, as YAML 1.2's core schema (and so an editor) reads it."""
        if self.quoted:
            return "text"
        for sort, pattern in (("nothing", _NOTHING), ("boolean", _BOOLEAN), ("number", _NUMBER)):
            if pattern.fullmatch(self.text):
                return sort
        return "text"


@dataclass(slots=True)
class Sequence:
    """A list."""

    line: int
    column: int
    items: list["Node"] = field(default_factory=list)


@dataclass(slots=True)
class Mapping:
    """Names to nodes, in the order written; each with the mark of its key."""

    line: int
    column: int
    items: dict[str, "Node"] = field(default_factory=dict)
    keys: dict[str, Scalar] = field(default_factory=dict)
    pending: Scalar | None = None
    """The key whose value is being read."""


Node = Scalar | Sequence | Mapping


class _Stop(Exception):
    """The rest of this file is not to be read; the problem is already noted."""


def read(text: str, source: str, problems: list[Problem]) -> list[Node]:
    """One root node per document that is not empty. What is wrong is added to `problems`, never raised."""
    roots: list[Node] = []
    try:
        _check_characters(text, source, problems)
        for root in _documents(text, source, problems):
            roots.append(root)
    except _Stop:
        pass
    except yaml.MarkedYAMLError as error:
        problems.append(_syntax(error, text, source))
    except yaml.YAMLError as error:
        problems.append(Problem(source, 0, 0, "", f"is not YAML: {str(error).splitlines()[0]}"))
    return roots


def _documents(text: str, source: str, problems: list[Problem]) -> Iterator[Node]:
    documents = nodes = began = total = 0
    stack: list[Sequence | Mapping] = []

    def refuse(event: yaml.Event, message: str, hint: str = "") -> None:
        problems.append(Problem(source, *_mark(event), _path(stack), message, hint=hint))

    def stop(event: yaml.Event, message: str) -> None:
        refuse(event, message)
        raise _Stop

    for event in yaml.parse(text, Loader=_LOADER):
        if _index(event.end_mark) - began > MAX_DOCUMENT_CHARACTERS:
            stop(event, f"the document is over {MAX_DOCUMENT_CHARACTERS:,} characters")
        if isinstance(event, yaml.DocumentStartEvent):
            documents, nodes, began = documents + 1, 0, _index(event.start_mark)
            if documents > MAX_DOCUMENTS:
                stop(event, f"the file has over {MAX_DOCUMENTS:,} documents")
            continue
        if isinstance(event, yaml.AliasEvent):
            stop(event, f"aliases are not read (*{event.anchor})")
        if isinstance(event, yaml.NodeEvent):
            nodes, total = nodes + 1, total + 1
            if total > MAX_FILE_NODES:
                stop(event, f"the file has over {MAX_FILE_NODES:,} nodes")
            if len(problems) > MOST_PROBLEMS:
                stop(event, "has more mistakes than are told")
            if nodes > MAX_NODES:
                stop(event, f"the document has over {MAX_NODES:,} nodes")
            if event.anchor is not None:
                refuse(event, f"anchors are not read (&{event.anchor})", "write the value out where it is needed")
            if (tag := getattr(event, "tag", None)) is not None:
                refuse(event, f"tags are not read ({tag})")
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = Scalar(*_mark(event), event.value, quoted=not event.implicit[0])
        elif isinstance(event, yaml.SequenceStartEvent):
            node = Sequence(*_mark(event))
        elif isinstance(event, yaml.MappingStartEvent):
            node = Mapping(*_mark(event))
        elif isinstance(event, yaml.CollectionEndEvent):
            node = stack.pop()
            if not stack:
                yield node
            continue
        else:
            continue
        if stack:
            _attach(stack[-1], node, source, problems, _path(stack))
        elif isinstance(node, Scalar) and node.sort != "nothing":
            yield node
        if not isinstance(node, Scalar):
            stack.append(node)
            if len(stack) > MAX_DEPTH:
                stop(event, f"the document is over {MAX_DEPTH} levels deep")


def _attach(parent: Sequence | Mapping, node: Node, source: str, problems: list[Problem], path: str) -> None:
    """Put the node where it belongs, at `path`; in a mapping, keys and values take turns."""
    if isinstance(parent, Sequence):
        parent.items.append(node)
    elif parent.pending is None:
        if not isinstance(node, Scalar):
            problems.append(Problem(source, node.line, node.column, path, "a field's name must be plain text"))
            raise _Stop
        parent.pending = node
    else:
        key, parent.pending = parent.pending, None
        if key.text == "<<" and not key.quoted:
            problems.append(Problem(source, key.line, key.column, path, "merge keys (<<) are not read"))
        elif key.text in parent.items:
            first = parent.keys[key.text].line
            problems.append(Problem(source, key.line, key.column, path, f"is given twice, first on line {first}"))
        else:
            parent.items[key.text], parent.keys[key.text] = node, key


def _path(stack: list[Sequence | Mapping]) -> str:
    path = ""
    for node in stack:
        if isinstance(node, Sequence):
            path += f"[{len(node.items)}]" if node is stack[-1] else f"[{len(node.items) - 1}]"
        elif node.pending is not None:
            path += f".{node.pending.text}"
        elif node is not stack[-1] and node.items:
            path += f".{next(reversed(node.items))}"
    return path.removeprefix(".")


def _mark(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (0, 0)


def _index(mark: Any) -> int:
    return int(mark.index)


def _check_characters(text: str, source: str, problems: list[Problem]) -> None:
    """Raises _Stop where the parser could not even begin, with the place noted."""
    if len(text) > MAX_FILE_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_FILE_BYTES:
        problems.append(Problem(source, 0, 0, "", f"the file is over {MAX_FILE_BYTES:,} bytes"))
        raise _Stop
    bad = re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]", text)
    if bad is not None:
        line, column = text.count("\n", 0, bad.start()) + 1, bad.start() - text.rfind("\n", 0, bad.start())
        message = f"holds the character U+{ord(bad[0]):04X}, which is not text"
        problems.append(Problem(source, line, column, "", message))
        raise _Stop


def _syntax(error: yaml.MarkedYAMLError, text: str, source: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    lines = text.splitlines()
    here = lines[line - 1] if 0 < line <= len(lines) else ""
    if "\t" in here[: len(here) - len(here.lstrip())] or "\\t" in str(error.problem):
        return Problem(source, line, column, "", "is indented with a tab", wanted="spaces")
    return Problem(source, line, column, "", f"is not YAML: {error.problem or error.context}")
