"""YAML to nouns and back, with file, line and field in every error; and the JSON Schema that editors use.

The shape is Kubernetes' (`apiVersion: tidegate.dev/v1`, `kind`, `metadata`, `spec`). One table (`kinds`) says every
field of every kind; reader, writer and schema come from it. `tree` reads YAML events within named bounds and refuses
anchors, aliases, tags and merge keys; `shapes` turns nodes into values and notes what is wrong; `quantities` reads
`24Gi` and `72h`.

What it is not: it knows no site or policy that exists. Whether a policy's keys and a workload's names mean anything is
for the broker to say.
"""

from tidegate.manifests.files import load, load_files
from tidegate.manifests.kinds import API_VERSION, KINDS, Noun, kind_of
from tidegate.manifests.output import document, dump, schema
from tidegate.manifests.problems import ManifestError, Problem

__all__ = [
    "API_VERSION",
    "KINDS",
    "ManifestError",
    "Noun",
    "Problem",
    "document",
    "dump",
    "kind_of",
    "load",
    "load_files",
    "schema",
]
