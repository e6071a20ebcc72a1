"""What is wrong with a JSONPath, and what it asks for that no request has."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from policy_cache.errors import PathError
from policy_cache.policy.check.finding import Finding
from policy_cache.policy.check.rules import rules_of
from policy_cache.policy.check.walk import condition_paths, path_texts
from policy_cache.request.path import compile_path
from policy_cache.request.prompt import PROMPT_MEMBERS
from policy_cache.text.words import listed, quoted, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.diagnostics import Path
    from policy_cache.policy.text.source import Source

_PROMPT = re.compile(rf"\$(?:\.|\[['\"])(?:{'|'.join(PROMPT_MEMBERS)})\b|\$(?:\.\*|\.\.|\[\*|\[\?)")
_NAMED_LIST = re.compile(r"\$\.(messages|input|tools)\.([A-Za-z_]\w*)")
_FILTER = re.compile(r"\$\.(?:messages|input)\[\?\(?([^\[\]|!]*)\)?\]")
_ROLE = re.compile(r"\$\.(?:messages|input)\[\?[^\[\]]*?@\.role\s*==\s*(['\"])((?:(?!\1).)*)\1")
_EQUALS = re.compile(r"@\.(\w+)\s*==\s*(['\"])((?:(?!\2).)*)\2")
_ROLES = ("assistant", "developer", "function", "system", "tool", "user")
_FIRST_NAME = re.compile(r"\$(?:\.|\[['\"])([A-Za-z_]\w*)")
_REQUEST_FIELDS = frozenset(
    {
        "api_base",
        "api_key",
        "audio",
        "background",
        "base_model",
        "betas",
        "container",
        "context_management",
        "extra_body",
        "extra_headers",
        "frequency_penalty",
        "function_call",
        "functions",
        "headers",
        "include",
        "inference_geo",
        "input",
        "instructions",
        "litellm_metadata",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_output_tokens",
        "max_tokens",
        "max_tool_calls",
        "mcp_servers",
        "messages",
        "metadata",
        "modalities",
        "model",
        "n",
        "output_config",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "previous_response_id",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "seed",
        "service_tier",
        "speed",
        "stop",
        "stop_sequences",
        "store",
        "stream",
        "stream_options",
        "system",
        "temperature",
        "text",
        "thinking",
        "timeout",
        "tool_choice",
        "tools",
        "top_k",
        "top_logprobs",
        "top_p",
        "truncation",
        "user",
        "verbosity",
        "web_search_options",
    }
)
"""What a request of any shape may hold at its top."""

_compiled = lru_cache(maxsize=1024)(compile_path)
"""Policies that are checked together mostly have the same paths."""


def invalid_paths(source: Source) -> Iterator[Finding]:
    """PC201: a JSONPath is invalid.

    Names, indexes, slices, `[*]` and filters are allowed, after a `$` that stands for the request.

    Bad:
        targets: ["$.tools[-1"]
    Good:
        targets: ["$.tools[-1]"]

    PC202: a JSONPath is well-formed, and can never match.

    `[last]` and `[01]` are no indexes, and a slice that ends before it begins holds nothing.

    Bad:
        targets: ["$.tools[last]"]
    Good:
        targets: ["$.tools[-1]"]

    PC203: a JSONPath is outside the subset that policies take.

    A filter looks at its own element, and compares one value with a text, a number, true, false or null. What
    follows `=~` is a regular expression that Python and RE2 both take: no look-around, no back-reference.

    Bad:
        targets: [{at: "$.messages[?@.role == $.role]", take: last}]
    Good:
        targets: [{at: "$.messages[?@.role == 'user']", take: last}]

    PC204: a JSONPath descends with `..`.

    It looks at the whole request, and takes as long as the request is large. A request of over 200,000 values
    is left as it is.

    Bad:
        targets: [{at: "$..content", take: 1}]
    Good:
        targets: [{at: "$.messages[*].content", take: 1}]
    """
    for path, text in path_texts(source):
        try:
            compiled = _compiled(text)
        except PathError as error:
            yield refused_path(path, text, error)
            continue
        if compiled.descends:
            start = text.index("..")
            yield Finding(
                "PC204",
                "`..` looks at the whole request, every time",
                path,
                "name the way down, as in `$.messages[*].content`",
                part=(start, start + 2),
            )


def refused_path(path: Path, text: str, error: PathError) -> Finding:
    """What is wrong with a text that is no JSONPath, at the character where it goes wrong."""
    start = 0 if error.offset is None else min(error.offset, len(text))
    part = (start, len(text) if error.offset is None else start + 1)
    return Finding(error.code, f"invalid JSONPath: {error.message}", path, error.help, part=part)


def foreign_paths(source: Source) -> Iterator[Finding]:
    """PC324: a path begins with a field that no request has.

    A request is what `litellm.completion`, Anthropic's Messages API or OpenAI's Responses API takes. A field
    that none of them has is reported where it is close to one that they have, and in a target always: markers
    go on tools, on the system prompt and on messages, and nowhere else.

    Bad:
        match: {exists: "$.tool[0]"}
    Good:
        match: {exists: "$.tools[0]"}
    """
    for path, text in condition_paths(source):
        first = _FIRST_NAME.match(text)
        if first is None or first.group(1) in _REQUEST_FIELDS:
            continue
        if close := suggest(first.group(1), _REQUEST_FIELDS, cutoff=0.75):
            message = f"no request has {quoted(first.group(1))}"
            yield Finding("PC324", message, path, f"did you mean `$.{close}`?")
    for rule in rules_of(source):
        for place in rule.places if rule.marks or "split_text" in rule.data["action"] else ():
            if place.text.startswith("$") and not _PROMPT.match(place.text):
                text = quoted(place.text)
                message = f"{text} is outside tools, system and messages: nothing there can be marked"
                yield Finding("PC324", message, place.path)


def unmet_paths(source: Source) -> Iterator[Finding]:
    """PC328: a path asks of messages or tools what none of them has.

    They are lists, so a name right after them leads nowhere; roles are few; and one value is not two.

    Bad:
        targets: ["$.messages.content"]
    Good:
        targets: ["$.messages[-1].content"]
    """
    for path, text in path_texts(source):
        if problem := _of_list(text) or _of_role(text) or _of_values(text):
            message, help_ = problem
            yield Finding("PC328", message, path, help_)


def _of_list(text: str) -> tuple[str, str] | None:
    if not (match := _NAMED_LIST.match(text)):
        return None
    field, name = match.groups()
    message = f"{quoted(field)} is a list, and has no {quoted(name)}"
    return message, f"`$.{field}[-1].{name}` is that of the last"


def _of_role(text: str) -> tuple[str, str] | None:
    match = _ROLE.match(text)
    if match is None or match.group(2) in _ROLES:
        return None
    close = suggest(match.group(2), _ROLES)
    help_ = f"did you mean `{close}`?" if close else f"roles are {listed(_ROLES)}"
    return f"no message has the role {quoted(match.group(2))}", help_


def _of_values(text: str) -> tuple[str, str] | None:
    """A filter that asks for two values of one field."""
    match = _FILTER.match(text)
    wanted: dict[str, str] = {}
    for name, _, value in _EQUALS.findall(match.group(1)) if match else ():
        first = wanted.setdefault(name, value)
        if first != value:
            return (
                f"{quoted(name)} cannot be {quoted(first)} and {quoted(value)}",
                "`||` asks for one of them",
            )
    return None
