"""What a request carries beside its prompt: about whom and what it is."""

from __future__ import annotations

from collections.abc import Mapping


def carried_metadata(request: Mapping[str, object]) -> Mapping[str, object]:
    """The metadata that a request carries, under either of litellm's names."""
    return first_mapping(request.get("metadata"), request.get("litellm_metadata"))


def first_mapping(*values: object) -> Mapping[str, object]:
    """The first that has anything; an empty one where none has."""
    return next((value for value in values if isinstance(value, Mapping) and value), {})
