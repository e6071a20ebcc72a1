"""A first policy from a few answers, as text with its reasons as comments."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.policy.write.answers import Answers, Family, Kind, Provider, Router

_IN_FORCE: dict[Router, tuple[str, ...]] = {
    "library": (
        "from policy_cache import Engine",
        'engine = Engine.from_file("{file}")',
        "response = await litellm.acompletion(**engine.rewrite(params))",
    ),
    "callback": (
        "from policy_cache import Engine",
        "from policy_cache.integrations.litellm import PolicyCacheHandler",
        'litellm.callbacks.append(PolicyCacheHandler(Engine.from_file("{file}")))',
    ),
    "proxy": (
        "litellm_settings:",
        "  callbacks: policy_cache.integrations.litellm.proxy_handler",
        "  policy_cache: {{policy: {file}}}",
    ),
}
_REQUESTS: dict[Kind, str] = {
    "agent": "agents",
    "chat": "chats",
    "one-shot": "requests that nothing follows",
}


def _comment(text: str, indent: str = "") -> Iterator[str]:
    yield from textwrap.wrap(
        text, 100, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ", break_on_hyphens=False
    )


def starter(answers: Answers, file: str = "policy.yaml") -> str:
    """The text of a first policy.

    Args:
        answers: What it is for.
        file: What it will be called; comments name it.
    """
    lines = [*_head(answers, file), *_rules(answers)]
    return "\n".join(lines).rstrip() + "\n"


def _head(answers: Answers, file: str) -> Iterator[str]:
    yield from _comment(f"Prompt caching for {_REQUESTS[answers.kind]}. {_lifetime(answers)}")
    where = "the proxy's config.yaml" if answers.router == "proxy" else "the router"
    yield "#"
    yield f"# In {where}:"
    yield "#"
    yield from (f"#     {line.format(file=file)}" for line in _IN_FORCE[answers.router])
    yield "version: 1"
    yield f"name: {answers.kind}"
    yield "mode: enforce                   # observe: log what would be done, and send requests untouched"
    yield "client_markers: keep            # what a client marked stays, and counts towards the limit"
    yield ""
    yield "rules:"


def _lifetime(answers: Answers) -> str:
    families = answers.families("cache_control")
    if not families:
        return ""
    if any(answers.hour(family) for family in families):
        return (
            "Written for an hour, which costs twice the price of input, since people pause for longer than "
            "five minutes; every read starts the hour anew. `policy-cache simulate` tells whether it pays."
        )
    if answers.pauses == "long":
        return "Written for five minutes, the only lifetime here; every read starts them anew."
    longer = any(provider.hour for family in families for provider in answers.of(family))
    return (
        "Written for five minutes, which costs a quarter more than input; a read costs a tenth, and starts "
        "them anew." + (" Where people pause for longer, `ttl: 1h` may cost less." if longer else "")
    )


def _rules(answers: Answers) -> Iterator[str]:
    for family in answers.families("cache_control"):
        yield from _prefix(answers, family)
        if answers.kind != "one-shot":
            yield from _conversation(answers, family)
    for family in answers.families("prompt_cache_breakpoint"):
        yield from _breakpoint(answers, family)
    if others := answers.of(None):
        yield from _others(others)


def _prefix(answers: Answers, family: Family) -> Iterator[str]:
    tools = answers.tools(family)
    if answers.kind == "chat":
        comment = (
            "the system prompt, once it is clear that a chat goes on. Its first request looks just like a "
            "question that nothing follows, and would only pay for the write."
        )
    elif tools:
        comment = (
            "tools and system prompt are the same for every request. Two breakpoints, so that the tools stay "
            "cached when the system prompt changes. A prefix that is too small to be cached is left alone."
        )
    else:
        comment = (
            "the system prompt is the same for every request. The tools come before it, and are cached with "
            "it; a marker on a tool would be lost on the way."
        )
    yield from _comment(f"{family.title}: {comment}", "  ")
    yield f"  - name: {family.name}-prefix"
    yield from _match(answers, family)
    if answers.kind == "chat":
        yield "      messages: {min: 3}"
    yield f"    targets: [{'tools, ' if tools else ''}system]"
    yield from _mark(answers, family)


def _conversation(answers: Answers, family: Family) -> Iterator[str]:
    comment = (
        "Each request adds to the conversation: `messages.last` writes what is there now, and "
        "`messages.previous_turn` finds what the request before wrote."
    )
    yield from _comment(comment, "  ")
    yield f"  - name: {family.name}-conversation"
    yield from _match(answers, family)
    yield "      messages: {min: 3}"
    yield "    targets: [messages.previous_turn, messages.last]"
    yield from _mark(answers, family)


def _match(answers: Answers, family: Family) -> Iterator[str]:
    yield "    match:"
    yield f"      provider: [{', '.join(provider.name for provider in answers.of(family))}]"
    if family.models:
        models = json.dumps(family.models[0] if len(family.models) == 1 else family.models)
        yield f"      model: {models}"


def _mark(answers: Answers, family: Family) -> Iterator[str]:
    yield "    action:"
    yield f"      add_cache_control: {{{'ttl: 1h' if answers.hour(family) else ''}}}"
    yield ""


def _breakpoint(answers: Answers, family: Family) -> Iterator[str]:
    comment = (
        f"{family.title} caches every prompt by itself. A breakpoint behind the system prompt lets "
        "other conversations read it too."
    )
    yield from _comment(comment, "  ")
    yield f"  - name: {family.name}-prefix"
    yield from _match(answers, family)
    yield "    targets: [system]"
    yield from _mark(answers, family)
    if answers.kind == "one-shot":
        comment = (
            "A write costs a quarter more than input, and nothing reads the rest of the prompt again: only "
            "what is marked is written."
        )
        yield from _comment(comment, "  ")
        yield f"  - name: {family.name}-marked-only"
        yield from _match(answers, family)
        yield "    action:"
        yield "      set:"
        yield "        prompt_cache_options: {mode: explicit}"
        yield ""


def _others(providers: tuple[Provider, ...]) -> Iterator[str]:
    comment = (
        "These cache by themselves, or not at all. What a client marked for Claude is of no use there, and "
        "some of it litellm would pass on to providers that answer 400."
    )
    if stores := [provider.name for provider in providers if provider.stores]:
        comment += (
            f" For {' and '.join(stores)}, litellm would make a CachedContent of it, whose storage is billed "
            "by the hour."
        )
    yield from _comment(comment, "  ")
    yield "  - name: no-markers-elsewhere"
    yield "    match:"
    yield f"      provider: [{', '.join(provider.name for provider in providers)}]"
    yield "    action:"
    yield "      remove_cache_control: {}"
    yield ""
