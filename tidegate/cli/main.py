"""The argument tree and the exit codes.

Exit codes: 0 done; 1 the decision was a refusal, the workload failed, a policy's test failed or a law on trial outlaws
something; 2 the request is wrong (usage, manifest, unknown name); 3 the broker or a device could not be reached; 4 a
fault of Tidegate's; 130 interrupted.
"""

import sys
from importlib import import_module

import click

from tidegate.cli import render
from tidegate.model.errors import Broken, Refused, TidegateError, Unavailable

REFUSED_DECISION, BAD_REQUEST, UNREACHABLE, FAULT, INTERRUPTED = 1, 2, 3, 4, 130

VERBS = {
    "up": "A three-tier fleet on this machine, in the foreground.",
    "demo": "The main job, end to end, with every promise checked.",
    "apply": "Declare sites, policies, teams and prices.",
    "plan": "Where would this workload run, and why? Nothing is recorded.",
    "advise": "Own or rent, GPU or CPU, which GPU, cloud API or own; by price.",
    "submit": "Hand in a training job or an inference service.",
    "get": "Workloads, or one of them.",
    "watch": "Follow a workload until it ends.",
    "explain": "Why here, why not there: the whole matrix.",
    "logs": "What a workload printed.",
    "infer": "Ask an inference service, directly at the device.",
    "models": "Registered model versions and where they came from.",
    "teams": "Quotas and money: what each team holds, borrows, lends and spends.",
    "sites": "The fleet: sites, offers, links.",
    "cordon": "Send no new work to a site.",
    "drain": "Move what can move away from a site.",
    "rebalance": "What could stand better: cheaper, legal again, on fewer units.",
    "cancel": "Stop a workload.",
    "trace": "The waterfall of a workload, from submit to prediction.",
    "story": "Every event that touched one id.",
    "audit": "Is every decision what it would be again, and all that stands as it should?",
    "replay": "The older name of `audit replay`.",
    "prices": "Price books, and published tables turned into one.",
    "policy": "Test policies, try them on the fleet, and see what their rules cost.",
    "schema": "JSON Schema of the manifests, for an editor.",
}


class Verbs(click.Group):
    """One module per verb, imported when the verb is used, so that each starts quickly."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        command: click.Command = import_module(f"tidegate.cli.{name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in VERBS and not name.startswith("-"):
            import difflib

            near = difflib.get_close_matches(name, VERBS, 1)
            ctx.fail(f"no verb {name!r}." + (f" Did you mean {near[0]!r}?" if near else " See tidegate --help."))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--broker", envvar="TIDEGATE_BROKER", default="", metavar="ADDRESS", help="host:port or unix:/path of the broker."
)
@click.version_option(package_name=None, version="0.1.0", prog_name="tidegate")
@click.pass_context
def cli(ctx: click.Context, broker: str) -> None:
    """Decides where AI work runs, proves why, and keeps it running there when the network goes away.

    Exit codes: 0 done, 1 refused by decision or failed, 2 wrong request, 3 unreachable, 4 a fault of ours.
    """
    ctx.obj = broker


def main() -> int:
    """Runs one verb and turns its outcome into an exit code."""
    try:
        _check_text(sys.argv[1:])
        outcome = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return BAD_REQUEST
    except TidegateError as error:
        render.error(error)
        return exit_code(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    return outcome if isinstance(outcome, int) else 0


def _check_text(arguments: list[str]) -> None:
    """Raise UsageError at an argument that is no text: what is sent is UTF-8."""
    for argument in arguments:
        if any("\ud800" <= character <= "\udfff" for character in argument):
            raise click.UsageError(f"an argument is not UTF-8: {argument!r}")


def exit_code(error: TidegateError) -> int:
    """The exit code of an error's family."""
    if isinstance(error, Refused):
        return BAD_REQUEST
    if isinstance(error, Unavailable):
        return UNREACHABLE
    assert isinstance(error, Broken)
    return FAULT


if __name__ == "__main__":
    sys.exit(main())
