"""What became of a marker on the installed litellm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, get_args

if TYPE_CHECKING:
    from policy_cache.request.prompt import Shape

Placed: TypeAlias = Literal["tool", "system", "user", "assistant", "call", "result", "request"]
Brought: TypeAlias = Literal["translated", "beside", "message", "list", "image", "nested", "blank"]
Kind: TypeAlias = Placed | Brought
Outcome: TypeAlias = Literal["kept", "moved", "lost", "refused", "gained", "unmarked", "unsent"]

PLACED: tuple[Placed, ...] = get_args(Placed)
"""What a policy marks."""

BROUGHT: tuple[Brought, ...] = get_args(Brought)
"""What a client marks besides:

- `translated`: a user's text, with the marker of the other dialect; `beside`: the same beside tools;
- `message`: a user's message of text; `list`: a user's message with a list;
- `image`: an image in a tool's result; `nested`: a text in one, in Anthropic's shape;
- `blank`: an assistant's blank text beside a call.
"""

BAD: frozenset[Outcome] = frozenset({"lost", "refused"})


class Finding(NamedTuple):
    """What became of a marker.

    Attributes:
        route: The catalog's name of the route.
        shape: The shape of the request.
        kind: The kind of block that was to be marked.
        outcome: `kept` on that block, `moved` to another one by litellm, `lost`, or `refused` as a whole;
            `gained` where it arrives and the catalog says that it does not; `unmarked` where the route takes
            none there, `unsent` where litellm sends no such request at all.
    """

    route: str
    shape: Shape
    kind: Kind
    outcome: Outcome
