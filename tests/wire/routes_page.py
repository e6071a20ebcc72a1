"""`docs/routes.md`: what litellm makes of a marker, on every route and every kind of block."""

from __future__ import annotations

from tests.wire.matrix import table

PAGE = """# What survives on each route

Made by `make docs`: each cell is a marker that a policy wanted there, followed through litellm 1.110.2 up to
the HTTP body. On no route was anything else marked, passed on or moved, with texts and with lists of blocks.

| | |
|---|---|
| ✓ | on that very block |
| ← | on the nearest block before it that can carry one |
| run | on a run of messages, from the first one to the last turn of the user up to there |
| - | no marker |
| by default | how many markers the packaged default policy puts on an agent's request |

"""


def page():
    return PAGE + table()


if __name__ == "__main__":
    print(page(), end="")
