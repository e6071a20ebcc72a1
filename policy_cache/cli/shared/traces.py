"""What commands on a trace take: its files, how to read them, and policies."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from policy_cache.cli.shared.catalog import catalog_option, read_catalog
from policy_cache.cli.shared.output import give_up, refuse
from policy_cache.cli.shared.positional import one_of, told
from policy_cache.cli.shared.revisions import is_revision, read_revision
from policy_cache.errors import PolicyError
from policy_cache.forecast.compare import PolicyText, TraceOptions
from policy_cache.forecast.counting import MOST_COUNTED
from policy_cache.integrations import installed_litellm
from policy_cache.packaged import packaged
from policy_cache.policy.load import load, loads
from policy_cache.text.names import some_of, told_apart
from policy_cache.text.words import visible
from policy_cache.trace.reader import ASSUMED_GAP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from policy_cache.forecast.counting import TokenCounter
    from policy_cache.trace.reader import Broken, TraceSummary

_LONGEST_GAP = 10_000_000
_GROUPS = re.compile(r"session|model|rule|metadata\..+")


def traces(*, required: bool, sized: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """What gives a command the files of a trace and how to read them, for it to be called with first.

    Args:
        required: Whether it needs a trace.
        sized: Whether it fits sizes, for which prompts may be counted.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def run(
            trace: tuple[str, ...],
            gap: float,
            broken: Broken,
            model: str | None,
            catalog_file: str | None,
            count_tokens: bool = False,
            **options: Any,  # noqa: ANN401, click passes what the options parse to
        ) -> None:
            catalog = read_catalog(catalog_file)
            policies, files = told(trace)
            if required and not files:
                raise click.MissingParameter(param_hint="'TRACE...'", param_type="argument")
            _give(options, policies)
            counter = _counter() if count_tokens else None
            with kept(files) as given:
                read = TraceOptions(
                    *given, gap=gap, broken=broken, model=model, catalog=catalog, counter=counter
                )
                command(read, **options)

        decorated: Callable[..., None] = run
        for option in reversed((*_options(required=required), *((_count_tokens,) if sized else ()))):
            decorated = option(decorated)
        return decorated

    return decorate


_count_tokens = click.option(
    "--count-tokens",
    is_flag=True,
    help="Fit sizes to a few prompts that are counted: GPT's here, Claude's by Anthropic, which is sent "
    f"{MOST_COUNTED} of each model and needs ANTHROPIC_API_KEY.",
)


def _counter() -> TokenCounter:
    if installed_litellm() is None:
        give_up("--count-tokens needs litellm: pip install 'policy-cache[litellm]'")
    from policy_cache.integrations.litellm.counting import LitellmCounter  # noqa: PLC0415, optional

    return LitellmCounter()


def _give(options: dict[str, Any], policies: tuple[str, ...]) -> None:
    """Have the options of a command name the policies that were given without one."""
    if "policies" in options:
        options["policies"] = [read_policy(file) for file in (*options["policies"], *policies) or (None,)]
    elif "policy_file" in options:
        options["policy_file"] = one_of("--policy", options["policy_file"], policies)
    elif policies:
        raise click.UsageError(f"{visible(policies[0])} is a policy, where a trace was expected")


def _options(*, required: bool) -> tuple[Callable[[Callable[..., None]], Callable[..., None]], ...]:
    return (
        click.argument("trace", nargs=-1, required=required, type=click.Path(allow_dash=True)),
        click.option(
            "--gap",
            type=float,
            callback=_check_gap,
            default=ASSUMED_GAP,
            show_default=True,
            metavar="SECONDS",
            help="From one request to the next, where the trace says no time.",
        ),
        click.option(
            "--broken",
            type=click.Choice(["skip", "fail"]),
            default="skip",
            show_default=True,
            help="What a line that is no record does.",
        ),
        click.option("--model", help="Take every request to ask for this model, as litellm spells it."),
        catalog_option,
    )


def _check_gap(_: click.Context, __: click.Parameter, value: float) -> float:
    if not 0 <= value <= _LONGEST_GAP:
        raise click.BadParameter(f"expected 0 to {_LONGEST_GAP:,} seconds")
    return value


class TraceFiles(NamedTuple):
    """The files of a trace, and what to call them."""

    paths: tuple[str, ...]
    names: tuple[str, ...]


@contextmanager
def kept(trace: tuple[str, ...]) -> Iterator[TraceFiles]:
    """The files of a trace, which is read more than once; what comes through a pipe is kept meanwhile."""
    names = tuple("<stdin>" if path == "-" else path for path in trace)
    passing = [path for path in trace if path == "-" or _passes(path)]
    if not passing:
        yield TraceFiles(trace, names)
        return
    with tempfile.TemporaryDirectory(prefix="policy-cache-") as folder:
        copies = {path: str(Path(folder) / str(number)) for number, path in enumerate(passing)}
        for path, copy in copies.items():
            if path == "-" and sys.stdin is None:
                give_up("<stdin>: standard input is closed")
            with Path(copy).open("wb") as file:
                if path == "-":
                    shutil.copyfileobj(sys.stdin.buffer, file)
                else:
                    with Path(path).open("rb") as source:
                        shutil.copyfileobj(source, file)
        yield TraceFiles(tuple(copies.get(path, path) for path in trace), names)


def _passes(path: str) -> bool:
    """Whether what can be read of a path can be read once only, as of a pipe."""
    return Path(path).exists() and not Path(path).is_file() and not Path(path).is_dir()


def read_policy(file: str | None) -> PolicyText:
    """A policy by its text, checked: a file, `git:REV:path`, or the packaged default policy for None."""
    try:
        if file is not None and is_revision(file):
            loaded = loads(read_revision(file), file)
        else:
            loaded = load(packaged("policies", "default.yaml") if file is None else file)
    except PolicyError as error:
        refuse(error)
    return PolicyText("default policy" if file is None else file, loaded.source.text)


policies_option = click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="FILE",
    help="A policy file, any number of times; the default policy if left out.",
)
"""Gives a command on a trace its `policies`, at least one."""


def check_grouping(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """What to group by."""
    if value is not None and not _GROUPS.fullmatch(value):
        raise click.BadParameter("expected session, model, rule, or metadata. and a name")
    return value


def nothing_evaluated(name: str, read: int, summary: TraceSummary, unread: Iterable[str] = ()) -> None:
    """Give up where no request could be evaluated, and say what is wrong with the first one."""
    if read:
        return
    wrong = [*summary.first_broken, *unread]
    give_up(f"{name}: nothing to evaluate: {visible(wrong[0]) if wrong else 'it is empty'}")


def called(options: TraceOptions) -> str:
    """What a trace is called."""
    names = options.called
    return f"{len(names)} files" if len(names) > 1 else visible(names[0])


def named(options: TraceOptions) -> str:
    """What a trace is called where there is room for the names of some files."""
    return visible(some_of(told_apart(options.called)))
