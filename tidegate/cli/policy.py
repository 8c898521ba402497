"""`tidegate policy`: test the examples beside the rules, try a law before it is applied, see what the rules cost."""

import sys
from pathlib import Path
from typing import Any

import click

from tidegate import manifests
from tidegate.cli import amounts, options, render
from tidegate.cli.main import REFUSED_DECISION
from tidegate.manifests.quantities import parse_duration
from tidegate.model.errors import Broken, Refused
from tidegate.model.impact import Impact, RuleCost, Touch, Touched
from tidegate.model.money import Team
from tidegate.model.policy import Policy
from tidegate.model.site import Site

MOST_SHOWN = 50
"""Recorded decisions shown in a table; `-o json` has them all."""


@click.group("policy")
def command() -> None:
    """Test policies, try them on the fleet, and see what their rules cost."""


@command.command("test")
@options.files()
@options.output
def test(files: tuple[str, ...], output: str) -> int:
    """Run the tests inside the policies in FILE... against the sites in FILE...; exits 1 where one fails.

    No broker is needed. For instance: tidegate policy test deploy/policies
    """
    try:
        from placement.law import policy_test
    except ModuleNotFoundError as missing:
        raise Refused(
            "policies are tested by the placement engine, which this installation lacks",
            wanted="a checkout of Tidegate",
        ) from missing
    nouns = _read(files)
    sites = tuple(noun for noun in nouns if isinstance(noun, Site))
    teams = tuple(noun for noun in nouns if isinstance(noun, Team))
    policies = _policies(nouns, files)
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


@command.command("impact")
@click.argument("files", nargs=-1, type=click.Path(allow_dash=True), metavar="FILE...")
@click.option("--without", multiple=True, metavar="NAME", help="A policy that would no longer be in force; repeatable.")
@click.option("--since", default="", metavar="DURATION", help="Judge the decisions of the last 7d, 12h, ... as well.")
@click.option("--from", "from_offset", default=0, type=options.OFFSET, metavar="OFFSET", help="Or from this offset.")
@click.option("--to", "to_offset", default=0, type=options.OFFSET, metavar="OFFSET", help="To this; 0: the newest.")
@options.output
@click.pass_context
def impact(
    ctx: click.Context,
    files: tuple[str, ...],
    without: tuple[str, ...],
    since: str,
    from_offset: int,
    to_offset: int,
    output: str,
) -> int:
    """What would the policies in FILE... do, before they are applied? Exits 1 where something becomes illegal.

    They are held against everything that stands now; with --since or --from, against recorded decisions too: what
    becomes illegal and by which rule, what would move, what could be placed at last, and what it costs a month.
    Nothing is applied. Sites, teams and prices in FILE... are passed over.
    """
    if not files and not without:
        raise click.UsageError("say which policies: FILE..., or --without NAME")
    if to_offset and to_offset < from_offset:
        raise click.UsageError(f"--to {to_offset} comes before --from {from_offset}")
    try:
        since_ms = parse_duration(since) // 1_000 if since else 0
    except ValueError as error:
        raise click.UsageError(f"--since {since}: {error}") from error
    policies = _policies(_read(files), files) if files else []
    found = _tried(ctx, policies, without, since_ms, from_offset, to_offset)
    if not render.data(_plain(found), output):
        _show(found)
    return REFUSED_DECISION if found.illegal else 0


@command.command("price")
@click.option("--team", default="", help="Only this team's.")
@options.output
@click.pass_context
def price(ctx: click.Context, team: str, output: str) -> None:
    """What does each rule cost a month, by team, over everything that is placed?

    A rule's price is what a workload would save without that one rule, as its decision recorded it. Rules that refuse
    the same place have no price each, so the sum is not the price of the whole law.
    """
    answer = options.connect(ctx).rule_costs()
    costs = [one for one in answer.costs if not team or one.team == team]
    if render.data([_cost(one) for one in costs], output):
        return
    rows = [(one.rule, one.team or "-", one.workloads, amounts.dollars_per_month(one.micros_per_hour)) for one in costs]
    render.table("rule costs anything", ["rule", "team", "workloads", "cost"], rows, right=["workloads", "cost"])
    if costs:
        by_policy: dict[str, int] = {}
        for one in costs:
            policy = one.rule.partition("/")[0] if "/" in one.rule else "(asked by the workloads themselves)"
            by_policy[policy] = by_policy.get(policy, 0) + one.micros_per_hour
        for name, micros in by_policy.items():
            render.line(f"{name}: {amounts.dollars_per_month(micros)}")
    render.line(f"over {answer.placed} placed workloads, at offset {answer.offset}", "dim")


