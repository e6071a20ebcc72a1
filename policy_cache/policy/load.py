"""From a file to a policy, or to everything that is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from policy_cache.diagnostics import Diagnostic
from policy_cache.errors import PolicyError
from policy_cache.policy.check.examine import Examined, examine, examine_content
from policy_cache.policy.language.model import Policy
from policy_cache.text.words import visible

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from policy_cache.policy.text.source import Source


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """A policy without errors, and where it came from.

    Attributes:
        policy: The model.
        source: Its text and positions.
        warnings: What is allowed but probably not meant, in the order of the file.
    """

    policy: Policy
    source: Source
    warnings: tuple[Diagnostic, ...]

    @property
    def revision(self) -> str:
        """A short name for exactly this text."""
        return self.source.revision

    def line(self, *path: str | int) -> int | None:
        """The line on which a part of the policy begins, or None where there is no such part."""
        span = self.source.key_span(path)
        return span.line if span else None


def load(path: str | os.PathLike[str]) -> LoadedPolicy:
    """Load a policy file.

    Raises:
        PolicyError: With every diagnostic of the file.
    """
    return _build(examine(path))


def loads(text: str | bytes, name: str = "<policy>") -> LoadedPolicy:
    """Load a policy from its text.

    Arguments:
        text: YAML, or the bytes of a file of it.
        name: What diagnostics call it.

    Raises:
        PolicyError: With every diagnostic of the text.
    """
    return _build(examine_content(text, name))


def _build(examined: Examined) -> LoadedPolicy:
    source = examined.source
    if not examined.ok:
        raise PolicyError(examined.diagnostics, lines=source.lines)
    try:
        policy = Policy.model_validate(source.data)
    except ValidationError as error:
        refused = [*examined.diagnostics, *_refused(error, source)]
        raise PolicyError(refused, lines=source.lines) from None
    return LoadedPolicy(policy, source, examined.diagnostics)


def _refused(error: ValidationError, source: Source) -> Iterator[Diagnostic]:
    """What only the model refuses: a gap in the checks, reported as well as it can be."""
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        path = problem["loc"]
        while path and path not in source.values:
            path = path[:-1]
        message = visible(problem["msg"])
        yield Diagnostic("PC129", "error", message, span=source.span(path), path=path, file=source.name)
