"""The ledger: what a process's caches did so far."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from policy_cache.usage.totals import Book

if TYPE_CHECKING:
    from policy_cache.usage.account import Account


class Ledger:
    """Totals of this process, by model, route, rule, revision and cause. Safe between threads.

    ```python
    ledger = Ledger()
    litellm.callbacks.append(PolicyCacheHandler(engine, ledger=ledger))
    ledger.snapshot()["rules"]["conversation"]["saved_usd"]
    ```
    """

    def __init__(self, *, most: int = 1_000) -> None:
        """Keep at most so many names of each kind apart; the oldest are added up as `(other)`.

        Raises:
            ValueError: That is less than one.
        """
        if most < 1:
            raise ValueError(f"most: expected at least 1, found {most}")
        self._book = Book(most)
        self._lock = threading.Lock()

    def add(self, account: Account) -> None:
        """Add the account of one answered request."""
        with self._lock:
            self._book.add(account)

    def snapshot(self) -> dict[str, object]:
        """The totals now, in JSON's types, by the names that `policy-cache stats` gives them in JSON."""
        with self._lock:
            return self._book.as_dict()
