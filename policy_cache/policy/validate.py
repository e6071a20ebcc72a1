"""Data against the JSON Schema: each violation becomes one diagnostic at the place to change."""

from __future__ import annotations

import functools
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from policy_cache.policy.describe import expected, flow, found, place
from policy_cache.policy.diagnostics import Diagnostic, Label, listed, quoted, suggest
from policy_cache.policy.packaged import packaged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from jsonschema import Draft202012Validator

    from policy_cache.policy.source import Source
    from policy_cache.policy.span import Path, Span

_LONGEST_FIX = 60

# Patterns are for editors; `checks` knows more about the same values.
_IGNORED = frozenset({"pattern"})
_COUNTS = frozenset({"minProperties", "maxProperties"})


@dataclass(frozen=True, slots=True)
class _Violation:
    """One keyword of the schema that one value fails."""

    keyword: str
    limit: Any
    value: Any
    schema: Mapping[str, Any]


@functools.cache
def _validator(schema: str) -> Draft202012Validator:
    # Slow to import, and only needed when a file is read.
    from jsonschema import Draft202012Validator  # noqa: PLC0415

    text = packaged("schema", schema).read_text(encoding="utf-8")
    return Draft202012Validator(json.loads(text))


def validate(source: Source, schema: str = "policy.schema.json") -> Iterator[Diagnostic]:
    """Say where a file departs from a packaged schema, each mistake once."""
    by_path: defaultdict[Path, dict[str, _Violation]] = defaultdict(dict)
    for error in _validator(schema).iter_errors(source.data):
        keyword = str(error.validator)
        if keyword not in _IGNORED:
            failed = error.schema if isinstance(error.schema, Mapping) else {}
            violation = _Violation(keyword, error.validator_value, error.instance, failed)
            by_path[tuple(error.absolute_path)][keyword] = violation
    for path, violations in by_path.items():
        if source.is_told(path):
            yield from _Place(source, path, schema.partition(".")[0]).diagnostics(violations)


