"""`policy-cache init`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from policy_cache.cli.shared.catalog import catalog_option, read_catalog
from policy_cache.cli.shared.files import refuse_existing, writing
from policy_cache.cli.shared.output import give_up
from policy_cache.policy.write.answers import KINDS, PAUSES, ROUTERS, Answers
from policy_cache.policy.write.starter import starter
from policy_cache.providers.examples import examples
from policy_cache.testing.discover import SUFFIXES, tests_beside
from policy_cache.testing.starter import starter_request, starter_tests
from policy_cache.text.values import indented
from policy_cache.text.words import suggest, visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy_cache.policy.write.answers import Kind, Pauses, Provider, Router

DEFAULT_PROVIDERS = ("anthropic", "azure_ai", "bedrock", "vertex_ai")
_QUESTIONS = {
    "provider": "Where do requests go? Providers as litellm spells them, separated by commas",
    "kind": "What are they: an agent's, a chat's, or one-shot questions",
    "pauses": "How long do people pause between requests: short is under five minutes",
    "router": "How do requests reach litellm",
}
_DEFAULTS = {
    "provider": ",".join(DEFAULT_PROVIDERS),
    "kind": KINDS[0],
    "pauses": PAUSES[0],
    "router": ROUTERS[0],
}


@click.command("init")
@click.option("--provider", multiple=True, metavar="NAME", help="Where requests go; may be given many times.")
@click.option("--kind", type=click.Choice(KINDS), help="What the requests are.")
@click.option("--pauses", type=click.Choice(PAUSES), help="Whether people pause for over five minutes.")
@click.option("--router", type=click.Choice(ROUTERS), help="How requests reach litellm.")
@catalog_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("policy.yaml"),
    show_default=True,
    help="The policy; its tests are written beside it.",
)
@click.option("--request", "with_request", is_flag=True, help="Write request.json too, to look at with diff.")
@click.option("--force", is_flag=True, help="Write over existing files.")
def command(
    provider: tuple[str, ...],
    kind: Kind | None,
    pauses: Pauses | None,
    router: Router | None,
    catalog_file: str | None,
    output: Path,
    *,
    with_request: bool,
    force: bool,
) -> None:
    """Write a first policy and its tests, from a few answers.

    On a terminal, asks for what no option says; elsewhere, takes what fits most.
    """
    if output.suffix not in {".yaml", ".yml"} or output.name.endswith(SUFFIXES):
        raise click.UsageError(f"a policy is called *.yaml or *.yml, and no test: {visible(str(output))}")
    request = output.with_name("request.json")
    for path in (output, tests_beside(output), *([request] if with_request else [])):
        refuse_existing(path, force=force)
    given = {"provider": ",".join(provider), "kind": kind, "pauses": pauses, "router": router}
    known = examples(read_catalog(catalog_file))
    answers = _answers({name: value for name, value in given.items() if value}, known)
    files = {
        output: starter(answers, visible(output.name)),
        tests_beside(output): starter_tests(answers),
    }
    if with_request:
        files[request] = indented(starter_request(answers)) + "\n"
    with writing(*files) as opened:
        for file, text in zip(opened, files.values(), strict=True):
            file.write(text.encode())
            file.flush()  # a full disk is met here, before any of them appears
    policy = _quoted(output) + (f" --catalog {_quoted(Path(catalog_file))}" if catalog_file else "")
    click.echo("Next:")
    click.echo(f"  policy-cache validate {policy}")
    click.echo(f"  policy-cache test {policy} --coverage")
    if with_request:
        click.echo(f"  policy-cache diff --policy {policy} {_quoted(request)}")


def _answers(given: Mapping[str, str], known: Mapping[str, Provider]) -> Answers:
    """What options say, what somebody at a terminal says, or what fits most."""
    missing = [name for name in _QUESTIONS if name not in given]
    answers = dict(given)
    providers = _providers(given["provider"], known) if "provider" in given else ()
    if missing and sys.stdin is not None and sys.stdin.isatty():
        try:
            for name in missing:
                answers[name] = _ask(name, known)
        except click.Abort:
            click.echo(err=True)
            give_up("nothing was written")
    else:
        answers |= {name: _DEFAULTS[name] for name in missing}
        if missing:
            taken = " ".join(f"--{name} {_DEFAULTS[name]}" for name in missing)
            click.echo(f"policy-cache: taken for granted: {taken}", err=True)
    return Answers(
        providers or _providers(answers["provider"], known),
        cast("Kind", answers["kind"]),
        cast("Pauses", answers["pauses"]),
        cast("Router", answers["router"]),
    )


def _ask(name: str, known: Mapping[str, Provider]) -> str:
    choices: dict[str, Sequence[str]] = {"kind": KINDS, "pauses": PAUSES, "router": ROUTERS}
    if name in choices:
        answer: str = click.prompt(
            _QUESTIONS[name], type=click.Choice(choices[name]), default=_DEFAULTS[name], err=True
        )
        return answer
    asked: str = click.prompt(
        _QUESTIONS[name],
        default=_DEFAULTS[name],
        err=True,
        value_proc=lambda text: ",".join(provider.name for provider in _providers(text, known)),
    )
    return asked


def _providers(text: str, known: Mapping[str, Provider]) -> tuple[Provider, ...]:
    """Providers by their names, separated by commas, each once.

    Raises:
        BadParameter: One is not known; at a terminal, it is asked for again.
    """
    names = tuple(dict.fromkeys(name.strip().lower() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in known:
            close = suggest(name, known)
            fix = f"did you mean {close!r}?" if close else f"one of {', '.join(known)}"
            raise click.BadParameter(f"no provider is called {name!r}; {fix}", param_hint="--provider")
    if not names:
        raise click.BadParameter("name one provider at least", param_hint="--provider")
    return tuple(known[name] for name in names)


def _quoted(path: Path) -> str:
    """A path as a shell takes it, and no command for an option."""
    text = visible(str(path))
    return shlex.quote(f"./{text}" if text.startswith("-") else text)
