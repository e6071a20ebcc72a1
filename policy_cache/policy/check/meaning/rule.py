"""What is wrong with a rule as a whole: its name, its action, what it leaves alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from policy_cache.policy.check.finding import Finding, Mark
from policy_cache.policy.check.rules import rules_of
from policy_cache.policy.check.shape.schema import fields
from policy_cache.policy.check.walk import parameters, repeated_names, rules
from policy_cache.policy.language.words import NAMED_TARGETS, NEED_TARGETS, TAKE_NO_TARGETS
from policy_cache.text.words import listed, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.diagnostics import Path
    from policy_cache.policy.text.source import Source

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}|[{}]")
_ALLOWED_PLACEHOLDER = re.compile(r"alias|model|prefix_hash|metadata\.[^\s.]+(?:\.[^\s.]+)*")


def duplicate_names(source: Source) -> Iterator[Finding]:
    """PC301: two rules have the same name.

    Reports and tests call a rule by its name, so a name stands for one rule.

    Bad:
        - {name: prefix, targets: [tools], action: {add_cache_control: {}}}
        - {name: prefix, targets: [system], action: {add_cache_control: {}}}
    Good:
        - {name: tools, targets: [tools], action: {add_cache_control: {}}}
        - {name: system, targets: [system], action: {add_cache_control: {}}}
    """
    yield from repeated_names(rules(source), "PC301", "rules")


def action_targets(source: Source) -> Iterator[Finding]:
    """PC305: an action that marks or splits has no target.

    Bad:
        - name: mark
          action: {add_cache_control: {}}
    Good:
        - name: mark
          targets: [system]
          action: {add_cache_control: {}}

    PC306: `set` has targets, though it is about the whole request.

    Bad:
        - name: key
          targets: [system]
          action: {set: {prompt_cache_key: "{alias}"}}
    Good:
        - name: key
          action: {set: {prompt_cache_key: "{alias}"}}
    """
    for path, rule in rules(source):
        action, targets = rule.get("action"), rule.get("targets", [])
        # A misspelt field may be the `targets` that seem to be absent.
        if not isinstance(action, dict) or not isinstance(targets, list) or rule.keys() - fields("Rule"):
            continue
        for name in action:
            if name in NEED_TARGETS and not targets:
                message = f"`{name}` needs at least one target"
                help_ = f"add `targets:` with a JSONPath or one of {listed(NAMED_TARGETS)}"
                yield Finding("PC305", message, (*path, "action", name), help_, key=True)
            elif name in TAKE_NO_TARGETS and targets:
                message = f"`{name}` is about the whole request"
                yield Finding("PC306", message, (*path, "targets"), "remove `targets`", key=True)


def boundaries(source: Source) -> Iterator[Finding]:
    """PC331: `system.stable` has no boundary, or another target has one.

    What changes in a system prompt cannot be told from its text: the boundary says where it begins.

    Bad:
        - name: prefix
          targets: [system.stable]
          action: {add_cache_control: {}}
    Good:
        - name: prefix
          targets: [{at: system.stable, boundary: "## Today"}]
          action: {add_cache_control: {}}
    """
    for path, rule in rules(source):
        targets = rule.get("targets")
        for index, target in enumerate(targets if isinstance(targets, list) else ()):
            given = target if isinstance(target, dict) else {"at": target}
            at = (*path, "targets", index)
            if given.get("at") == "system.stable" and "boundary" not in given:
                help_ = 'write `{at: system.stable, boundary: "## Today"}`, with what begins the rest'
                yield Finding("PC331", "`system.stable` needs a `boundary`", at, help_)
            elif "boundary" in given and given.get("at") != "system.stable":
                yield Finding(
                    "PC331",
                    "only `system.stable` takes a `boundary`",
                    (*at, "boundary"),
                    "remove it",
                    key=True,
                )


def placeholders(source: Source) -> Iterator[Finding]:
    """PC308: a cache key, or what else `set` sets, holds an unknown placeholder.

    The placeholders are `{metadata.x}`, `{alias}`, `{model}` and `{prefix_hash}`.

    Bad:
        action: {set: {prompt_cache_key: "{tenant}"}}
    Good:
        action: {set: {prompt_cache_key: "{metadata.tenant}"}}
    """
    for path, rule in rules(source):
        for at, value in parameters(rule.get("action")):
            for hit in _PLACEHOLDER.finditer(value) if isinstance(value, str) else ():
                inside = hit.group(1)
                if inside is None or not _ALLOWED_PLACEHOLDER.fullmatch(inside):
                    yield Finding(
                        "PC308",
                        f"{quoted(hit.group())} is not a placeholder",
                        (*path, "action", *at),
                        "the placeholders are `{metadata.<name>}`, `{alias}`, `{model}` and `{prefix_hash}`",
                        part=hit.span(),
                    )


def idle_lifetimes(source: Source) -> Iterator[Finding]:
    """PC311: a target has a `ttl`, though the action places no markers.

    Bad:
        targets: [{at: system, ttl: 1h}]
        action: {remove_cache_control: {}}
    Good:
        targets: [system]
        action: {remove_cache_control: {}}
    """
    for path, rule in rules(source):
        action, targets = rule.get("action"), rule.get("targets")
        if not isinstance(action, dict) or not action or not isinstance(targets, list):
            continue
        name = next(iter(action))
        if name not in {"remove_cache_control", "split_text"}:
            continue
        for index, target in enumerate(targets):
            if isinstance(target, dict) and "ttl" in target:
                at = (*path, "targets", index, "ttl")
                yield Finding("PC311", f"`ttl` means nothing to `{name}`", at, "remove it")


def idle_rules(source: Source) -> Iterator[Finding]:
    """PC312: an empty `except` matches every request, so that the rule never acts.

    Bad:
        except: {}
    Good:
        except: {metadata: {kind: one-shot}}
    """
    for path, rule in rules(source):
        if rule.get("except") == {}:
            message = "an empty `except` leaves every request alone: the rule never acts"
            yield Finding("PC312", message, (*path, "except"), "remove it, or name what to leave alone")


def similar_names(source: Source) -> Iterator[Finding]:
    """PC401: the names of two rules differ in case alone.

    Bad:
        - {name: prefix, targets: [tools], action: {add_cache_control: {}}}
        - {name: Prefix, targets: [system], action: {add_cache_control: {}}}
    Good:
        - {name: tools, targets: [tools], action: {add_cache_control: {}}}
        - {name: system, targets: [system], action: {add_cache_control: {}}}
    """
    seen: dict[str, Path] = {}
    for rule in rules_of(source):
        at = (*rule.path, "name")
        first = seen.setdefault(rule.name.casefold(), at)
        if first != at:
            message = f"the name {quoted(rule.name)} differs from another in case alone"
            yield Finding("PC401", message, at, marks=(Mark(first, "the other"),))
