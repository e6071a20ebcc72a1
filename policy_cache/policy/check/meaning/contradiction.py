"""Conditions that exclude each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.policy.check.cover import covers
from policy_cache.policy.check.finding import Finding, Mark
from policy_cache.policy.check.walk import rules, texts
from policy_cache.text.words import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policy_cache.diagnostics import Path
    from policy_cache.policy.text.compose import Data
    from policy_cache.policy.text.source import Source


def contradictions(source: Source) -> Iterator[Finding]:
    """PC313: conditions exclude each other, so that the rule never acts.

    A path both in `exists` and in `missing`; an `except` that holds wherever the `match` does; a share of
    0 percent; tools asked for where `tools` allows none; a model that none of the providers has.

    Bad:
        match: {model: "claude-3*"}
        except: {model: "*claude*"}
    Good:
        match: {model: "*claude*"}
        except: {model: "claude-3*"}
    """
    for path, rule in rules(source):
        match, veto = rule.get("match"), rule.get("except")
        if not isinstance(match, dict):
            continue
        yield from _of_paths((*path, "match"), match)
        sample = match.get("sample")
        if isinstance(sample, dict) and sample.get("percent") == 0:
            at = (*path, "match", "sample", "percent")
            yield Finding("PC313", "a share of 0 percent: the rule never acts", at)
        if isinstance(veto, dict) and veto and covers(veto, match):
            message = "`except` holds wherever `match` does: the rule never acts"
            help_ = "except less than what is matched"
            yield Finding("PC313", message, (*path, "except"), help_, key=True)


def _of_paths(here: Path, match: Mapping[str, Data]) -> Iterator[Finding]:
    missing = {text: at for at, text in texts(match.get("missing"), (*here, "missing"))}
    tools = match.get("tools")
    for at, text in texts(match.get("exists"), (*here, "exists")):
        if text in missing:
            marks = (Mark(missing[text], "and must be missing"),)
            yield Finding("PC313", f"{quoted(text)} must exist, and be missing", at, marks=marks)
        if text.startswith("$.tools[") and isinstance(tools, dict) and tools.get("max") == 0:
            marks = (Mark((*here, "tools", "max"), "no tools"),)
            yield Finding("PC313", f"{quoted(text)} is a tool, and `max` allows none", at, marks=marks)
