"""A process of its own that quotes and learns, and shares what is warm through Redis."""

from __future__ import annotations

import multiprocessing
from contextlib import contextmanager

from policy_cache.warmth import Warmth
from policy_cache.warmth.shared import RedisTable
from tests.emulator.test_simulator import POLICIES


class Worker:
    """The process, asked from here as if it were a `Warmth`.

    Attributes:
        policy: Which of `POLICIES` it is asked by.
    """

    def __init__(self, pipe, clock):
        self._pipe, self._clock, self.policy = pipe, clock, 0

    def quote(self, request, models):
        return self._ask("quote", request, models)

    def answered(self, plan, usage, *, at):
        self._ask("answered", plan.original, usage, at)

    def faults(self):
        """What went wrong in it, by kind of error: of its warmth, and of its table."""
        return self._ask("faults")

    def _ask(self, *what):
        self._pipe.send((self._clock.now, self.policy, *what))
        answer = self._pipe.recv()
        if isinstance(answer, BaseException):
            raise answer
        return answer


@contextmanager
def worker(url, clock, *, patience=30.0):
    """A worker, until the end."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=work, args=(theirs, url, patience), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Worker(ours, clock)
    finally:
        ours.close()
        process.join()


def work(pipe, url, patience):
    """Answer until nobody asks; the time is that of who asks."""
    now = 0.0
    table = RedisTable(url, patience=patience, clock=lambda: now)
    warmths = [Warmth(engine, table=table, clock=lambda: now) for engine in POLICIES]
    while True:
        try:
            now, policy, what, *given = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(answer(POLICIES[policy], warmths[policy], table, what, *given))
        except Exception as error:  # noqa: BLE001, whoever asked is to see it
            pipe.send(error)


def answer(engine, warmth, table, what, *given):
    if what == "quote":
        return warmth.quote(*given)
    if what == "faults":
        return dict(warmth.faults), dict(table.faults)
    request, usage, at = given
    return warmth.answered(engine.plan(request), usage, at=at)
