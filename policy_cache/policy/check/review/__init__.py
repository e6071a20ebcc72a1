"""What a valid policy can never do, or hardly meant, as far as its text and the catalog prove it.

Each review is a generator over a policy without errors. Its docstring explains its codes; see
`policy.explanation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.diagnostics import by_position
from policy_cache.policy.check.reach import unreachable
from policy_cache.policy.check.review.budget import budgets
from policy_cache.policy.check.review.change import changes
from policy_cache.policy.check.review.condition import conditions
from policy_cache.policy.check.review.lifetime import lifetimes
from policy_cache.policy.check.review.order import order
from policy_cache.policy.check.review.place import places
from policy_cache.policy.check.review.style import style

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.diagnostics import Diagnostic
    from policy_cache.policy.check.examine import Examined
    from policy_cache.policy.check.reach import Routes
    from policy_cache.policy.text.source import Source


def reviewed(examined: Examined, routes: Routes) -> tuple[Diagnostic, ...]:
    """Everything there is to say about an examined file, in its order; a value is warned of once.

    Arguments:
        examined: The file.
        routes: The routes of the catalog.
    """
    if not examined.ok:
        return examined.diagnostics
    said = {diagnostic.path for diagnostic in examined.diagnostics}
    found = [one for one in review(examined.source, routes) if one.path not in said]
    return by_position([*examined.diagnostics, *found])


def review(source: Source, routes: Routes) -> Iterator[Diagnostic]:
    """Review a policy without errors.

    Arguments:
        source: The policy.
        routes: The routes of the catalog.

    Returns:
        Warnings, in no order.
    """
    yield from unreachable(source, routes)
    yield from conditions(source)
    yield from changes(source)
    yield from order(source)
    yield from places(source, routes)
    yield from budgets(source, routes)
    yield from lifetimes(source)
    yield from style(source)
