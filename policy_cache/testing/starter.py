"""The tests of a first policy, and a request to look at with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.testing.checks import expanded
from policy_cache.testing.layout import spell

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policy_cache.policy.write.answers import Answers, Provider

_LONG = {"repeat": "Be brief. ", "times": 1_000}
_NAMES = {
    "agent": "an agent goes on",
    "chat": "a chat goes on",
    "one-shot": "a question that nothing follows",
}


def starter_tests(answers: Answers) -> str:
    """The text of a test file that stands beside the first policy for these answers."""
    lines = ["version: 1", "tests:"]
    for provider in sorted(set(answers.providers), key=lambda provider: provider.name):
        case = "what a client marked is taken away" if provider.family is None else _NAMES[answers.kind]
        name = f"{provider.name}, {case}"
        lines += _case(name, _request(answers, provider), _expected(answers, provider))
    lines += _untouched(answers)
    return "\n".join(lines).rstrip() + "\n"


def starter_request(answers: Answers) -> dict[str, object]:
    """A request such as the tests have, for the first provider, with its texts written out."""
    request: dict[str, object] = expanded(_request(answers, answers.providers[0]))
    return request


def _case(name: str, request: dict[str, object], expect: Sequence[str]) -> Iterator[str]:
    yield f"  - name: {name}"
    yield "    request:"
    for field, value in request.items():
        if isinstance(value, list):
            yield f"      {field}:"
            yield from (f"        - {spell(item)}" for item in value)
        else:
            yield f"      {field}: {spell(value)}"
    yield "    expect:"
    yield from (f"      {line}" for line in expect)
    yield ""


def _request(answers: Answers, provider: Provider) -> dict[str, object]:
    model = provider.model
    if provider.family is None:
        marked = {"type": "text", "text": "Hello", "cache_control": {"type": "ephemeral"}}
        return {"model": model, "messages": [{"role": "user", "content": [marked]}]}
    request: dict[str, object] = {"model": model}
    if answers.kind != "chat":
        read = {"name": "read_file", "description": _LONG}
        request["tools"] = [
            {"type": "function", "function": function} for function in (read, {"name": "run_tests"})
        ]
    return {**request, "messages": [{"role": "system", "content": _LONG}, *_turns(answers)]}


def _turns(answers: Answers) -> Iterator[dict[str, object]]:
    yield {"role": "user", "content": "Why does the build fail?"}
    if answers.kind == "agent":
        function = {"name": "run_tests", "arguments": "{}"}
        call = {"id": "call-1", "type": "function", "function": function}
        yield {"role": "assistant", "content": None, "tool_calls": [call]}
        yield {"role": "tool", "tool_call_id": "call-1", "content": "2 failed"}
        yield {"role": "user", "content": "Go on."}
    elif answers.kind == "chat":
        yield {"role": "assistant", "content": "A test expects the old name."}
        yield {"role": "user", "content": "Which one?"}


def _expected(answers: Answers, provider: Provider) -> list[str]:
    family = provider.family
    if family is None:
        return ["breakpoints: []"]
    places = [("$['messages'][0]['content'][0]", "prefix")]
    if provider.tools and answers.tools(family):
        places.insert(0, ("$['tools'][1]", "prefix"))
    alone = family.key == "prompt_cache_breakpoint"  # which caches a conversation by itself
    if answers.kind != "one-shot" and not alone:
        last = 4 if answers.kind == "agent" else 3
        places += [(f"$['messages'][{number}]['content'][0]", "conversation") for number in (1, last)]
    ttl = ", ttl: 1h" if answers.hour(family) and provider.hour else ""
    lines = ["breakpoints:"]
    lines += [f'  - {{at: "{at}"{ttl}, rule: {family.name}-{rule}}}' for at, rule in places]
    if alone and answers.kind == "one-shot":
        lines.append("parameters: {prompt_cache_options: {mode: explicit}}")
    return lines


def _untouched(answers: Answers) -> Iterator[str]:
    """What a policy must leave alone: a prefix that is too small, and a chat's first request."""
    families = answers.families("cache_control")
    provider = next((choice for choice in answers.providers if choice.family in families), None)
    if provider is None:
        return
    model = provider.model
    small: list[object] = [
        {"role": "system", "content": "You are terse."},
        {"role": "user", "content": "Hello"},
    ]
    if provider.minimum:
        untouched: dict[str, object] = {"model": model, "messages": small}
        yield from _case("a small prompt is left alone", untouched, ["unchanged: true"])
    if answers.kind == "chat":
        first: list[object] = [{"role": "system", "content": _LONG}, {"role": "user", "content": "Hello"}]
        yield from _case(
            "the first request of a chat is left alone",
            {"model": model, "messages": first},
            ["unchanged: true"],
        )