def _read(files: tuple[str, ...]) -> Any:
    if "-" in files:
        return manifests.load(sys.stdin.read(), source="<stdin>")
    return manifests.load_files([Path(file) for file in files])


def _policies(nouns: Any, files: tuple[str, ...]) -> list[Policy]:
    policies = [noun for noun in nouns if isinstance(noun, Policy)]
    if not policies:
        raise Refused("no policy there", found=", ".join(files), wanted="at least one Policy")
    return policies


def _detail(result: Any) -> str:
    """What came out otherwise than the example says."""
    parts = [f"{site} is refused by {rule}, should be allowed" for site, rule in result.wrongly_refused]
    parts += [f"{site} is allowed, should be forbidden" for site in result.wrongly_allowed]
    parts += [f"nothing warns of {site}, something should" for site in result.not_warned]
    parts += [f"no site {site}" for site in result.unknown_sites]
    return "; ".join(parts)


def _tried(
    ctx: click.Context, policies: list[Policy], without: tuple[str, ...], since_ms: int, first: int, last: int
) -> Impact:
    words = options.connect(ctx).try_policies(
        *policies, without=without, since_ms=since_ms, from_offset=first, to_offset=last
    )
    with render.waiting("trying the law") as shown:
        for word in words:
            if word.impact is not None:
                return word.impact
            told = f"trying the law: {word.done * 100 // max(word.of, 1)} %"
            shown.update(told) if shown is not None else render.progress(told)
    raise Broken("the trial ended without an answer")


def _show(found: Impact) -> None:
    titles = {
        Touch.ILLEGAL: "becomes illegal",
        Touch.MOVES: "would go elsewhere",
        Touch.OPENED: "could be placed",
        Touch.CLOSED: "could not be placed",
    }
    render.line(f"under {', '.join(found.policies) or 'no policy at all'}, at offset {found.revision}")
    for touch, title in titles.items():
        touched = [one for one in found.touched if one.touch is touch]
        if not touched:
            continue
        render.line(f"{title}: {len(touched)}", "bold")
        rows = [_row(one) for one in touched[:MOST_SHOWN]]
        render.table(title, ["workload", "when", "from", "to", "rules", "costs"], rows, right=["costs"])
        if len(touched) > MOST_SHOWN:
            render.line(f"... and {len(touched) - MOST_SHOWN} more (-o json has them)", "dim")
    if not found.touched:
        render.line("nothing would change")
    told = f"judged {found.standing} that stand or wait"
    if found.decisions:
        told += f", and {found.decisions} decisions from offset {found.from_offset} to {found.to_offset}"
    render.line(told, "dim")
    if any(one.offset == 0 for one in found.touched):
        more = found.more_micros_per_hour
        sign = "more" if more >= 0 else "less"
        render.line(f"what stands now would cost {amounts.dollars_per_month(abs(more))} {sign}")


def _row(one: Touched) -> tuple[str, str, str, str, str, str]:
    where = ", ".join(one.before) or "nowhere"
    to = ", ".join(one.after) or "nowhere"
    when = f"at {one.offset}" if one.offset else "now"
    more = one.more_micros_per_hour
    cost = f"{'+' if more >= 0 else '-'}{amounts.dollars_per_month(abs(more))}" if one.before and one.after else ""
    return f"{one.name} ({one.workload_id})", when, where, to, ", ".join(one.rules), cost


def _plain(found: Impact) -> dict[str, Any]:
    """With the sums that a program would otherwise have to make."""
    return {
        "policies": found.policies,
        "revision": found.revision,
        "standing": found.standing,
        "decisions": found.decisions,
        "from_offset": found.from_offset,
        "to_offset": found.to_offset,
        "illegal": len(found.illegal),
        "more_micros_per_hour": found.more_micros_per_hour,
        "touched": found.touched,
    }


def _cost(one: RuleCost) -> dict[str, Any]:
    policy, slash, rule = one.rule.partition("/")
    return {
        "policy": policy if slash else "",
        "rule": rule if slash else policy,
        "team": one.team,
        "workloads": one.workloads,
        "micros_per_hour": one.micros_per_hour,
    }
