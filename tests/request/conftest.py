"""What tests of media share."""

from __future__ import annotations

import pytest


@pytest.fixture
def watched():
    """Makes a text of another that notes, in `looked`, how much of it was looked at each time."""

    class Watched(str):
        __slots__ = ()
        looked: list[int] = []  # noqa: RUF012, of this class alone, which is made for one test

        def __getitem__(self, key):
            part = str.__getitem__(self, key)
            self.looked.append(len(part))
            return part

    return Watched
