"""The shapes a value can have: each one reads a node, writes a value back, and says itself as JSON Schema.

`Value` is one scalar (text, a number, a quantity, a choice), `ListOf` and `MapOf` hold others, `Record` is a block that
becomes a noun, `Group` a block that only gathers fields of the noun around it. A `Field` joins a name in YAML to an
attribute of the noun: a dotted attribute (`inference.model_uri`) reaches into the noun's own parts, which are made as
needed. A field that is absent leaves the noun's own default, so a default is stated once, in `tidegate.model`.

Reading never raises: a mistake is noted and MISSING comes back, and a record with anything missing is MISSING itself.

It is longer than other files because the shapes hold each other and answer one protocol: read, write, schema.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import dataclass, fields
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Any, Protocol, get_args, get_type_hints

from tidegate.manifests import tree
from tidegate.manifests.problems import MOST_PROBLEMS, Enough, Problem

Schema = dict[str, Any]


class Missing:
    """The answer of a shape that could not read its node."""


MISSING = Missing()


@dataclass(frozen=True, slots=True)
class Notes:
    """Where problems are noted, for one file."""

    source: str
    problems: list[Problem]

    def note(self, node: tree.Node, path: str, message: str = "", *, wanted: str = "", hint: str = "") -> Missing:
        """Note one problem at the node, and answer MISSING; `found` is said where something is wanted instead."""
        if len(self.problems) >= MOST_PROBLEMS:
            raise Enough
        found = describe(node) if wanted else ""
        self.problems.append(Problem(self.source, node.line, node.column, path, message, found, wanted, hint))
        return MISSING


class Shape(Protocol):
    """What every shape can do."""

    def read(self, node: tree.Node, path: str, notes: Notes) -> Any:
        """The value, or MISSING with the reason noted."""

    def write(self, value: Any) -> Any:
        """The value as plain YAML data, in the form that `read` accepts."""

    def schema(self) -> Schema:
        """JSON Schema, draft 2020-12, of what `read` accepts."""


def describe(node: tree.Node) -> str:
    """What stands there, in few words."""
    if isinstance(node, tree.Scalar):
        return "nothing" if node.sort == "nothing" and not node.text else node.text or '""'
    return "a list" if isinstance(node, tree.Sequence) else "a block of fields"


@dataclass(frozen=True, slots=True)
class Value:
    """One scalar."""

    parse: Callable[[str], Any]
    """Text to value; raises ValueError where it cannot be."""
    wanted: str
    described: Mapping[str, Any]
    """The JSON Schema."""
    form: Callable[[Any], Any] = str
    """Value to what YAML is to hold."""
    sorts: tuple[str, ...] = ("text",)
    """Which sorts of scalar may stand there."""
    choices: tuple[str, ...] = ()

    def read(self, node: tree.Node, path: str, notes: Notes) -> Any:
        if not isinstance(node, tree.Scalar):
            return notes.note(node, path, wanted=self.wanted)
        if node.sort not in self.sorts:
            return notes.note(node, path, wanted=self.wanted, hint=self._quotes_would_do(node))
        try:
            return self.parse(node.text)
        except ValueError as error:
            wanted = self.wanted if self.choices else str(error) or self.wanted
            return notes.note(node, path, wanted=wanted, hint=near(node.text, self.choices))

    def _quotes_would_do(self, node: tree.Scalar) -> str:
        if "text" not in self.sorts or node.sort not in ("number", "boolean"):
            return ""
        try:
            self.parse(node.text)
        except ValueError:
            return ""
        return "put it in quotes"

    def write(self, value: Any) -> Any:
        return self.form(value)

    def schema(self) -> Schema:
        return dict(self.described)


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of one shape, of at least `least` items; `distinct` names the attribute that no two may share."""

    item: Shape
    least: int = 0
    distinct: str = ""

    def read(self, node: tree.Node, path: str, notes: Notes) -> Any:
        if not isinstance(node, tree.Sequence):
            return notes.note(node, path, wanted="a list")
        if len(node.items) < self.least:
            return notes.note(
                node, path, "is an empty list", hint=f"give at least {self.least}, or leave the field out"
            )
        values = [self.item.read(item, f"{path}[{i}]", notes) for i, item in enumerate(node.items)]
        if any(value is MISSING for value in values):
            return MISSING
        if self.distinct:
            names = [getattr(value, self.distinct) for value in values]
            for i, name in enumerate(names):
                if name in names[:i]:
                    return notes.note(node.items[i], f"{path}[{i}].{self.distinct}", f'"{name}" is given twice')
        return tuple(values)

    def write(self, value: Any) -> Any:
        return [self.item.write(one) for one in value]

    def schema(self) -> Schema:
        return {"type": "array", "items": self.item.schema()} | ({"minItems": self.least} if self.least else {})


