"""What a router knows of a request beside the request itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy_cache.request.prompt import Shape


class Context(TypedDict, total=False):
    """The keyword arguments of `Engine.rewrite`, which says what each is, and of whatever takes the same."""

    provider: str | None
    alias: str | None
    metadata: Mapping[str, object] | None
    headers: Mapping[str, object] | None
    shape: Shape | None
