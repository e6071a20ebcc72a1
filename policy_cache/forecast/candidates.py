"""Ways of marking that a proposal may choose from, and the policy that marks so."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policy_cache.policy.language.model import Ttl

_UNTIL = (16, 24, 34, 44)

Tail: TypeAlias = Literal["none", "later", "always"]
"""Whether the conversation is marked: never, from its second request on, or from its first."""


class Candidate(NamedTuple):
    """A way of marking.

    Attributes:
        prefix: The TTL of tools and system; None leaves them unmarked.
        tail: Whether the conversation is marked.
        ttl: Its TTL.
        until: For an hour only while the conversation has at most so many messages, then for five minutes:
            what is written late has few pauses left to outlive.
    """

    prefix: Ttl | None
    tail: Tail
    ttl: Ttl = "5m"
    until: int | None = None

    def __str__(self) -> str:
        """In words."""
        if self.prefix is None:
            return "no markers"
        if self.prefix == "auto":
            words = ["all for 5m or 1h, as `auto` learns"]
        else:
            words = [f"tools and system for {self.prefix}"]
            if self.tail != "none":
                words.append(f"the conversation for {self.ttl}")
        if self.until is not None:
            words.append(f"but for 5m after {self.until} messages")
        return ", ".join(words) + (", from its second request on" if self.tail == "later" else "")


def candidates() -> list[Candidate]:
    """Every way of marking that is tried; the plainest first, which wins where two cost the same."""
    ttls: tuple[Ttl, ...] = ("5m", "1h")  # the shorter one first
    tails: tuple[Tail, ...] = ("always", "later")
    return [
        Candidate(None, "none"),
        *(Candidate(ttl, "none") for ttl in ttls),
        *(
            Candidate(prefix, tail, ttl)
            for tail, prefix, ttl in product(tails, ttls, ttls)
            # A TTL never rises along the prompt.
            if ttls.index(prefix) >= ttls.index(ttl)
        ),
        *(Candidate("auto", tail, "auto") for tail in tails),
        *(Candidate("1h", "always", "1h", until) for until in _UNTIL),
    ]


def rules(candidate: Candidate, match: Sequence[str], name: str) -> Iterator[str]:
    """The lines of the rules that mark so.

    Args:
        candidate: The way of marking.
        match: The lines of the rules' `match`, without indentation.
        name: What the rules' names begin with.
    """
    if candidate.prefix is None:
        return
    yield from _rule(f"{name}-prefix", match, ["tools", "system"], candidate.prefix)
    if candidate.tail == "none":
        return
    ends = ["messages.previous_turn", "messages.last"]
    later = [*match, "messages: {min: 3}"] if candidate.tail == "later" else match
    if candidate.until is None:
        yield from _rule(f"{name}-conversation", later, ends, candidate.ttl)
        return
    early = [*match, f"messages: {{max: {candidate.until}}}"]
    late = [*match, f"messages: {{min: {candidate.until + 1}}}"]
    yield from _rule(f"{name}-early", early, ends, "1h")
    yield from _rule(f"{name}-kept", late, [f'"$.messages[{candidate.until - 1}]"'], "1h")
    # The end first: of the route's four breakpoints, one may be left.
    yield from _rule(f"{name}-late", late, ends[::-1], "5m")


def _rule(name: str, match: Sequence[str], targets: Sequence[str], ttl: Ttl) -> Iterator[str]:
    yield f"  - name: {name}"
    yield "    match:"
    yield from (f"      {line}" for line in match)
    yield "    targets:"
    yield from (f"      - {target}" for target in targets)
    yield "    action:"
    yield f"      add_cache_control: {'{}' if ttl == '5m' else f'{{ttl: {ttl}}}'}"
