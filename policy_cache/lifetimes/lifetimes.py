"""`Lifetimes`: what `ttl: auto` means for a request, learned from those before it."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from policy_cache.lifetimes.choice import Choice, worth
from policy_cache.lifetimes.keep import Outlook, leaning
from policy_cache.lifetimes.pauses import (
    BOUNDS,
    HOUR,
    LATE,
    PRIOR,
    PRIOR_OF_PREFIXES,
    Law,
    Pauses,
)
from policy_cache.lifetimes.state import state_of
from policy_cache.lifetimes.waiting import Waiting
from policy_cache.request.blocks import SYSTEM
from policy_cache.request.session import hashed, samples

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping

    from policy_cache.lifetimes.state import State
    from policy_cache.providers.catalog import Ttl
    from policy_cache.providers.resolve import Route
    from policy_cache.request.blocks import Order
    from policy_cache.request.markers import ClientMarker
    from policy_cache.request.prompt import Prompt

_SECONDS: Mapping[Ttl, float] = {"5m": BOUNDS[0], "1h": HOUR}
# A client may choose what conversations and kinds are told by.
_MOST_WAITING, _MOST_KINDS = 20_000, 2_000
_SAVED_EVERY = 60.0
# Once so many pauses of a kind are known, one more changes little: its law is worked out again after some.
_WELL_KNOWN, _SOME = 64, 8
# How many requests of its own a conversation takes to tell more than its kind.
_OWN = 5.0
# A conversation that was expensive at five minutes twice gets an hour, whatever is known in general.
_ENOUGH = 2
# An hour is given up where it pays by far no more: what was written for one is not to be lost for a trifle.
_STAYS = 0.5

# A NamedTuple's own constructor is a Python call, and these are made for every request.
_new = tuple.__new__

Key: TypeAlias = int
"""A hash of this process: nobody outside of it can aim at one."""


class Conversation(NamedTuple):
    """What stands for a conversation, its kind, and its tools and system prompt; 0 where it has neither."""

    kind: Key
    prefix: Key
    session: Key


class _Last(NamedTuple):
    """The last request of a conversation, or of tools and system prompt, which conversations share.

    Attributes:
        at: When the entries were read last.
        ttl: How long they live; None where there are none.
        kind: The kind.
        requests: How many requests of the conversation followed others.
        later: How many of those came later than five minutes.
    """

    at: float
    ttl: Ttl | None
    kind: Key
    requests: int = 0
    later: int = 0


class _Known(NamedTuple):
    """What is known of conversations, and of how their prefixes are used."""

    conversations: Law
    prefixes: Law


class _Seen:
    """What was seen of a kind: of its conversations, and of its prefixes."""

    __slots__ = ("conversations", "name", "prefixes", "since")

    def __init__(self, name: bytes, conversations: Pauses, prefixes: Pauses) -> None:
        self.name = name
        self.conversations = conversations
        self.prefixes = prefixes
        self.since = 0

    def known(self, general: _Known) -> _Known:
        return _Known(self.conversations.law(general.conversations), self.prefixes.law(general.prefixes))


_START = _Known(PRIOR, PRIOR_OF_PREFIXES)


class Lifetimes:
    """Chooses between five minutes and an hour by the pauses that were seen.

    `choose` reads values that are replaced whole, and takes no lock; `learn` replaces them. It keeps hashes
    and numbers, never a text. Safe between threads.
    """

    def __init__(
        self,
        *,
        state: str | os.PathLike[str] | None = None,
        clock: Callable[[], float] = time.time,
        scope: Callable[[], str] = str,
    ) -> None:
        """Begin with the prior, or with what a file kept.

        Args:
            state: A file that keeps what is learned, or a Redis that shares it (`redis://…`); written once a
                minute.
            clock: The time, in seconds.
            scope: Whose requests these are, where that is known; their caches are apart.
        """
        self._clock = clock
        self._scope = scope
        self._lock = threading.Lock()
        self._sessions: Waiting[_Last] = Waiting(_MOST_WAITING)
        self._prefixes: Waiting[_Last] = Waiting(_MOST_WAITING)
        self._kinds: dict[Key, _Known] = {}
        self._seen: dict[Key, _Seen] = {}
        self._state = None if state is None else state_of(state)
        self._saved = clock()
        kept = None if self._state is None else self._state.load()
        general, self._kept = kept or ((Pauses(), Pauses()), {})
        self._all = _Seen(b"", *general)
        self._general = self._all.known(_START)

    def choose(self, prompt: Prompt, route: Route) -> Choice:
        """What `auto` means for a request that is sent now.

        Args:
            prompt: The request.
            route: Where it goes.
        """
        kind, prefix, key = self.conversation(prompt)
        known = self._kinds.get(kind) or self._general
        now, session = self._clock(), self._sessions.last.get(key)
        if session is not None and now - session.at >= HOUR:
            session = None
        law, pays = known.conversations, worth(route.provider, route.model)
        expected = _expected(law, session)
        if "1h" not in route.ttls:
            return Choice("5m", "5m", f"{route.model} takes no other", law, expected, pays)
        held = _held(self._prefixes.last.get(prefix), now) if prefix else None
        if held == "5m":
            because = "tools and system prompt are cached for five minutes, and what follows lives no longer"
            return Choice("5m", "5m", because if expected > pays else "", law, expected, pays)
        own = _held(session, now)
        long = own != "5m" and expected > (pays if own is None else _STAYS * pays)
        if long or held == "1h" or (prefix and _shared(known, pays)):
            return _new(Choice, ("1h", "1h" if long else "5m", "", law, expected, pays))
        return _new(Choice, ("5m", "5m", "", law, expected, pays))

    def learn(
        self,
        prompt: Prompt,
        route: Route,
        markers: Iterable[ClientMarker],
        *,
        at: float | None = None,
        read: int | None = None,
        written: int | None = None,
    ) -> None:
        """A request was sent, and answered.

        Args:
            prompt: The request as it came.
            route: Where it went.
            markers: Those that it was sent with, in any order.
            at: When it was sent, in seconds; by default now.
            read: The tokens that the provider reported as read; None where it said nothing.
            written: Those that it reported as written.
        """
        at = self._clock() if at is None else at
        if not math.isfinite(at):
            return
        missed = read == 0
        # What is too small is not kept, and nothing says so but the figures.
        shared, own = (None, None) if missed and written == 0 else _asked(route, markers)
        kind, prefix, key = self.conversation(prompt)
        with self._lock:
            self._pass(at)
            seen = self._seen.get(kind) or self._meet(kind, prompt)
            if prefix:
                alive = None if missed else _held(self._prefixes.last.get(prefix), at)
                stretch = self._prefixes.came(prefix, at)
                if stretch is not None:
                    for each in (self._all, seen):
                        each.prefixes.follows(stretch)
                self._prefixes.last[prefix] = _Last(at, alive or shared, kind)
            session = self._sessions.last.get(key)
            alive = None if missed else _held(session, at)
            # What follows an entry lives no longer than it.
            ttl = alive or ("5m" if own and shared == "5m" else own)
            requests, later = (session.requests, session.later) if session else (0, 0)
            stretch = self._sessions.came(key, at)
            if stretch is not None:
                for each in (self._all, seen):
                    each.conversations.follows(stretch)
                # What waited for longer than an hour begins anew.
                requests, later = (requests + 1, later + (stretch > 0)) if stretch < LATE else (0, 0)
            self._sessions.last[key] = _Last(at, ttl, kind, requests, later)
            self._publish(kind, seen)
            while len(self._seen) > _MOST_KINDS:
                oldest = next(iter(self._seen))
                del self._seen[oldest]
                self._kinds.pop(oldest, None)
            if self._state is not None and at - self._saved >= _SAVED_EVERY:
                self._saved = at
                self._write(self._state)

    def conversation(self, prompt: Prompt) -> Conversation:
        """The conversation of a request."""
        alike, rest, own = samples(prompt)
        scope = self._scope()
        kind = hash(alike)
        # Agents that work for each other may share a session's name.
        session = hash((kind, scope, own))
        return _new(Conversation, (kind, hash((kind, scope, rest)) if rest else 0, session))

    def outlook(self, of: Conversation, route: Route) -> Outlook | None:
        """What is known of a conversation that waits; None where nothing is.

        Args:
            of: The conversation.
            route: Where its requests go.
        """
        session = self._sessions.last.get(of.session)
        if session is None:
            return None
        law = (self._kinds.get(of.kind) or self._general).conversations
        shared = self._prefixes.last.get(of.prefix)
        medium = _medium(law, session)
        hour = "1h" in route.ttls and _expected(law, session) > worth(route.provider, route.model)
        ttls = session.ttl, shared and shared.ttl
        return Outlook(law, leaning(law, medium), *ttls, pauses=medium / law.ends, hour=hour)

    def renew(self, of: Conversation, at: float) -> None:
        """The entries of a conversation were read, and live on; nobody asked for more.

        Args:
            of: The conversation.
            at: When that was, in seconds.
        """
        with self._lock:
            for waiting, key in ((self._sessions, of.session), (self._prefixes, of.prefix)):
                if (last := waiting.last.get(key)) is not None:
                    waiting.last[key] = last._replace(at=max(at, last.at))

    def save(self) -> None:
        """Write what was learned, where there is a file for it."""
        if self._state is not None:
            with self._lock:
                self._write(self._state)

    def _write(self, state: State) -> None:
        kinds = {seen.name: (seen.conversations, seen.prefixes) for seen in self._seen.values()}
        state.save((self._all.conversations, self._all.prefixes), self._kept | kinds)
        # Others' may be among them now.
        self._general = self._all.known(_START)
        self._kinds = {kind: seen.known(self._general) for kind, seen in self._seen.items()}

    def _meet(self, kind: Key, prompt: Prompt) -> _Seen:
        name = hashed(samples(prompt)[0])
        seen = self._seen[kind] = _Seen(name, *(self._kept.pop(name, None) or (Pauses(), Pauses())))
        return seen

    def _pass(self, now: float) -> None:
        """Count what waited through a stretch."""
        for last, stretch in self._sessions.passed(now):
            for seen in self._of(last.kind):
                seen.conversations.waits_on(stretch)
        for last, stretch in self._prefixes.passed(now):
            for seen in self._of(last.kind):
                seen.prefixes.waits_on(stretch)

    def _of(self, kind: Key) -> tuple[_Seen, ...]:
        """What was seen of a kind, and of all."""
        seen = self._seen.get(kind)
        return (self._all,) if seen is None else (self._all, seen)

    def _publish(self, kind: Key, seen: _Seen) -> None:
        self._all.since += 1
        if self._all.since >= _SOME or self._general.conversations.seen < _WELL_KNOWN:
            self._all.since = 0
            self._general = self._all.known(_START)
        seen.since += 1
        known = self._kinds.get(kind)
        if known is None or seen.since >= _SOME or known.conversations.seen < _WELL_KNOWN:
            seen.since = 0
            self._kinds.pop(kind, None)
            self._kinds[kind] = seen.known(self._general)
            self._seen[kind] = self._seen.pop(kind)  # as the one that was used last


def _asked(route: Route, markers: Iterable[ClientMarker]) -> tuple[Ttl | None, Ttl | None]:
    """The lifetime that is asked for tools and system prompt, and for the messages."""
    shared: tuple[Order, Ttl] | None = None
    own: tuple[Order, Ttl] | None = None
    for marker in markers:
        if marker.block is None:
            continue
        asked = marker.order, route.lifetime_of(marker)
        if marker.order[0] > SYSTEM:
            own = max(own or asked, asked)
        else:
            shared = max(shared or asked, asked)
    return shared and shared[1], own and own[1]


def _expected(law: Law, session: _Last | None) -> float:
    """How many pauses of more than five minutes are to come, before one of more than an hour."""
    if session is None:
        return law.medium / law.ends
    if session.later >= _ENOUGH:
        return float("inf")
    return _medium(law, session) / law.ends


def _medium(law: Law, session: _Last) -> float:
    """The share of its requests that is followed after more than five minutes."""
    return (session.later + _OWN * law.medium) / (session.requests + _OWN)


def _shared(known: _Known, pays: float) -> bool:
    """Whether an hour pays for what conversations share.

    Each use of it may be followed by a pause that makes a conversation want an hour, which it cannot have
    where what comes before it is kept for five minutes.
    """
    medium = max(known.conversations.medium, known.prefixes.medium)
    return medium / known.prefixes.ends > pays


def _held(held: _Last | None, now: float) -> Ttl | None:
    """The lifetime of the entries that are still there."""
    return held.ttl if held is not None and held.ttl and now - held.at < _SECONDS[held.ttl] else None
