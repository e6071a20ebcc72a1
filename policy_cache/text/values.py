"""Values for people: on one line, printable, long texts cut to their beginning and their size."""

from __future__ import annotations

import json

from policy_cache.text.words import LONGEST, cut

# JSON leaves these as they are; a terminal would act on them or hide them, or cannot encode them.
_INVISIBLE = {
    code: f"\\u{code:04x}"
    for first, end in (
        (0x7F, 0xA0),  # delete, and the second set of control characters
        (0x200B, 0x2010),  # of no width
        (0x2028, 0x202F),  # line ends, and changes of direction
        (0x2060, 0x2070),
        (0xD800, 0xE000),  # surrogates without their other half
        (0xFEFF, 0xFF00),
    )
    for code in range(first, end)
}


def elided(value: object, longest: int = LONGEST) -> object:
    """The value with every long text cut, its size said in its place."""
    if isinstance(value, str):
        return cut(value, longest)
    if isinstance(value, dict):
        return {cut(str(key), longest): elided(item, longest) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [elided(item, longest) for item in value]
    return value if value is None or isinstance(value, (bool, int, float)) else type(value).__name__


def one_line(value: object) -> str:
    """A value as JSON on one line; control characters are escaped, long texts cut."""
    return json.dumps(elided(value), ensure_ascii=False).translate(_INVISIBLE)


def indented(value: object) -> str:
    """A value as JSON on many lines, whole; control characters are escaped."""
    return json.dumps(value, indent=2, ensure_ascii=False).translate(_INVISIBLE)
