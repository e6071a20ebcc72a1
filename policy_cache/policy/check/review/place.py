"""Targets where no marker can be: outside the prompt, on no route, or on what no message has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from policy_cache.policy.check.meaning.walk import path_texts, warning
from policy_cache.policy.check.reach import keeps
from policy_cache.policy.check.review.rules import rules_of
from policy_cache.text.words import listed, quoted, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.diagnostics import Diagnostic
    from policy_cache.policy.check.reach import Routes
    from policy_cache.policy.check.review.rules import Rule
    from policy_cache.policy.text.source import Source
    from policy_cache.text.span import Path

_PROMPT = re.compile(r"\$(?:\.|\[['\"])(?:tools|system|messages)\b|\$(?:\.\*|\.\.|\[\*|\[\?)")
_NAMED_LIST = re.compile(r"\$\.(messages|tools)\.([A-Za-z_]\w*)")
_FILTER = re.compile(r"\$\.messages\[\?\(?([^\[\]|!]*)\)?\]")
_ROLE = re.compile(r"\$\.messages\[\?[^\[\]]*?@\.role\s*==\s*(['\"])((?:(?!\1).)*)\1")
_EQUALS = re.compile(r"@\.(\w+)\s*==\s*(['\"])((?:(?!\2).)*)\2")
ROLES = ("assistant", "developer", "function", "system", "tool", "user")


def places(source: Source, routes: Routes) -> Iterator[Diagnostic]:
    """Review where each path and each target leads."""
    for rule in rules_of(source):
        if rule.marks or "split_text" in rule.data["action"]:
            yield from _outside(source, rule)
        if rule.marks:
            yield from _dropped(source, rule, routes)
    for path, text in path_texts(source):
        yield from _unmet(source, path, text)


def _outside(source: Source, rule: Rule) -> Iterator[Diagnostic]:
    for place in rule.places:
        if place.text.startswith("$") and not _PROMPT.match(place.text):
            message = (
                f"{quoted(place.text)} is outside tools, system and messages: nothing there can be marked"
            )
            yield warning(source, "PC324", message, place.path)


def _dropped(source: Source, rule: Rule, routes: Routes) -> Iterator[Diagnostic]:
    """PC325: no route that the rule can reach keeps a marker at this target.

    Which routes a rule reaches is told from its `provider` and from the known models that its `model`
    matches. `policy-cache providers` shows what each route keeps.

    Bad:
        match: {provider: openai, model: "gpt-5.6*"}
        targets: [tools]
    Good:
        match: {provider: openai, model: "gpt-5.6*"}
        targets: [system]
    """
    shape = rule.match.get("shape")
    ways = [way for way in routes.reached(rule.match) if way.route["mechanism"] == "explicit"]
    if not rule.match.get("provider") or not ways:
        return
    for place in rule.places:
        low, high = place.section
        if low != high or any(keeps(way, low, shape, routes) for way in ways):
            continue
        names = listed(sorted({str(way.route["name"]) for way in ways}))
        message = f"no marker stays on {quoted(place.text)} on the routes that this rule reaches: {names}"
        fix = "`policy-cache providers NAME` shows what a route keeps"
        yield warning(source, "PC325", message, place.path, fix)


def _unmet(source: Source, path: Path, text: str) -> Iterator[Diagnostic]:
    """PC328: a path asks of messages or tools what none of them has.

    They are lists, so a name right after them leads nowhere; roles are few; and one value is not two.

    Bad:
        targets: ["$.messages.content"]
    Good:
        targets: ["$.messages[-1].content"]
    """
    if match := _NAMED_LIST.match(text):
        what, name = match.groups()
        message = f"{quoted(what)} is a list, and has no {quoted(name)}"
        yield warning(source, "PC328", message, path, f"`$.{what}[-1].{name}` is that of the last")
        return
    if (match := _ROLE.match(text)) and match.group(2) not in ROLES:
        close = suggest(match.group(2), ROLES)
        message = f"no message has the role {quoted(match.group(2))}"
        yield warning(
            source,
            "PC328",
            message,
            path,
            f"did you mean `{close}`?" if close else f"roles are {listed(ROLES)}",
        )
        return
    if match := _FILTER.match(text):
        wanted: dict[str, str] = {}
        for name, _, value in _EQUALS.findall(match.group(1)):
            if wanted.setdefault(name, value) != value:
                message = f"{quoted(name)} cannot be {quoted(wanted[name])} and {quoted(value)}"
                yield warning(source, "PC328", message, path, "`||` asks for one of them")
                return
