"""What an older litellm does with a client's marker that no catalog file can say, so that counts differ.

A catalog file speaks of a route, a shape and a kind of block; what is here depends on more than these.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import NamedTuple


class Known(NamedTuple):
    """What is known to differ.

    Attributes:
        before: The first release of litellm on which it does not.
        label: The route and shape.
        spots: The places of the markers; None for every place.
        why: What litellm does there.
        dialect: Only markers written so; None for all.
    """

    before: tuple[int, int]
    label: str
    spots: frozenset[str] | None
    why: str
    dialect: str | None = None


KNOWN = (
    Known(
        (1, 107),
        "Bedrock Claude, application inference profile",
        None,
        "litellm asks the profile's name which TTLs its model takes, and sends five minutes",
        dialect="1h",
    ),
    Known(
        (1, 110),
        "Bedrock Claude, Converse, messages",
        frozenset({"tool, mcp_toolset"}),
        "litellm leaves the toolset out, and its marker stays behind the tool before it",
    ),
    Known(
        (1, 109),
        "Databricks Claude, messages",
        frozenset(
            {
                "system block, blank",
                "user container_upload",
                "user document of content",
                "user document of text",
                "user search_result",
                "tool_use, first of two",
                "tool_use, last",
                "tool_use, last, no tools",
                "tool_use with direct caller",
                "tool_result of a call with caller",
                "tool_result, empty",
                "tool_result, list",
                "in a document in a tool_result",
                "in a tool_result, document",
                "in a tool_result, image",
            }
        ),
        "litellm makes a chat request of it, which has no documents, and whose calls take no marker",
    ),
)

_INSTALLED = tuple(int(part) for part in version("litellm").split(".")[:2])


def why(label: str, spot: str, dialect: str) -> str | None:
    """Why the installed litellm is known to differ from the catalog at a place; None where it is not."""
    return next(
        (
            known.why
            for known in KNOWN
            if known.before > _INSTALLED
            and label == known.label
            and (known.spots is None or spot in known.spots)
            and known.dialect in (None, dialect)
        ),
        None,
    )
