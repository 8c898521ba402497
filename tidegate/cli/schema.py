"""`tidegate schema`: JSON Schema of the manifests."""

import json

import click

from tidegate import manifests
from tidegate.cli import render

KINDS = ["Site", "Policy", "Team", "PriceBook", "TrainingJob", "InferenceService"]


@click.command("schema")
@click.argument("kind", required=False, metavar="[KIND]", type=click.Choice(KINDS, case_sensitive=False))
def command(kind: str | None) -> None:
    """JSON Schema (2020-12) of every kind of manifest, or of KIND: Site, Policy, Team and so on.

    Editors with a YAML language server read it from a comment in the first line of a manifest:
    # yaml-language-server: $schema=tidegate.schema.json
    """
    render.raw(json.dumps(manifests.schema(kind), indent=2) + "\n")
