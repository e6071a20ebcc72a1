"""Values as YAML on one line, spelled so that they are read back as they are."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from policy_cache.policy.text.scalars import old_boolean, resolve

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*|[1-9]+[mh]")


def spell(value: object) -> str:
    """Spell a value of JSON's types in YAML's flow style."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{spell(str(key))}: {spell(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(spell, value)) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and _is_text(value):
        return value
    return "".join(c if c.isprintable() else _escaped(c) for c in json.dumps(value, ensure_ascii=False))


def block(entries: Mapping[str, object], indent: int, newline: str) -> str:
    """Spell a mapping in block style, its lists of places one to a line; the first line is not indented."""
    lines = [entry(name, value, indent, newline) for name, value in entries.items()]
    return f"{newline}{' ' * indent}".join(lines)


def entry(name: str, value: object, indent: int, newline: str) -> str:
    """Spell one key with its value, beginning at a column that is known to be free."""
    if name in {"breakpoints", "wire"} and isinstance(value, list) and value:
        return newline.join([f"{name}:", *(f"{' ' * (indent + 2)}- {spell(item)}" for item in value)])
    if name == "reasons" and isinstance(value, dict) and value:
        return f"{name}:{newline}{' ' * (indent + 2)}" + block(value, indent + 2, newline)
    return f"{spell(name)}: {spell(value)}"


def _is_text(word: str) -> bool:
    return old_boolean(word) is None and isinstance(resolve(word), str)


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
