"""Data against the JSON Schema: each violation becomes one diagnostic at the place to change.

PC120: a field that does not belong there.

Bad:
    match: {modle: "*claude*"}
Good:
    match: {model: "*claude*"}

PC121: a field is missing that must be there.

Bad:
    version: 1
    rules: []
Good:
    version: 1
    name: example
    rules: []

PC122: a value is of another type than its field takes.

Bad:
    match: {stream: "maybe"}
Good:
    match: {stream: true}

PC124: the policy is of a version of the language that this release does not know.

Bad:
    version: 2
    name: example
    rules: []
Good:
    version: 1
    name: example
    rules: []

PC125: a number is outside the limits of its field.

Bad:
    match: {sample: {percent: 110, by: alias}}
Good:
    match: {sample: {percent: 10, by: alias}}

PC126: a rule has several actions, and takes exactly one.

Bad:
    action: {remove_cache_control: {}, add_cache_control: {}}
Good:
    action: {add_cache_control: {}}

PC127: a value is empty that must say something.

Bad:
    match: {messages: {}}
Good:
    match: {messages: {min: 3}}

PC130: an entry of a catalog file refers to nothing.

Bad:
    version: 1
    routes:
      - {name: groq, providers: [grok]}
Good:
    version: 1
    routes:
      - {name: groq, providers: [groq]}

PC131: an entry of a catalog file is new, and not whole.

Bad:
    version: 1
    routes:
      - {name: acme, providers: [groq]}
Good:
    version: 1
    routes:
      - {name: acme, providers: [groq], mechanism: none}
"""

from __future__ import annotations

import functools
import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from policy_cache.diagnostics import Diagnostic, Fix, Label
from policy_cache.policy.check.describe import expected, flow, found, place
from policy_cache.policy.packaged import packaged
from policy_cache.text.words import listed, meant, quoted, suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from jsonschema import Draft202012Validator

    from policy_cache.policy.text.source import Source
    from policy_cache.text.span import Path, Span

_LONGEST_FIX = 60
# How alike a name must be to be written without asking.
_CERTAIN = 0.75
_LONGEST_NUMBER = 18

# Patterns are for editors; `checks` knows more about the same values.
_IGNORED = frozenset({"pattern"})
_UNREAD = frozenset({"title", "description", *_IGNORED})
_BOOLEANS = dict.fromkeys(("yes", "on", "true"), "true")
_BOOLEANS |= dict.fromkeys(("no", "off", "false"), "false")
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
    schema_ = json.loads(text)
    return Draft202012Validator(_inlined(schema_, schema_.get("$defs", {})))


def _inlined(part: Any, definitions: Mapping[str, Any], inside: tuple[str, ...] = ()) -> Any:  # noqa: ANN401, JSON
    """A schema with its references written out and without what only people read: quicker to follow.

    A reference to what it stands in stays one.
    """
    if isinstance(part, list):
        return [_inlined(one, definitions, inside) for one in part]
    if not isinstance(part, dict):
        return part
    name = str(part.get("$ref", "")).removeprefix("#/$defs/")
    if name in definitions and name not in inside:
        rest = {key: value for key, value in part.items() if key != "$ref"}
        return _inlined({**definitions[name], **rest}, definitions, (*inside, name))
    return {
        key: one if key == "$defs" else _inlined(one, definitions, inside)
        for key, one in part.items()
        if key not in _UNREAD or not isinstance(one, str)
    }


