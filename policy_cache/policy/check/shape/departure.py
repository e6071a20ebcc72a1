"""Data against the JSON Schema: each violation becomes one finding at the place to change."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from policy_cache.policy.check.finding import Finding, Mark, did_you_mean
from policy_cache.policy.check.shape.describe import expected, flow, place, what
from policy_cache.policy.check.shape.schema import POLICY, validator
from policy_cache.text.words import listed, meant, quoted, suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from policy_cache.diagnostics import Path
    from policy_cache.policy.text.source import Source

_LONGEST_EXAMPLE = 60
# How alike a name must be to be written without asking.
_CERTAIN = 0.75
_LONGEST_NUMBER = 18

_BOOLEANS = dict.fromkeys(("yes", "on", "true"), "true")
_BOOLEANS |= dict.fromkeys(("no", "off", "false"), "false")
_COUNTS = frozenset({"minProperties", "maxProperties"})

# What a text is called that its field's pattern refuses, by the field; any other is not a value of it.
_PATTERNED = {
    "targets": ("PC302", "{} is not a target"),
    "at": ("PC302", "{} is not a target"),
    "by": ("PC307", "cannot sample by {}"),
}


def departures(source: Source, schema: str = POLICY, kind: str = "policy") -> Iterator[Finding]:
    """Say where a file departs from a packaged schema, each mistake once; `kind` is what to call the file.

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

    PC123: a value is none of those that are allowed, as a `take` other than `first`, `last` and `all`.

    Bad:
        targets: [{at: tools, take: lst}]
    Good:
        targets: [{at: tools, take: last}]

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

    PC302: a target is neither a known name nor a JSONPath.

    A JSONPath begins with `$`.

    Bad:
        targets: [sytem]
    Good:
        targets: [system, "$.tools[-1]"]

    PC307: a sample is taken by something that a request does not have.

    Bad:
        match: {sample: {percent: 10, by: session}}
    Good:
        match: {sample: {percent: 10, by: metadata.session_id}}

    PC309: `$` alone is the request, which `request` marks.

    Bad:
        targets: [$]
    Good:
        targets: [request]
    """
    by_path: defaultdict[Path, dict[str, _Violation]] = defaultdict(dict)
    for error in validator(schema).iter_errors(source.data):
        keyword = str(error.validator)
        failed = error.schema if isinstance(error.schema, Mapping) else {}
        violation = _Violation(keyword, error.validator_value, error.instance, failed)
        by_path[tuple(error.absolute_path)][keyword] = violation
    for path, violations in by_path.items():
        if source.is_told(path):
            yield from _Value(source, path, kind).findings(violations)


@dataclass(frozen=True, slots=True)
class _Violation:
    """One keyword of the schema that one value fails."""

    keyword: str
    limit: Any
    value: Any
    schema: Mapping[str, Any]

    @property
    def types(self) -> list[str]:
        """The types that the schema takes."""
        types: str | list[str] = self.schema["type"]
        return [types] if isinstance(types, str) else types


class _Value:
    """One value, and what to say about it."""

    def __init__(self, source: Source, path: Path, kind: str) -> None:
        self._source = source
        self._path = path
        self._kind = kind
        self._here = place(path, f"the {kind}")

    def findings(self, violations: dict[str, _Violation]) -> Iterator[Finding]:
        if "type" in violations:
            yield self._type(violations["type"])
            return
        intended: set[str] = set()
        if unknown := violations.pop("additionalProperties", None):
            # What is misspelt here is not also missing, nor one key too many.
            violations = {key: value for key, value in violations.items() if key not in _COUNTS}
            for finding, suggestion in self._unknown(unknown):
                if suggestion:
                    intended.add(suggestion)
                if finding:
                    yield finding
        if missing := violations.pop("required", None):
            yield from self._required(missing, intended)
        if "minLength" in violations:
            violations.pop("pattern", None)
        for keyword, violation in violations.items():
            yield self._SAY[keyword](self, violation)

    def _type(self, violation: _Violation) -> Finding:
        message = f"expected {expected(violation.types)} for {self._here}, found {what(violation.value)}"
        return Finding(
            "PC122", message, self._path, self._conversion(violation), write=self._spelled(violation)
        )

    def _spelled(self, violation: _Violation) -> str | None:
        """The spelling that a bare scalar certainly meant."""
        types, value = violation.types, violation.value
        if self._path not in self._source.values or "enum" in violation.schema:
            return None
        if "string" in types and isinstance(value, (bool, int, float)):
            raw = self._source.raw(self._path)
            return f'"{raw}"' if raw[:1] not in {"!", "&"} else None
        if isinstance(value, str) and types == ["boolean"]:
            return _BOOLEANS.get(value.lower())
        if isinstance(value, str) and types == ["integer"] and _is_plain_number(value):
            return value
        return None

    def _conversion(self, violation: _Violation) -> str | None:
        """How to turn the value into one of a type that is taken."""
        types, value = violation.types, violation.value
        if "enum" in violation.schema:
            return f"expected one of {listed(map(str, violation.schema['enum']))}"
        if "string" in types and isinstance(value, (bool, int, float)):
            return f'quote it: "{self._source.raw(self._path)}"'
        if isinstance(value, str) and "boolean" in types and value.lower() in _BOOLEANS:
            return f"write `{_BOOLEANS[value.lower()]}`"
        if isinstance(value, str) and {"integer", "number"} & set(types) and value.isdecimal():
            return f"remove the quotes: {value}" if _is_plain_number(value) else None
        if isinstance(value, dict) and types == ["string"] and None in value.values():
            return f'quote a text that begins with `{{`: "{self._source.raw(self._path)}"'
        if value is None and types == ["array"]:
            return "write `[]` for none"
        if types == ["array"]:
            return "begin each item with `- `" if isinstance(value, dict) else f"write `[{_short(value)}]`"
        if "object" in types and isinstance(value, list) and not self._source.raw(self._path).startswith("["):
            return "remove the `- ` before its keys"
        if not self._path:
            return _beginning(violation.schema.get("required", ()))
        return _example(violation.schema)

    def _unknown(self, violation: _Violation) -> Iterator[tuple[Finding | None, str | None]]:
        properties = violation.schema["properties"]
        free = [name for name in properties if name not in violation.value]
        unknown = [key for key in violation.value if key not in properties]
        sole = _sole_meanings(unknown, free)
        for key in unknown:
            suggestion = suggest(key, free)
            path = (*self._path, key)
            if path in self._source.holes:
                yield None, suggestion
                continue
            certain = suggestion == sole[key] and suggest(key, free, cutoff=_CERTAIN)
            finding = Finding(
                "PC120",
                f"unknown field {quoted(key)} in {self._here}",
                path,
                None if suggestion else f"allowed here: {listed(properties) or 'nothing'}",
                key=True,
                hint=did_you_mean(suggestion),
                write=suggestion if certain else None,
            )
            yield finding, suggestion

    def _required(self, violation: _Violation, intended: set[str]) -> Iterator[Finding]:
        """Fields that are absent, except where a misspelt one was meant for them."""
        for name in violation.limit:
            if name in violation.value or name in intended:
                continue
            example = _examples(violation.schema["properties"][name])
            help_ = f"add `{name}: {flow(example[0])}`" if example else f"add `{name}:`"
            message = f"{self._here} has no {quoted(name)}"
            yield Finding("PC121", message, self._path, help_, key=True, at=self._head(violation.value))

    def _head(self, mapping: Mapping[str, object]) -> Path:
        """Where a mapping begins: at its key, or at the first of its own keys."""
        first = next(iter(mapping), None)
        return self._path if self._path in self._source.keys or first is None else (*self._path, first)

    def _choice(self, violation: _Violation) -> Finding:
        value = str(violation.value)
        if self._path == ("version",):
            language = "the policy language" if self._kind == "policy" else f"the {self._kind}"
            message = f"version {quoted(value)} of {language} is not supported"
            return Finding("PC124", message, self._path, "the supported version is `1`")
        options = [str(option) for option in violation.limit]
        message = f"{quoted(value)} is not a value of {self._here}"
        return self._one_of("PC123", message, value, options, f"expected one of {listed(options)}")

    def _pattern(self, violation: _Violation) -> Finding:
        value: str = violation.value
        field = next((step for step in reversed(self._path) if isinstance(step, str)), "")
        code, message = _PATTERNED.get(field, ("PC123", f"{{}} is not a value of {self._here}"))
        if code == "PC302" and value == "$":
            help_ = "`request` marks the request itself"
            return Finding("PC309", "`$` is not a target", self._path, help_, write="request")
        options = [snippet["label"] for snippet in violation.schema.get("defaultSnippets", ())]
        help_ = violation.schema["patternErrorMessage"]
        return self._one_of(code, message.format(quoted(value)), value, options, help_)

    def _one_of(self, code: str, message: str, value: str, options: Sequence[str], help_: str) -> Finding:
        """A text that may be one of some words, and is none."""
        close = suggest(value, options)
        certain = close if close == value.lower() else None
        # The list of targets is too long to stand beside the one that was meant.
        help_or_none = None if close and code == "PC302" else help_
        return Finding(code, message, self._path, help_or_none, hint=did_you_mean(close), write=certain)

    def _limit(self, violation: _Violation) -> Finding:
        bound = _BOUNDS[violation.keyword]
        message = f"{self._here} must be {bound} {violation.limit}, found `{violation.value}`"
        return Finding("PC125", message, self._path)

    def _count(self, violation: _Violation) -> Finding:
        if violation.keyword == "minProperties":
            named = violation.schema.get("properties")
            help_ = f"it takes {listed(named)}" if named else _example(violation.schema)
            return Finding("PC127", f"{self._here} is empty", self._path, help_)
        first, *others = [(*self._path, key) for key in violation.value]
        message = f"{self._here} has {len(violation.value)} keys, and takes exactly one"
        marks = (
            Mark(first, "the first", key=True),
            *(Mark(other, "and another", key=True) for other in others),
        )
        help_ = "write a rule for each, or remove all but one"
        return Finding("PC126", message, self._path, help_, key=True, at=others[0], marks=marks)

    def _empty(self, violation: _Violation) -> Finding:
        empty = "an empty list" if violation.keyword == "minItems" else "an empty text"
        message = f"{self._here} may not be {empty}"
        return Finding("PC127", message, self._path, _example(violation.schema))

    _SAY: ClassVar[dict[str, Callable[[_Value, _Violation], Finding]]] = {
        "enum": _choice,
        "const": _choice,
        "pattern": _pattern,
        "minimum": _limit,
        "maximum": _limit,
        "exclusiveMinimum": _limit,
        "minLength": _empty,
        "minItems": _empty,
        "minProperties": _count,
        "maxProperties": _count,
    }


_BOUNDS = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "more than"}


def _is_plain_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < _LONGEST_NUMBER and str(int(text)) == text


def _sole_meanings(keys: list[str], free: Sequence[str]) -> dict[str, str | None]:
    """The only field that each key can mean, unless several are near, or several keys mean the same."""
    near = {key: meant(key, free) for key in keys}
    count = Counter(field for fields in near.values() for field in fields)
    return {
        key: fields[0] if len(fields) == 1 and count[fields[0]] == 1 else None for key, fields in near.items()
    }


def _beginning(required: Sequence[str]) -> str:
    first, *rest = ["`version: 1`" if name == "version" else f"`{name}:`" for name in required]
    return f"begin with {', '.join([first, *rest[:-1]])}{f' and {rest[-1]}' if rest else ''}"


def _short(value: object) -> str:
    shown = flow(value)
    return shown if len(shown) < _LONGEST_EXAMPLE else "…"


def _examples(schema: Mapping[str, Any]) -> list[object]:
    return schema.get("examples") or ([schema["const"]] if "const" in schema else [])


def _example(schema: Mapping[str, Any]) -> str | None:
    examples = _examples(schema)
    shown = flow(examples[0]) if examples else ""
    return f"for example `{shown}`" if 0 < len(shown) <= _LONGEST_EXAMPLE else None
