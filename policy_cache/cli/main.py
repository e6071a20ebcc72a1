"""`policy-cache`: the command line. Commands are imported when they are called."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

import click

from policy_cache.errors import PolicyCacheError, reason_of
from policy_cache.text.words import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "init": "Write a first policy and its tests.",
    "validate": "Check policy files.",
    "diff": "Show what a policy changes in a request.",
    "rewrite": "Print the request that a policy makes of a request.",
    "explain": "Say why each rule did or did not act on a request.",
    "test": "Run the tests of policies.",
    "providers": "Show what each provider takes, and where that is said.",
    "doctor": "Say what the installed litellm makes of a marker on every route.",
    "compare": "Show which requests a change of policy changes, how, and what that is worth.",
    "simulate": "Tell what policies would have saved on a recorded trace.",
    "misses": "Say why the requests of a recorded trace did not read the cache.",
    "switches": "Say what switches of model cost in a recorded trace, and what other routers would pay.",
    "report": "Show on one page what policies would have saved on a recorded trace.",
    "studio": "Show on a local page what a policy does, as you write it.",
    "tune": "Propose a policy for the requests of a recorded trace.",
    "live": "Show what a router's caches do, as it happens.",
    "stats": "Sum up what a recorded trace read from the cache and wrote to it.",
    "rule": "Explain a code that `validate` reports.",
    "schema": "Print the JSON Schema of policy files.",
    "demo": "Show what the default policy saves, against a provider on this machine.",
    "emulate": "Serve the Anthropic Messages API on this machine, with its caching rules.",
    "completion": "Print the completion script of a shell.",
}
"""Every command with its summary; each is a module of its name in `commands`."""


class _Commands(click.Group):
    """Commands by name, none imported before it is needed."""

    def list_commands(self, _: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"policy_cache.cli.commands.{name}").command
        return command

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(context, arguments)
        except click.UsageError as error:
            close = get_close_matches(arguments[0], COMMANDS, 1)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            raise click.UsageError(f"{error.message}{hint}", context) from None

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda context, _, asked: _version(context) if asked else None,
    help="Show the version and exit.",
)
def cli() -> None:
    """Prompt-cache policies for litellm routers.

    Exit codes: 0 nothing to report, 1 findings, 2 could not do the job.
    """


def _version(context: click.Context) -> None:
    """The version, and whether the installed litellm is another than the catalog's."""
    from policy_cache import __version__  # noqa: PLC0415, slow to look up
    from policy_cache.integrations import difference  # noqa: PLC0415, for this alone
    from policy_cache.providers.catalog import packaged_catalog  # noqa: PLC0415, slow to import

    click.echo(f"policy-cache {__version__}")
    if sentence := difference(packaged_catalog()):
        click.echo(f"policy-cache: {sentence}", err=True)
    context.exit()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit; no traceback ever reaches a user."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal of another encoding than UTF-8
            stream.reconfigure(errors="backslashreplace")
    try:
        cli.main(args=arguments, prog_name="policy-cache")
    except PolicyCacheError as error:
        click.echo(f"policy-cache: {error}", err=True)
    except RecursionError:
        click.echo("policy-cache: the request is nested too deeply", err=True)
    except OSError as error:
        name = f"{visible(error.filename)}: " if isinstance(error.filename, str) else ""
        click.echo(f"policy-cache: {name}{reason_of(error)}", err=True)
    except Exception as error:  # noqa: BLE001, the last line of defence
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
        click.echo(f"policy-cache: internal error: {type(error).__name__}{where}; please report it", err=True)
    sys.exit(2)
