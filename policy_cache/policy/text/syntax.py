"""YAML's syntax errors, said again in terms of what the author wrote."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import yaml

from policy_cache.diagnostics import Diagnostic, Fix, Label
from policy_cache.text.words import quoted

if TYPE_CHECKING:
    from policy_cache.policy.text.positions import Positions

_WORD = re.compile(r"[^\s,\]}]*")
_STANDS_ALONE = re.compile(r"[^\"\\:\x00-\x1f]+")
_NOTHING_MORE = re.compile(r"[ \t]*(?:[,\]}\r\n]|$|[ \t]#)")
_PATH_BEFORE = re.compile(r"\$[^\s\[{,]*$")


def syntax_error(error: yaml.YAMLError, text: str, positions: Positions, file: str) -> Diagnostic:
    """Explain why a text is not YAML, with the likely fix.

    libyaml and PyYAML word their errors differently, so only what both share decides.
    """
    if not isinstance(error, yaml.MarkedYAMLError):
        return Diagnostic("PC107", "error", "invalid YAML", span=positions.span(0, 1), file=file)
    context = error.context or ""
    opened = error.context_mark.index if error.context_mark else None
    at = error.problem_mark.index if error.problem_mark else opened or 0
    if opened is not None and (kind := re.search("scanning (an alias|an anchor)", context)):
        return _unquoted(text, opened, kind.group(1), positions, file)
    start, message, help_ = _explain(error.problem or "", context, text, at, opened)
    labels: tuple[Label, ...] = ()
    if opened is not None and start != opened and re.search("flow (sequence|mapping)", context):
        labels = (Label(positions.span(opened, opened + 1), "opened here"),)
    end = start + max(1, len(_word(text, start)))
    span = positions.span(start, end)
    return Diagnostic("PC107", "error", message, span=span, labels=labels, help=help_, file=file)


def _explain(
    problem: str, context: str, text: str, at: int, opened: int | None
) -> tuple[int, str, str | None]:
    """The offset, message and fix of an error that stands at `at`."""
    character = text[at : at + 1]
    ended = at >= len(text.rstrip())
    if character == "\t" or "tab" in problem:
        return at, "a tab cannot indent YAML", "indent with spaces"
    if character in {"@", "`", "%"} and "cannot start" in problem:
        return at, f"text cannot begin with `{character}` here", f'quote it: "{_word(text, at)}"'
    if character == "[" and (path := _PATH_BEFORE.search(text[:at])):
        fix = f'quote the path: "{path.group()}{text[at : text.find("]", at) + 1]}"'
        return path.start(), "inside `[…]` or `{…}`, a path with brackets must be quoted", fix
    if "mapping values" in problem:
        return (
            at,
            "a `: ` does not belong here",
            "check the indentation, or quote a text that holds `: `",
        )
    if "quoted scalar" in context and "end of" in problem and opened is not None:
        return opened, "this quote is never closed", None
    if "quot" in context:
        return (
            at,
            "a backslash that YAML cannot read",
            "between single quotes, `\\` stands for itself",
        )
    if "node content" in problem:
        what = "the end of the file" if ended else quoted(character)
        return at, f"expected a value, found {what}", None
    if "flow" in context and opened is not None:
        closing = "]" if text[opened] == "[" else "}"
        what = "the end of the file" if ended else quoted(_word(text, at) or character)
        close = f"close it with `{closing}`" if ended or "\n" in text[opened:at] else None
        return at, f"expected `,` or `{closing}`, found {what}", close
    if "simple key" in context:
        return opened or at, "expected `: ` after this key", "write `key: value`"
    if "block mapping" in context or "block collection" in context or "sequence entries" in problem:
        fix = "keys of one mapping, and the `-` of one list, start in the same column"
        return at, f"{quoted(_word(text, at) or character)} does not fit the lines above it", fix
    return at, f"invalid YAML: {problem}", None


def _unquoted(text: str, start: int, kind: str, positions: Positions, file: str) -> Diagnostic:
    word = _word(text, start)
    span = positions.span(start, start + len(word))
    return Diagnostic(
        "PC108",
        "error",
        f"{quoted(word)} begins with `{word[:1]}`, which means {kind} in YAML",
        span=span,
        help=f'quote it: "{word}"',
        file=file,
        fix=Fix(span, f'"{word}"') if _STANDS_ALONE.fullmatch(word) and _is_last(text, start, word) else None,
    )


def _is_last(text: str, start: int, word: str) -> bool:
    """Whether nothing but a comment or a bracket follows on the line, so that the word is all there is."""
    return _NOTHING_MORE.match(text, start + len(word)) is not None


def _word(text: str, start: int) -> str:
    match = _WORD.match(text, start)
    return match.group() if match else ""
