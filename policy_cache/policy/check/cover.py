"""Whether one rule applies wherever another does: only what is certain from the text of both."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from policy_cache.request.names import matches

if TYPE_CHECKING:
    from collections.abc import Mapping

Match: TypeAlias = "Mapping[str, Any]"
"""A match block as it is written."""

_NAMES = ("provider", "model", "alias")
_ALWAYS_PRESENT = frozenset({"provider", "model"})
_WILD = re.compile(r"[*?]")


def rule_covers(wide: Mapping[str, Any], narrow: Mapping[str, Any]) -> bool:
    """Whether a rule matches every request that another one matches."""
    veto = wide.get("except")
    if veto is not None and (veto != narrow.get("except") or not veto or "sample" in veto):
        return False
    return covers(wide.get("match") or {}, narrow.get("match") or {})


def covers(wide: Match, narrow: Match) -> bool:
    """Whether every request that meets `narrow` meets `wide`, as far as that can be told."""
    return all(_holds(field, wanted, narrow) for field, wanted in wide.items())


def _holds(field: str, wanted: Any, narrow: Match) -> bool:  # noqa: ANN401, what a match block may hold
    given = narrow.get(field)
    if field in _NAMES:
        texts = texts_of(wanted)
        if field in _ALWAYS_PRESENT and "*" in texts:
            return True
        return given is not None and lists_cover(texts, texts_of(given))
    if field == "caching":
        return given is not None and set(texts_of(given)) <= set(texts_of(wanted))
    if field in {"shape", "stream"}:
        return bool(wanted == given)
    if field in {"tools", "messages", "tokens"}:
        return _range_covers(wanted, given or {})
    if field in {"metadata", "headers"}:
        return _map_covers(wanted, given or {}, fold=field == "headers")
    if field in {"exists", "missing"}:
        return set(texts_of(wanted)) <= set(texts_of(given or ()))
    # A sample is taken anew for each rule.
    return field == "sample" and wanted.get("percent") == 100


def _range_covers(wide: Match, narrow: Match) -> bool:
    low, high = wide.get("min") or 0, wide.get("max")
    return low <= (narrow.get("min") or 0) and (
        high is None or (narrow.get("max") is not None and narrow["max"] <= high)
    )


def _map_covers(wide: Match, narrow: Match, *, fold: bool) -> bool:
    given = {name.lower() if fold else name: values for name, values in narrow.items()}
    for name, values in wide.items():
        narrow_values = given.get(name.lower() if fold else name)
        if narrow_values is None or not lists_cover(texts_of(values), texts_of(narrow_values)):
            return False
    return True


def texts_of(value: object) -> tuple[str, ...]:
    """A value or a list of them, spelled as a request's are compared."""
    values = value if isinstance(value, (list, tuple)) else (value,)
    return tuple(str(item).lower() if isinstance(item, bool) else str(item) for item in values)


def lists_cover(wide: tuple[str, ...], narrow: tuple[str, ...]) -> bool:
    """Whether each of some globs matches only what one of some others does."""
    return all(any(glob_covers(glob, other) for glob in wide) for other in narrow)


@lru_cache(maxsize=65_536)
def glob_covers(wide: str, narrow: str) -> bool:
    """Whether a glob matches everything that another one matches."""
    if wide.lower() == narrow.lower() or wide == "*":
        return True
    if wide.startswith("re:") or narrow.startswith("re:") or "[" in narrow:
        return False
    if not _WILD.search(narrow):
        return matches((wide,), narrow)
    # A character that only `*` of the wide one can take stands for whatever the narrow one leaves open.
    return "?" not in wide and "[" not in wide and matches((wide,), _WILD.sub("\0", narrow))