def validate(
    source: Source, schema: str = "policy.schema.json", kind: str | None = None
) -> Iterator[Diagnostic]:
    """Say where a file departs from a packaged schema, each mistake once; `kind` is what to call the file."""
    kind = kind or schema.partition(".")[0]
    by_path: defaultdict[Path, dict[str, _Violation]] = defaultdict(dict)
    for error in _validator(schema).iter_errors(source.data):
        keyword = str(error.validator)
        if keyword not in _IGNORED:
            failed = error.schema if isinstance(error.schema, Mapping) else {}
            violation = _Violation(keyword, error.validator_value, error.instance, failed)
            by_path[tuple(error.absolute_path)][keyword] = violation
    for path, violations in by_path.items():
        if source.is_told(path):
            yield from _Place(source, path, kind).diagnostics(violations)


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
        intended: set[str] = set()
        if unknown := violations.pop("additionalProperties", None):
            # What is misspelt here is not also missing, nor one key too many.
            violations = {key: value for key, value in violations.items() if key not in _COUNTS}
            for diagnostic, suggestion in self._unknown(unknown):
                if suggestion:
                    intended.add(suggestion)
                if diagnostic:
                    yield diagnostic
        if missing := violations.pop("required", None):
            yield from self._required(missing, intended)
        for keyword, violation in violations.items():
            yield self._SAY[keyword](self, violation)

    def _type(self, error: _Violation) -> Diagnostic:
        wanted = expected(error.limit)
        message = f"expected {wanted} for {self._here}, found {found(error.value)}"
        return self._say("PC122", message, help=self._conversion(error), fix=self._certain(error))

    def _certain(self, error: _Violation) -> Fix | None:
        """The spelling that a bare scalar certainly meant."""
        types = [error.limit] if isinstance(error.limit, str) else error.limit
        value, span = error.value, self._source.values.get(self._path)
        text: str | None = None
        if span is None or "enum" in error.schema:
            return None
        if "string" in types and isinstance(value, (bool, int, float)):
            raw = self._source.raw(self._path)
            text = f'"{raw}"' if raw[:1] not in {"!", "&"} else None
        elif isinstance(value, str) and types == ["boolean"]:
            text = _BOOLEANS.get(value.lower())
        elif isinstance(value, str) and types == ["integer"] and _is_plain_number(value):
            text = value
        return Fix(span, text) if text else None

    def _conversion(self, error: _Violation) -> str | None:
        """How to turn what was found into what was expected."""
        types = error.limit
        types = [types] if isinstance(types, str) else types
        value = error.value
        if "enum" in error.schema:
            return f"expected one of {listed(map(str, error.schema['enum']))}"
        if "string" in types and isinstance(value, (bool, int, float)):
            return f'quote it: "{self._source.raw(self._path)}"'
        if isinstance(value, str) and "boolean" in types and value.lower() in {"yes", "on", "true"}:
            return "write `true`"
        if isinstance(value, str) and "boolean" in types and value.lower() in {"no", "off", "false"}:
            return "write `false`"
        if isinstance(value, str) and {"integer", "number"} & set(types) and value.isdecimal():
            return f"remove the quotes: {value}" if _is_plain_number(value) else None
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
        sole = _sole_meanings([key for key in error.value if key not in properties], free)
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
            certain = suggestion == sole[key] and suggest(key, free, cutoff=_CERTAIN)
            fix = Fix(span, suggestion) if span and suggestion and certain else None
            yield (
                self._say(
                    "PC120",
                    f"unknown field {quoted(key)} in {self._here}",
                    path=path,
                    span=span,
                    labels=label,
                    help=None if suggestion else f"allowed here: {listed(properties) or 'nothing'}",
                    fix=fix,
                ),
                suggestion,
            )

    def _required(self, error: _Violation, intended: set[str]) -> Iterator[Diagnostic]:
        """Fields that are absent, except where a misspelt one was meant for them."""
        for name in error.limit:
            if name in error.value or name in intended:
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
        fix = Fix(span, suggestion) if span and suggestion == str(value).lower() else None
        return self._say("PC123", message, labels=label, help=f"expected one of {listed(options)}", fix=fix)

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
        fix: Fix | None = None,
    ) -> Diagnostic:
        path = self._path if path is None else path
        span = span or self._source.span(path)
        name = self._source.name
        return Diagnostic(
            code, "error", message, span=span, path=path, labels=labels, help=help, file=name, fix=fix
        )


def _is_plain_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < _LONGEST_NUMBER and str(int(text)) == text


def _sole_meanings(keys: list[str], free: Sequence[str]) -> dict[str, str | None]:
    """The one field that each key can mean, unless several are near, or several keys mean the same."""
    near = {key: meant(key, free) for key in keys}
    count = Counter(one for fields in near.values() for one in fields)
    return {
        key: fields[0] if len(fields) == 1 and count[fields[0]] == 1 else None for key, fields in near.items()
    }


def _beginning(required: Sequence[str]) -> str:
    first, *rest = ["`version: 1`" if name == "version" else f"`{name}:`" for name in required]
    return f"begin with {', '.join([first, *rest[:-1]])}{f' and {rest[-1]}' if rest else ''}"


def _examples(schema: Mapping[str, Any]) -> list[object]:
    return schema.get("examples") or ([schema["const"]] if "const" in schema else [])


def _example(schema: Mapping[str, Any]) -> str | None:
    examples = _examples(schema)
    shown = flow(examples[0]) if examples else ""
    return f"for example `{shown}`" if 0 < len(shown) <= _LONGEST_FIX else None
