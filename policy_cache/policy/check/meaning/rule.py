"""What is wrong with a rule as a whole: its name, its action, what it leaves alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.policy.check.meaning.walk import error, repeated_names, rules, warning
from policy_cache.policy.language.names import NAMED_TARGETS, RULE_FIELDS
from policy_cache.text.words import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.diagnostics import Diagnostic
    from policy_cache.policy.text.source import Source


_NEEDS_TARGETS = ("add_cache_control", "split_text")


def duplicate_names(source: Source) -> Iterator[Diagnostic]:
    """PC301: two rules have the same name.

    Reports and tests call a rule by its name, so a name stands for one rule.

    Bad:
        - {name: prefix, targets: [tools], action: {add_cache_control: {}}}
        - {name: prefix, targets: [system], action: {add_cache_control: {}}}
    Good:
        - {name: tools, targets: [tools], action: {add_cache_control: {}}}
        - {name: system, targets: [system], action: {add_cache_control: {}}}
    """
    yield from repeated_names(source, rules(source), "PC301", "rules")


def action_targets(source: Source) -> Iterator[Diagnostic]:
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
        if not isinstance(action, dict) or not isinstance(targets, list) or rule.keys() - RULE_FIELDS:
            continue
        for name in action:
            at = (*path, "action", name)
            if name in _NEEDS_TARGETS and not targets:
                fix = f"add `targets:` with a JSONPath or one of {listed(NAMED_TARGETS)}"
                yield error(source, "PC305", f"`{name}` needs at least one target", at, fix, at_key=True)
            elif name == "set" and targets:
                at = (*path, "targets")
                fix = "remove `targets`"
                yield error(source, "PC306", "`set` is about the whole request", at, fix, at_key=True)


def idle_rules(source: Source) -> Iterator[Diagnostic]:
    """PC312: an empty `except` matches every request, so that the rule never acts.

    Bad:
        except: {}
    Good:
        except: {metadata: {kind: one-shot}}
    """
    for path, rule in rules(source):
        if rule.get("except") == {}:
            message = "an empty `except` leaves every request alone: the rule never acts"
            yield warning(
                source, "PC312", message, (*path, "except"), "remove it, or name what to leave alone"
            )
