"""What a bare word means: the YAML 1.2 core schema, decimal numbers only.

YAML 1.1, which PyYAML follows, reads `no` as false, `017` as 15 and `12:30` as 750; here they are text.
"""

from __future__ import annotations

import math
import re
from typing import TypeAlias

Scalar: TypeAlias = str | int | float | bool | None

TAGS = {f"tag:yaml.org,2002:{name}": name for name in ("str", "bool", "int", "float", "null", "map", "seq")}

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {
    word: value for value in (True, False) for word in (str(value), str(value).lower(), str(value).upper())
}
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_MAX_DIGITS = 18  # what fits 64 bits; int() itself refuses thousands of digits
_OLD_BOOL = frozenset({"yes", "no", "on", "off"})


class NumberRangeError(ValueError):
    """A number too large to be meant."""


def resolve(word: str) -> Scalar:
    """The value of a plain scalar.

    Raises:
        NumberRangeError: It is a number beyond 18 digits or the range of a float.
    """
    if word in _NULL:
        return None
    if word in _BOOL:
        return _BOOL[word]
    if word[0] not in "+-.0123456789":
        return word
    if _INT.fullmatch(word):
        if len(word) > _MAX_DIGITS:
            raise NumberRangeError
        return int(word)
    if _FLOAT.fullmatch(word):
        number = float(word)
        if math.isinf(number):
            raise NumberRangeError
        return number
    return word


def resolve_as(tag: str, word: str) -> Scalar:
    """The value of a scalar with an explicit tag.

    Raises:
        NumberRangeError: It is a number too large to be meant.
        TypeError: The word is not of that type.
    """
    if tag == "str":
        return word
    value = resolve(word)
    if tag == "float" and type(value) is int:
        return float(value)
    kinds = {"null": type(None), "bool": bool, "int": int, "float": float}
    if tag in kinds and type(value) is kinds[tag]:
        return value
    raise TypeError


def old_boolean(word: str) -> bool | None:
    """What YAML 1.1 would have made of a bare yes, no, on or off; None for any other word."""
    lower = word.lower()
    return lower in {"yes", "on"} if lower in _OLD_BOOL else None
