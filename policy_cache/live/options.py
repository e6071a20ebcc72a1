"""A block of options in a router's configuration, read member by member: `caching:`, and what is like it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple, NoReturn, cast

from policy_cache.diagnostics import Diagnostic
from policy_cache.errors import PolicyError
from policy_cache.request.location import kind_of
from policy_cache.text.words import listed, quoted, suggest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class OptionBlock:
    """A block of options, each of which is asked for by its type.

    Attributes:
        name: What the block is called where it stands.
    """

    def __init__(self, name: str, given: object, members: Sequence[str]) -> None:
        """Read a block.

        Args:
            name: What it is called; diagnostics name it.
            given: The block as its configuration has it.
            members: What it may hold.

        Raises:
            PolicyError: It is no mapping, or has a member that it may not hold.
        """
        self.name = name
        # A configuration may have mappings of its own.
        if not hasattr(given, "items") or not hasattr(given, "get"):
            self._refuse("PC122", f"expected a mapping for `{name}`, found {kind_of(given)}")
        self._given = cast("Mapping[str, object]", given)
        for member in self._given:
            if member not in members:
                close = suggest(str(member), members)
                help_ = f"did you mean {quoted(close)}?" if close else f"allowed here: {listed(members)}"
                self._refuse("PC120", f"unknown field {quoted(str(member))} in `{name}`", help_)

    def flag(self, member: str, *, default: bool) -> bool:
        """True or false."""
        value = self._given.get(member, default)
        return value if isinstance(value, bool) else self._wrong(member, "true or false")

    def file(self, member: str) -> str | None:
        """The path of a file."""
        value = self._given.get(member)
        if value is None:
            return None
        return (
            str(value) if isinstance(value, (str, os.PathLike)) else self._wrong(member, "the path of a file")
        )

    def names(self, member: str) -> tuple[str, ...]:
        """A list of names, or one name; none if left out."""
        value = self._given.get(member) or ()
        names = (value,) if isinstance(value, str) else value
        if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
            self._wrong(member, "a list of names")
        return tuple(names)

    def choice(self, member: str, options: Sequence[str]) -> str | None:
        """One of several words."""
        value = self._given.get(member)
        if value is None or value in options:
            return cast("str | None", value)
        if not isinstance(value, str):
            self._wrong(member, f"one of {listed(options)}")
        close = suggest(value, options)
        help_ = f"did you mean {quoted(close)}?" if close else f"expected one of {listed(options)}"
        message = f"{quoted(value)} is not allowed for `{member}` in `{self.name}`"
        return self._refuse("PC123", message, help_)

    def block(self, member: str, members: Sequence[str]) -> OptionBlock | None:
        """A block in this one."""
        value = self._given.get(member)
        return None if value is None else OptionBlock(f"{self.name}.{member}", value, members)

    def block_or_flag(self, member: str, members: Sequence[str]) -> OptionBlock | None:
        """A block in this one; `true` is an empty one, and `false` none."""
        value = self._given.get(member)
        if isinstance(value, bool):
            return OptionBlock(f"{self.name}.{member}", {}, members) if value else None
        return self.block(member, members)

    def text(self, member: str) -> str | None:
        """A text."""
        value = self._given.get(member)
        return value if value is None or isinstance(value, str) else self._wrong(member, "a text")

    def number(self, member: str, *, default: float) -> float:
        """A number that is not negative."""
        value = self._given.get(member, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return self._wrong(member, "a number")
        if not 0 <= value <= sys.float_info.max:
            self._refuse(
                "PC125", f"`{member}` in `{self.name}` is {value}, and must be finite and not negative"
            )
        return float(value)

    def positive(self, member: str) -> float:
        """A number above nothing, which must be given."""
        if self._given.get(member) is None:
            self.missing(member)
        value = self.number(member, default=0.0)
        if not value:
            self._refuse("PC125", f"`{member}` in `{self.name}` is 0, and must be more")
        return value

    def share(self, member: str, *, default: float) -> float:
        """A share in per cent that is neither nothing nor all."""
        value = self.number(member, default=default)
        if not 0 < value < 100:
            message = f"`{member}` in `{self.name}` is {value:g}: one of the two would get no session"
            self._refuse("PC125", message, "expected more than 0 and less than 100")
        return value

    def missing(self, member: str) -> NoReturn:
        """Refuse the block, which must have a member that it has not.

        Raises:
            PolicyError: Always.
        """
        self._refuse("PC121", f"`{self.name}` has no `{member}`")

    def _wrong(self, member: str, expected: str) -> NoReturn:
        found = kind_of(self._given[member])
        self._refuse("PC122", f"expected {expected} for `{member}` in `{self.name}`, found {found}")

    def _refuse(self, code: str, message: str, help_: str | None = None) -> NoReturn:
        error = PolicyError([Diagnostic(code, "error", message, help=help_, file=self.name)])
        if help_ is not None:
            error.add_note(f"help: {help_}")  # whoever starts the router sees nothing but this error
        raise error


class Trial(NamedTuple):
    """An experiment.

    Attributes:
        policy: The file of the policy on trial.
        percent: The share of the sessions that get it.
        name: What it is called; another name draws anew.
    """

    policy: str
    percent: float = 50.0
    name: str = "experiment"

    @classmethod
    def of(cls, block: OptionBlock | None) -> Trial | None:
        """What a block says; None where there is none.

        Raises:
            PolicyError: A member is missing, of the wrong type, or leaves an arm empty.
        """
        if block is None:
            return None
        return cls(
            block.file("policy") or block.missing("policy"),
            block.share("percent", default=cls._field_defaults["percent"]),
            block.text("name") or cls._field_defaults["name"],
        )


class Caching(NamedTuple):
    """What a `caching:` block says.

    Attributes:
        enabled: Whether anything is done at all.
        policy: The policy file; None for the packaged default.
        providers: Globs over the providers whose requests may change; empty for all.
        catalog: A catalog file.
        watch: Whether the files are followed.
        state: The file, or the Redis, that keeps what `ttl: auto` learns; None for none.
        experiment: Another policy on trial; None for none.
    """

    enabled: bool = True
    policy: str | None = None
    providers: tuple[str, ...] = ()
    catalog: str | None = None
    watch: bool = False
    state: str | None = None
    experiment: Trial | None = None

    @classmethod
    def of(cls, block: OptionBlock, *, watch: bool = False) -> Caching:
        """What a block says; `watch` is the default where it leaves that out.

        Raises:
            PolicyError: A member is of the wrong type.
        """
        return cls(
            block.flag("enabled", default=True),
            block.file("policy"),
            block.names("providers"),
            block.file("catalog"),
            block.flag("watch", default=watch),
            block.file("state"),
            Trial.of(block.block("experiment", Trial._fields)),
        )


def read_config(config: Mapping[str, object] | None) -> Caching:
    """Read a `caching:` block; one that was left out, or is empty, does nothing.

    Raises:
        PolicyError: A member is unknown or of the wrong type.
    """
    return Caching.of(OptionBlock("caching", config, Caching._fields)) if config else Caching(enabled=False)