class _Place:
    """One value, and what to say about it."""

    def __init__(self, source: Source, path: Path, kind: str) -> None:
        self._source = source
        self._path = path
        self._kind = kind
        self._here = place(path, f"the {kind}")

    def diagnostics(self, violations: dict[str, _Violation]) -> Iterator[Diagnostic]:
        if "type" in violations:
            yield self._type(violations["type"])
            return
        meant: set[str] = set()
        if unknown := violations.pop("additionalProperties", None):
            # What is misspelt here is not also missing, nor one key too many.
            violations = {key: value for key, value in violations.items() if key not in _COUNTS}
            for diagnostic, suggestion in self._unknown(unknown):
                if suggestion:
                    meant.add(suggestion)
                if diagnostic:
                    yield diagnostic
        if missing := violations.pop("required", None):
            yield from self._required(missing, meant)
        for keyword, violation in violations.items():
            yield self._SAY[keyword](self, violation)

    def _type(self, error: _Violation) -> Diagnostic:
        wanted = expected(error.limit)
        message = f"expected {wanted} for {self._here}, found {found(error.value)}"
        return self._say("PC122", message, help=self._conversion(error))

    def _conversion(self, error: _Violation) -> str | None:
        """How to turn what was found into what was expected."""
        types = error.limit
        types = [types] if isinstance(types, str) else types
        value = error.value
        if "string" in types and isinstance(value, (bool, int, float)):
            return f'quote it: "{self._source.raw(self._path)}"'
        if isinstance(value, str) and "boolean" in types and value.lower() in {"yes", "on", "true"}:
            return "write `true`"
        if isinstance(value, str) and "boolean" in types and value.lower() in {"no", "off", "false"}:
            return "write `false`"
        if isinstance(value, str) and {"integer", "number"} & set(types) and value.isdecimal():
            return f"remove the quotes: {value}" if len(value) < _LONGEST_FIX else None
        if isinstance(value, dict) and types == ["string"] and None in value.values():
            return f'quote a text that begins with `{{`: "{self._source.raw(self._path)}"'
        if value is None and types == ["array"]:
            return "write `[]` for none"
        if types == ["array"]:
            return (
                "begin each item with `- `" if isinstance(value, dict) else f"write `[{self._shown(value)}]`"
            )
        if "object" in types and isinstance(value, list) and not self._source.raw(self._path).startswith("["):
            return "remove the `- ` before its keys"
        if not self._path:
            return _beginning(error.schema.get("required", ()))
        return _example(error.schema)

    def _shown(self, value: object) -> str:
        shown = flow(value)
        return shown if len(shown) < _LONGEST_FIX else "…"

    def _unknown(self, error: _Violation) -> Iterator[tuple[Diagnostic | None, str | None]]:
        properties = error.schema["properties"]
        free = [name for name in properties if name not in error.value]
        for key in error.value:
            if key in properties:
                continue
            suggestion = suggest(key, free)
            path = (*self._path, key)
            if path in self._source.holes:
                yield None, suggestion
                continue
            span = self._source.keys.get(path)
            label = (Label(span, f"did you mean `{suggestion}`?"),) if suggestion and span else ()
            yield (
                self._say(
                    "PC120",
                    f"unknown field {quoted(key)} in {self._here}",
                    path=path,
                    span=span,
                    labels=label,
                    help=None if suggestion else f"allowed here: {listed(properties) or 'nothing'}",
                ),
                suggestion,
            )

    def _required(self, error: _Violation, meant: set[str]) -> Iterator[Diagnostic]:
        """Fields that are absent, except where a misspelt one was meant for them."""
        for name in error.limit:
            if name in error.value or name in meant:
                continue
            example = _examples(error.schema["properties"][name])
            fix = f"add `{name}: {flow(example[0])}`" if example else f"add `{name}:`"
            message = f"{self._here} has no {quoted(name)}"
            yield self._say("PC121", message, span=self._head(), help=fix)

    def _head(self) -> Span | None:
        """The key of the mapping, or its first key."""
        if self._path in self._source.keys:
            return self._source.keys[self._path]
        value = self._source.at(self._path)
        first = next(iter(value), None) if isinstance(value, dict) else None
        span = self._source.keys.get((*self._path, first)) if first is not None else None
        return span or self._source.values.get(self._path)

    def _choice(self, error: _Violation) -> Diagnostic:
        value = error.value
        if self._path == ("version",):
            language = "the policy language" if self._kind == "policy" else f"the {self._kind}"
            message = f"version {quoted(str(value))} of {language} is not supported"
            return self._say("PC124", message, help="the supported version is `1`")
        options = [str(option) for option in error.limit]
        message = f"{quoted(str(value))} is not a value of {self._here}"
        suggestion = suggest(str(value), options)
        span = self._source.span(self._path)
        label = (Label(span, f"did you mean `{suggestion}`?"),) if suggestion and span else ()
        return self._say("PC123", message, labels=label, help=f"expected one of {listed(options)}")

    def _limit(self, error: _Violation) -> Diagnostic:
        bound = "at least" if error.keyword == "minimum" else "at most"
        message = f"{self._here} must be {bound} {error.limit}, found `{error.value}`"
        return self._say("PC125", message)

    def _count(self, error: _Violation) -> Diagnostic:
        if error.keyword == "minProperties":
            names = listed(error.schema["properties"])
            return self._say("PC127", f"{self._here} is empty", help=f"it takes {names}")
        first, *rest = error.value
        message = f"{self._here} has {len(error.value)} keys, and takes exactly one"
        spans = [self._source.keys[*self._path, key] for key in (first, *rest)]
        labels = (Label(spans[0], "the first"), *(Label(span, "and another") for span in spans[1:]))
        return self._say(
            "PC126",
            message,
            span=spans[1],
            labels=labels,
            help="write a rule for each, or remove all but one",
        )

    def _empty(self, error: _Violation) -> Diagnostic:
        what = "an empty list" if error.keyword == "minItems" else "an empty text"
        message = f"{self._here} may not be {what}"
        return self._say("PC127", message, help=_example(error.schema))

    _SAY: ClassVar[dict[str, Callable[[_Place, _Violation], Diagnostic]]] = {
        "enum": _choice,
        "const": _choice,
        "minimum": _limit,
        "maximum": _limit,
        "minLength": _empty,
        "minItems": _empty,
        "minProperties": _count,
        "maxProperties": _count,
    }

    def _say(
        self,
        code: str,
        message: str,
        *,
        path: Path | None = None,
        span: Span | None = None,
        labels: tuple[Label, ...] = (),
        help: str | None = None,
    ) -> Diagnostic:
        path = self._path if path is None else path
        span = span or self._source.span(path)
        return Diagnostic(
            code, "error", message, span=span, path=path, labels=labels, help=help, file=self._source.name
        )


def _beginning(required: Sequence[str]) -> str:
    first, *rest = ["`version: 1`" if name == "version" else f"`{name}:`" for name in required]
    return f"begin with {', '.join([first, *rest[:-1]])}{f' and {rest[-1]}' if rest else ''}"


def _examples(schema: Mapping[str, Any]) -> list[object]:
    return schema.get("examples") or ([schema["const"]] if "const" in schema else [])


def _example(schema: Mapping[str, Any]) -> str | None:
    examples = _examples(schema)
    shown = flow(examples[0]) if examples else ""
    return f"for example `{shown}`" if 0 < len(shown) <= _LONGEST_FIX else None
