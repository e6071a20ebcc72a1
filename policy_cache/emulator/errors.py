"""The refusals of the provider, in its own words and shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from policy_cache.errors import PolicyCacheError

if TYPE_CHECKING:
    from policy_cache.request.location import Location


class EmulatorError(PolicyCacheError):
    """The emulator cannot run."""


class ApiError(Exception):
    """A request that the provider refuses (platform.claude.com, "Errors").

    Attributes:
        status: The HTTP status.
        kind: The type of the error.
        message: What the provider says.
    """

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message

    def body(self, request_id: str) -> dict[str, Any]:
        """The error as the provider sends it."""
        return {
            "type": "error",
            "error": {"type": self.kind, "message": self.message},
            "request_id": request_id,
        }


def refusal(message: str, at: Location = ()) -> ApiError:
    """A 400, with the place it is about in front: `messages.0.content.4.type: …`."""
    prefix = ".".join(map(str, at)) + ": " if at else ""
    return ApiError(400, "invalid_request_error", prefix + message)
