"""What somebody who begins a policy says of their traffic, and the providers that it may go to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

Kind: TypeAlias = Literal["agent", "chat", "one-shot"]
Pauses: TypeAlias = Literal["short", "long"]
Router: TypeAlias = Literal["library", "callback", "proxy"]
KINDS: tuple[Kind, ...] = get_args(Kind)
PAUSES: tuple[Pauses, ...] = get_args(Pauses)
ROUTERS: tuple[Router, ...] = get_args(Router)

Key: TypeAlias = Literal["cache_control", "prompt_cache_breakpoint"]


@dataclass(frozen=True, slots=True, order=True)
class Family:
    """Models that are marked alike.

    Attributes:
        place: Where its rules stand among those of others.
        name: What its rules are called.
        title: What people call its models.
        models: Globs over their names; empty for all that its providers serve.
        key: The member that marks a block.
    """

    place: int
    name: str
    title: str
    models: tuple[str, ...]
    key: Key


@dataclass(frozen=True, slots=True)
class Provider:
    """What a first policy has to know of a provider.

    Attributes:
        name: litellm's name for it.
        model: A model there, as litellm names it.
        family: What that model belongs to; None where no rule would mark it.
        minimum: The smallest prefix that is cached there, in tokens.
        tools: Whether a marker on a tool reaches it.
        hour: Whether it takes a lifetime of an hour.
        stores: Whether a client's marker makes litellm store what it stands on, which is billed.
    """

    name: str
    model: str
    family: Family | None = None
    minimum: int = 0
    tools: bool = False
    hour: bool = False
    stores: bool = False


@dataclass(frozen=True, slots=True)
class Answers:
    """What somebody says of their traffic.

    Attributes:
        providers: Where requests go, at least one.
        kind: What requests are: an agent's, with tools; a chat's; or questions that nothing follows.
        pauses: Whether people pause for more than five minutes between requests.
        router: How requests reach litellm.
    """

    providers: tuple[Provider, ...]
    kind: Kind = "agent"
    pauses: Pauses = "short"
    router: Router = "library"

    def families(self, key: Key) -> list[Family]:
        """The families whose blocks are marked so."""
        families = {provider.family for provider in self.providers if provider.family is not None}
        return sorted(family for family in families if family.key == key)

    def of(self, family: Family | None) -> tuple[Provider, ...]:
        """The providers of a family, or of none, by name."""
        named = {provider.name: provider for provider in self.providers if provider.family == family}
        return tuple(named[name] for name in sorted(named))

    def hour(self, family: Family) -> bool:
        """Whether markers of a family are for an hour."""
        return self.pauses == "long" and any(provider.hour for provider in self.of(family))

    def tools(self, family: Family) -> bool:
        """Whether a marker on the last tool is asked for."""
        return self.kind != "chat" and any(provider.tools for provider in self.of(family))
