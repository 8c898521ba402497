"""`tidegate policy test`: run the examples that stand beside the rules."""

import sys
from pathlib import Path
from typing import Any

import click

from tidegate import manifests
from tidegate.cli import options, render
from tidegate.cli.main import REFUSED_DECISION
from tidegate.model.errors import Refused
from tidegate.model.money import Team
from tidegate.model.policy import Policy
from tidegate.model.site import Site


@click.group("policy")
def command() -> None:
    """Test policies."""


@command.command("test")
@options.files()
@options.output
def test(files: tuple[str, ...], output: str) -> int:
    """Run the tests inside the policies in FILE... against the sites in FILE...; exits 1 where one fails.

    No broker is needed. For instance: tidegate policy test deploy/policies
    """
    try:
        from placement import policy_test
    except ModuleNotFoundError as missing:
        raise Refused(
            "policies are tested by the placement engine, which this installation lacks",
            wanted="a checkout of Tidegate",
        ) from missing
    if "-" in files:
        nouns = manifests.load(sys.stdin.read(), source="<stdin>")
    else:
        nouns = manifests.load_files([Path(file) for file in files])
    sites = tuple(noun for noun in nouns if isinstance(noun, Site))
    policies = [noun for noun in nouns if isinstance(noun, Policy)]
    if not policies:
        raise Refused("no policy there", found=", ".join(files), wanted="at least one Policy")
    teams = tuple(noun for noun in nouns if isinstance(noun, Team))
    results = [result for policy in policies for result in policy_test.run(policy, sites, teams)]
    for policy in policies:
        for warning in policy_test.warnings(policy):
            render.progress(f"warning: policy {policy.name}: {warning}")
    failed = [result for result in results if not result.passed]
    if not render.data(results, output):
        render.table(
            "tests",
            ["policy", "test", "outcome", "detail"],
            [(one.policy, one.name, "passed" if one.passed else "FAILED", _detail(one)) for one in results],
        )
        render.line(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    return REFUSED_DECISION if failed else 0


def _detail(result: Any) -> str:
    """What came out otherwise than the example says."""
    parts = [f"{site} is refused by {rule}, should be allowed" for site, rule in result.wrongly_refused]
    parts += [f"{site} is allowed, should be forbidden" for site in result.wrongly_allowed]
    parts += [f"nothing warns of {site}, something should" for site in result.not_warned]
    parts += [f"no site {site}" for site in result.unknown_sites]
    return "; ".join(parts)
