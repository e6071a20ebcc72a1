"""A process that works for this one, and is ended when it takes too long.

A thread would not do: a regular expression that backtracks without end keeps every other thread of its
process waiting, and cannot be stopped.
"""

from __future__ import annotations

import signal
from contextlib import suppress
from multiprocessing import get_context
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, Generic, ParamSpec, TypeVar

from policy_cache.errors import PolicyCacheError

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

P = ParamSpec("P")
R = TypeVar("R")

_STARTING = 60.0
_GRACE = 2.0
_MOST = 4
"""Pieces of work under way or waiting; one page asks for one at a time."""


class WorkError(PolicyCacheError):
    """Work that was not done: it took too long, or something went wrong."""


class Worker(Generic[P, R]):
    """One process that does one kind of work, one piece at a time. Safe to share between threads."""

    def __init__(self, work: Callable[P, R], *, seconds: float) -> None:
        """Begin without a process; the first piece of work starts it.

        Args:
            work: What it does; importable by name.
            seconds: How long one piece of work may take.
        """
        self._work = work
        self._seconds = seconds
        self._lock = Lock()
        self._places = BoundedSemaphore(_MOST)
        self._closed = False
        self._running: tuple[SpawnProcess, Connection] | None = None

    def __call__(self, *arguments: P.args, **options: P.kwargs) -> R:
        """Have it done.

        Raises:
            WorkError: It took too long, or something went wrong, or too much is waiting.
        """
        if not self._places.acquire(blocking=False):
            raise WorkError("too much is waiting to be evaluated")
        try:
            return self._done(arguments, options)
        finally:
            self._places.release()

    def _done(self, arguments: tuple[object, ...], options: dict[str, object]) -> R:
        with self._lock:
            try:
                connection = self._connection()
                connection.send((arguments, options))
                if not connection.poll(self._seconds):
                    self._end()
                    raise WorkError(f"stopped after {self._seconds:g} seconds")
                done, result = connection.recv()
            except (EOFError, OSError) as error:
                self._end()
                raise WorkError("the process that evaluates has ended") from error
        if not done:
            raise WorkError(f"internal error: {result}; please report it")
        value: R = result
        return value

    def close(self) -> None:
        """End the process, and with it what is under way; nothing is done any more."""
        self._closed = True
        if (running := self._running) is not None:
            with suppress(ValueError):  # it has just been ended
                running[0].kill()
        with self._lock:
            self._end()

    def _connection(self) -> Connection:
        if self._running is None and not self._closed:
            context = get_context("spawn")
            ours, theirs = context.Pipe()
            process = context.Process(target=_run, args=(theirs, self._work, self._seconds), daemon=True)
            process.start()
            theirs.close()
            self._running = process, ours
            if not ours.poll(_STARTING):
                raise EOFError
            ours.recv()
        if self._running is None or self._closed:
            raise EOFError
        return self._running[1]

    def _end(self) -> None:
        if self._running is not None:
            process, connection = self._running
            self._running = None
            process.kill()
            process.join()
            process.close()
            connection.close()


def _run(connection: Connection, work: Callable[..., object], seconds: float) -> None:
    # Ctrl-C reaches every process of a terminal; the first one ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection.send(True)  # imports are done
    while True:
        try:
            arguments, options = connection.recv()
        except EOFError:
            return
        _limit(seconds + _GRACE)
        try:
            answer = True, work(*arguments, **options)
        except Exception as error:  # noqa: BLE001, the last line of defence
            answer = False, type(error).__name__
        _limit(0)
        connection.send(answer)


def _limit(seconds: float) -> None:
    """Have the system end this process after so long, should the one that watches it be gone; 0 for never."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)
