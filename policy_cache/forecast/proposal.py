"""A proposed policy as a file: its rules, with the reasons as comments."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING

from policy_cache.forecast.candidates import rules
from policy_cache.forecast.counting import told
from policy_cache.providers.resolve import qualified
from policy_cache.request.names import exactly
from policy_cache.text.amounts import counted, share_saved, usd
from policy_cache.text.words import cut, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policy_cache.forecast.candidates import Candidate
    from policy_cache.forecast.counting import Counted
    from policy_cache.forecast.pauses import Pauses
    from policy_cache.forecast.tune import Choice, Trial

_NEAREST = 3
_LONGEST_NAME, _LONGEST_LINE = 200, 500
# A policy has at most 256 KiB, and whoever can ask for models can ask for thousands.
_MOST_EXPLAINED = 50
_MOST_RULES, _MOST_ALIKE = 96 * 1024, 4


def proposal(choices: Sequence[Choice], trace: str, models: Sequence[Counted] = ()) -> str:
    """The text of the policy that was proposed for a trace of this name.

    Models of one provider that are best marked alike share their rules.

    Args:
        choices: What was chosen for each model.
        trace: What the trace is called.
        models: What counting some prompts told of sizes.
    """
    choices = [choice for choice in choices if choice.model]  # no rule can name one without a name
    sizes = [*told(models)]
    lines = [
        _comment(f"Proposed by `policy-cache tune` from {trace}."),
        "# What it saves is simulated: sizes are estimates, prices are list prices, replies are left out.",
        *(_comment(f"{line}.") for line in sizes[:_MOST_EXPLAINED]),
        *_more(len(sizes) - _MOST_EXPLAINED, "the same could be said"),
        "version: 1",
        "name: tuned",
        "",
    ]
    best = [choice for choice in choices if choice.candidate.prefix]
    marked = sorted(_with_room(best), key=lambda c: (c.provider, c.candidate))
    explained = {id(choice) for choice in choices[:_MOST_EXPLAINED]}
    lines.append("rules:" if marked else "rules: []")
    for number, (_, group) in enumerate(groupby(marked, lambda c: (c.provider, c.candidate)), 1):
        alike = list(group)
        told_of = [choice for choice in alike if id(choice) in explained]
        lines += [f"  {_comment(line)}" for choice in told_of for line in _reasons(choice)]
        lines += [*rules(alike[0].candidate, _match(alike), f"tuned-{number}"), ""]
    for choice in choices[:_MOST_EXPLAINED]:
        if choice.candidate.prefix is None:
            lines += [_comment(line) for line in _reasons(choice)]
    lines += _more(len(choices) - _MOST_EXPLAINED, "the reasons are left out")
    lines += _more(len(best) - len(marked), "there is no room for a rule")
    return "\n".join(lines).rstrip() + "\n"


def _more(models: int, what: str) -> list[str]:
    """A comment on models that are left out; none where there are none."""
    return [_comment(f"Of {counted(models, 'more model')} {what}.")] if models > 0 else []


def _with_room(choices: Sequence[Choice]) -> Iterator[Choice]:
    """The first models whose rules a policy has room for."""
    room = _MOST_RULES
    alike: set[tuple[str, Candidate]] = set()
    for choice in choices:
        of = choice.provider, choice.candidate
        if of in alike:  # the name alone, in each of their rules
            size = _MOST_ALIKE * (len(_value(choice.model)) + len(", "))
        else:
            size = sum(len(line) + 1 for line in rules(choice.candidate, _match([choice]), "tuned-1000"))
        if size <= room:
            room -= size
            alike.add(of)
            yield choice


def _comment(line: str) -> str:
    """A comment that ends where its line does: a client chose the names in it."""
    return f"# {cut(visible(line), _LONGEST_LINE)}"


def _value(name: str) -> str:
    """A name as a value of YAML that matches no other name."""
    return visible(json.dumps(exactly(name), ensure_ascii=False))


def _match(alike: Sequence[Choice]) -> list[str]:
    models = [_value(model) for model in sorted({choice.model for choice in alike})]
    named = [f"provider: {_value(alike[0].provider)}"] if alike[0].provider else []
    return [*named, f"model: {models[0] if len(models) == 1 else '[' + ', '.join(models) + ']'}"]


def _reasons(choice: Choice) -> Iterator[str]:
    name = cut(qualified(choice.provider, choice.model), _LONGEST_NAME)
    saved = share_saved(choice.uncached.cost, choice.marked.cost)
    yield f"{name}: {choice.candidate}."
    yield from _pauses(choice.pauses)
    yield (
        f"On the whole trace: {usd(choice.uncached.cost)} without caching, {usd(choice.marked.cost)} so; "
        f"{saved} saved."
    )
    if choice.others:
        yield "How much dearer the next ones are:"
        yield from (f"  {dearer:7.1%}  {candidate}" for candidate, dearer in choice.others[:_NEAREST])
    yield from _trial(choice.trial, choice)


def _pauses(pauses: Pauses) -> Iterator[str]:
    following = pauses.short + pauses.long + pauses.longer
    yield (
        f"{pauses.requests:,} requests in {pauses.sessions:,} sessions"
        + (f"; of the {following:,} that follow another one," if following else ", none follows another one.")
    )
    if following:
        soon, within, later = (n / following for n in (pauses.short, pauses.long, pauses.longer))
        yield f"{soon:.0%} do within five minutes, {within:.0%} more within an hour, {later:.0%} later."


def _trial(trial: Trial | None, choice: Choice) -> Iterator[str]:
    if trial is None:
        yield "The trace is too small to hold a part of it back: these figures are of the requests chosen by."
        return
    chosen = (
        "the same choice" if trial.candidate == choice.candidate else f"another choice ({trial.candidate})"
    )
    yield (
        f"Held back: its first requests alone lead to {chosen}, which saves "
        f"{share_saved(trial.uncached.cost, trial.held.cost)} on the {trial.held.requests:,} others"
    )
    dearer = trial.cost / trial.best - 1 if trial.best else 0.0
    yield f"and is {dearer:.1%} dearer there than the best one in hindsight."