@dataclass(frozen=True, slots=True)
class MapOf:
    """A block whose names the user chooses, such as labels; `key` is the pattern that they match."""

    item: Shape
    key: str
    key_wanted: str

    def read(self, node: tree.Node, path: str, notes: Notes) -> Any:
        if not isinstance(node, tree.Mapping):
            return notes.note(node, path, wanted="a block of names and values")
        values: dict[str, Any] = {}
        for name, item in node.items.items():
            if re.fullmatch(self.key, name) is None:
                values[name] = notes.note(node.keys[name], f"{path}.{name}", wanted=self.key_wanted)
            else:
                values[name] = self.item.read(item, f"{path}.{name}", notes)
        return MISSING if any(value is MISSING for value in values.values()) else values

    def write(self, value: Any) -> Any:
        return {name: self.item.write(one) for name, one in value.items()}

    def schema(self) -> Schema:
        names = {"pattern": f"^(?:{self.key})$"}
        return {"type": "object", "propertyNames": names, "additionalProperties": self.item.schema()}


@dataclass(frozen=True, slots=True)
class Or:
    """A word that stands for one value, or a block that says another."""

    word: Value
    block: "Record"
    means: Any
    """What the word stands for."""

    def read(self, node: tree.Node, path: str, notes: Notes) -> Any:
        if isinstance(node, tree.Scalar):
            return MISSING if self.word.read(node, path, notes) is MISSING else self.means
        return self.block.read(node, path, notes)

    def write(self, value: Any) -> Any:
        return self.word.wanted if value == self.means else self.block.write(value)

    def schema(self) -> Schema:
        return {"oneOf": [self.word.schema(), self.block.schema()]}


@dataclass(frozen=True, slots=True)
class Through:
    """Another shape, its value turned into what the noun holds and back."""

    inner: Shape
    make: Callable[[Any], Any]
    unmake: Callable[[Any], Any]

    def read(self, node: tree.Node, path: str, notes: Notes) -> Any:
        value = self.inner.read(node, path, notes)
        return MISSING if value is MISSING else self.make(value)

    def write(self, value: Any) -> Any:
        return self.inner.write(self.unmake(value))

    def schema(self) -> Schema:
        return self.inner.schema()


@dataclass(frozen=True, slots=True)
class Group:
    """A block in YAML that is none in the noun: its fields' attributes are those of the record around it."""

    fields: tuple["Field", ...]


@dataclass(frozen=True, slots=True)
class Field:
    """One name in YAML."""

    name: str
    shape: Shape | Group
    doc: str
    attribute: str = ""
    """Dotted, from the noun of the record; not used where the shape is a Group."""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Wrong:
    """What a record's own check found: the field, relative to the record, and the reason."""

    field: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """A block that becomes a noun."""

    noun: type
    fields: tuple[Field, ...]
    check: Callable[[Any], Iterator[Wrong]] | None = None
    """What must hold between fields; asked only of a noun whose fields could all be read."""
    fixed: Mapping[str, Any] | None = None
    """Attributes that every such noun has, whatever the YAML says."""

    def read(self, node: tree.Node, path: str, notes: Notes) -> Any:
        found: dict[str, Any] = dict(self.fixed or {})
        if not _gather(self.fields, node, path, notes, found):
            return MISSING
        value = build(self.noun, found)
        wrongs = list(self.check(value)) if self.check else []
        for wrong in wrongs:
            where = f"{path}.{wrong.field}" if path else wrong.field
            notes.note(_nearest(node, wrong.field), where, wrong.message, hint=wrong.hint)
        return MISSING if wrongs else value

    def write(self, value: Any) -> Any:
        return _scatter(self.fields, value, self.bare())

    def schema(self) -> Schema:
        return _object(self.fields, self.bare())

    def bare(self) -> Any:
        """The noun of a block that says nothing but what it must; what it must say is None."""
        return build(self.noun, dict.fromkeys(_required(self.fields)), lenient=True)


def near(text: str, choices: Sequence[str]) -> str:
    """`did you mean "x"?`, or nothing."""
    folded = {choice.lower(): choice for choice in choices}
    close = get_close_matches(text.lower(), list(folded), n=1, cutoff=0.6)
    return f'did you mean "{folded[close[0]]}"?' if close else ""


