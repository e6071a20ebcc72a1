"""The `caching:` block that a router carries in its own configuration, and the switch for all of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from policy_cache.live.block import Block

if TYPE_CHECKING:
    from collections.abc import Mapping

SWITCH = "POLICY_CACHE_DISABLED"
ON = frozenset({"1", "true", "yes", "on"})


class Caching(NamedTuple):
    """What a `caching:` block says.

    Attributes:
        enabled: Whether anything is done at all.
        policy: The policy file; None for the packaged default.
        providers: Globs over the providers whose requests may change; empty for all.
        catalog: A catalog file.
        watch: Whether the files are followed.
    """

    enabled: bool = True
    policy: str | None = None
    providers: tuple[str, ...] = ()
    catalog: str | None = None
    watch: bool = False

    @classmethod
    def of(cls, block: Block, *, watch: bool = False) -> Caching:
        """What a block says; `watch` where it does not say that.

        Raises:
            PolicyError: A member is of the wrong type.
        """
        return cls(
            block.flag("enabled", default=True),
            block.file("policy"),
            block.names("providers"),
            block.file("catalog"),
            block.flag("watch", default=watch),
        )


def is_disabled() -> bool:
    """Whether the environment switches everything off: `POLICY_CACHE_DISABLED=1`."""
    return os.environ.get(SWITCH, "").lower() in ON


def read_config(config: Mapping[str, object] | None) -> Caching:
    """Read a `caching:` block; one that was left out, or is empty, does nothing.

    Raises:
        PolicyError: A member is unknown or of the wrong type.
    """
    return Caching.of(Block("caching", config, Caching._fields)) if config else Caching(enabled=False)
