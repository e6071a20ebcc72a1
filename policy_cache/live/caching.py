"""The `caching:` block that a router carries in its own configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from policy_cache.live.options import OptionBlock

if TYPE_CHECKING:
    from collections.abc import Mapping


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
    def of(cls, block: OptionBlock, *, watch: bool = False) -> Caching:
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


def read_config(config: Mapping[str, object] | None) -> Caching:
    """Read a `caching:` block; one that was left out, or is empty, does nothing.

    Raises:
        PolicyError: A member is unknown or of the wrong type.
    """
    return Caching.of(OptionBlock("caching", config, Caching._fields)) if config else Caching(enabled=False)
