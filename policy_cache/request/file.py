"""A request in a JSON file."""

from __future__ import annotations

import json
import math
from typing import NoReturn

from policy_cache.errors import RequestFileError
from policy_cache.request.location import kind_of


def loads_request(content: bytes, name: str) -> dict[str, object]:
    """Read a request from the bytes of its file; `name` is what errors call it.

    Raises:
        RequestFileError: It is not JSON in UTF-8, or no object.
    """
    try:
        request = json.loads(content.decode("utf-8-sig"), parse_float=_finite, parse_constant=_not_a_number)
    except UnicodeDecodeError as error:
        raise RequestFileError(
            f"{name}: not UTF-8: byte 0x{content[error.start]:02X} at offset {error.start}"
        ) from None
    except json.JSONDecodeError as error:
        raise RequestFileError(f"{name}:{error.lineno}:{error.colno}: not JSON: {error.msg}") from None
    except RecursionError:
        raise RequestFileError(f"{name}: nested too deeply") from None
    except ValueError:
        raise RequestFileError(f"{name}: not JSON: a number is out of range") from None
    if not isinstance(request, dict):
        found = kind_of(request)
        raise RequestFileError(
            f"{name}: expected a request, an object with `model` and `messages` or `input`; found {found}"
        )
    return request


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError(number)
    return value


def _not_a_number(word: str) -> NoReturn:
    raise ValueError(word)
