"""Claude's model names, as they are spelled on the API, on Bedrock, on Vertex and by routers."""

from __future__ import annotations

import re

_VERSIONS = re.compile(r"(-v\d+(-\d+)?|-\d{8}|-latest|-default)+$")


def claude_name(model: str) -> str | None:
    """The bare name of a Claude model, or None for any other model.

    `us.anthropic.claude-sonnet-4-5-20250929-v1:0` and `anthropic/claude-sonnet-4.5` are both
    `claude-sonnet-4-5`.
    """
    lowered = model.lower()
    start = lowered.rfind("claude-")
    if start < 0:
        return None
    return _VERSIONS.sub("", re.sub(r"[.@:]", "-", lowered[start:]))