def build(noun: type, attributes: Mapping[str, Any], *, lenient: bool = False) -> Any:
    """The noun from dotted attributes; its parts are made as needed, and what is absent keeps the noun's default.

    Lenient, attributes that have no default become None: such a noun serves to compare defaults with, nothing else.
    """
    parts: dict[str, Any] = {}
    for dotted, value in attributes.items():
        head, _, rest = dotted.partition(".")
        if rest:
            parts.setdefault(head, {})[rest] = value
        else:
            parts[head] = value
    hints = get_type_hints(noun)
    arguments: dict[str, Any] = {}
    for one in fields(noun):
        kind = _noun_of(hints[one.name])
        has_default = one.default is not NO_DEFAULT or one.default_factory is not NO_DEFAULT
        if one.name in parts:
            dotted_part = any(name.startswith(f"{one.name}.") for name in attributes)
            arguments[one.name] = (
                build(kind, parts[one.name], lenient=lenient) if dotted_part and kind else parts[one.name]
            )
        elif not has_default:
            arguments[one.name] = build(kind, {}, lenient=lenient) if kind else None
    return noun(**arguments)


def look(noun: Any, attribute: str) -> Any:
    """The value of a dotted attribute; None where a part on the way is None."""
    for name in attribute.split("."):
        noun = None if noun is None else getattr(noun, name)
    return noun


def _noun_of(hint: Any) -> type | None:
    """The dataclass that an annotation names, alone or beside None."""
    options = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    return next((one for one in options if one is not NoneType and hasattr(one, "__dataclass_fields__")), None)


def _gather(wanted: tuple[Field, ...], node: tree.Node, path: str, notes: Notes, found: dict[str, Any]) -> bool:
    """Read every field of a block into `found`, by attribute; False if anything was wrong."""
    if not isinstance(node, tree.Mapping):
        notes.note(node, path, wanted=f"a block of fields ({', '.join(field.name for field in wanted)})")
        return False
    by_name = {field.name: field for field in wanted}
    good = True
    for name, item in node.items.items():
        where = f"{path}.{name}" if path else name
        field = by_name.get(name)
        if field is None:
            hint = near(name, tuple(by_name)) or f"known here: {', '.join(by_name)}"
            notes.note(node.keys[name], where, "is not a field", hint=hint)
            good = False
        elif isinstance(field.shape, Group):
            good = _gather(field.shape.fields, item, where, notes, found) and good
        else:
            value = field.shape.read(item, where, notes)
            good = good and value is not MISSING
            if field.attribute:
                found[field.attribute] = value
    for field in wanted:
        if field.required and field.name not in node.items:
            where = f"{path}.{field.name}" if path else field.name
            notes.note(node, where, "is required", hint=field.doc)
            good = False
    return good


def _scatter(wanted: tuple[Field, ...], value: Any, default: Any) -> dict[str, Any]:
    """The block that reads back to `value`: what is required, and what differs from the default."""
    block: dict[str, Any] = {}
    for field in wanted:
        if isinstance(field.shape, Group):
            inner = _scatter(field.shape.fields, value, default)
            if inner or field.required:
                block[field.name] = inner
        elif field.attribute:
            one = look(value, field.attribute)
            if one is not None and (field.required or one != look(default, field.attribute)):
                block[field.name] = field.shape.write(one)
    return block


def _required(wanted: tuple[Field, ...]) -> Iterator[str]:
    """The attributes that are always given, however deep in groups."""
    for field in wanted:
        if isinstance(field.shape, Group):
            yield from _required(field.shape.fields)
        elif field.required and field.attribute:
            yield field.attribute


def _object(wanted: tuple[Field, ...], default: Any) -> Schema:
    properties: dict[str, Any] = {}
    for field in wanted:
        if isinstance(field.shape, Group):
            inner = _object(field.shape.fields, default)
        else:
            inner = field.shape.schema()
            usual = look(default, field.attribute) if field.attribute and not field.required else None
            if (isinstance(field.shape, Value) and usual not in (None, "", 0)) or usual is True:
                inner["default"] = field.shape.write(usual)
        properties[field.name] = inner | {"description": field.doc}
    required = [field.name for field in wanted if field.required]
    return {"type": "object", "properties": properties, "additionalProperties": False} | (
        {"required": required} if required else {}
    )


def _nearest(node: tree.Node, path: str) -> tree.Node:
    """The node at a relative path, or the last one on the way to it."""
    for name in path.split("."):
        inner = node.items.get(name) if isinstance(node, tree.Mapping) else None
        if inner is None:
            break
        node = inner
    return node
