"""What a schema cannot say: checks of meaning that need neither a request nor the catalog.

Each check is a generator over the raw data, so that it also finds what it can in a file that is
wrong elsewhere. Its docstring explains its codes; see `policy.explanation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.policy.check.meaning.condition import patterns, placeholders, ranges, sampling, spellings
from policy_cache.policy.check.meaning.rule import action_targets, duplicate_names, idle_rules
from policy_cache.policy.check.meaning.target import idle_lifetimes, named_targets, paths, take_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from policy_cache.diagnostics import Diagnostic
    from policy_cache.policy.text.source import Source

CHECKS: tuple[Callable[[Source], Iterator[Diagnostic]], ...] = (
    duplicate_names,
    named_targets,
    paths,
    patterns,
    ranges,
    action_targets,
    sampling,
    placeholders,
    take_words,
    spellings,
    idle_lifetimes,
    idle_rules,
)


def check(source: Source) -> Iterator[Diagnostic]:
    """Run every check."""
    for each in CHECKS:
        yield from each(source)
