"""Nouns back to YAML, and the table of kinds as JSON Schema.

`load(dump(noun))` is the noun again. Both leave out what is at its default, so that what is printed is what was meant.
"""

from typing import Any

import yaml

from tidegate.manifests.kinds import API_VERSION, KINDS, Noun, kind_of
from tidegate.manifests.shapes import Schema
from tidegate.model.errors import NotFound

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def document(noun: Noun) -> dict[str, Any]:
    """The noun as plain data in the shape of a manifest, for JSON or YAML."""
    return {"apiVersion": API_VERSION, "kind": kind_of(noun), **KINDS[kind_of(noun)].write(noun)}


class _Dumper(yaml.SafeDumper):
    """Writes no aliases, since none are read."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def dump(noun: Noun) -> str:
    """The noun as one YAML document, without the `---` between documents."""
    return yaml.dump(document(noun), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def schema(kind: str | None = None) -> Schema:
    """JSON Schema of one kind, or of any manifest. Raises NotFound where there is no such kind.

    An editor with the YAML language server checks a manifest that begins with
    `# yaml-language-server: $schema=tidegate.schema.json` against what `tidegate schema` printed there.
    """
    if kind is None:
        choices = [
            {"if": {"properties": {"kind": {"const": name}}, "required": ["kind"]}, "then": {"$ref": f"#/$defs/{name}"}}
            for name in KINDS
        ]
        return {
            "$schema": DRAFT,
            "title": "A Tidegate manifest",
            "type": "object",
            "required": ["apiVersion", "kind", "metadata", "spec"],
            "properties": {"apiVersion": {"const": API_VERSION}, "kind": {"enum": list(KINDS)}},
            "allOf": choices,
            "$defs": {name: record.schema() for name, record in KINDS.items()},
        }
    if kind not in KINDS:
        raise NotFound("no such kind", field="kind", found=kind, wanted=f"one of {', '.join(KINDS)}")
    return {"$schema": DRAFT, "title": kind, **KINDS[kind].schema()}
