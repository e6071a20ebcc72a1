"""One pass over YAML's events: plain data, and where each part of it stands.

Nothing is composed by PyYAML: aliases, depth and size are refused while they are read, and no
function here calls itself, so that no policy can exhaust memory or the stack.

PC107: the file is not YAML.

The message says what was found, and what would fit there.

Bad:
    match: {model: "*claude*"
Good:
    match: {model: "*claude*"}

PC108: a bare `*` or `&` begins a text, which makes it an alias or an anchor in YAML.

Policies have neither: a glob that begins with `*` is quoted, and a value that is used twice is written twice.

Bad:
    match: {model: *claude*}
Good:
    match: {model: "*claude*"}

PC109: `<<` merges mappings in YAML, and policies have no merge keys.

Bad:
    match: {<<: {model: "*claude*"}}
Good:
    match: {model: "*claude*"}

PC110: the file nests deeper than 32 levels.

Bad:
    rules: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]
Good:
    version: 1
    name: example
    rules: []

PC111: the file has more than 20,000 values.

Bad:
    $ (echo 'version: 1'; echo 'rules:'; yes ' - a' | head -n 20000) | policy-cache validate -
Good:
    $ policy-cache validate

PC112: a tag asks for a type that policies do not have, or that the value is not of.

Bad:
    match: {model: !glob claude}
Good:
    match: {model: claude}

PC113: a second document begins in the file.

Bad:
    version: 1
    name: example
    rules: []
    ---
    version: 1
Good:
    version: 1
    name: example
    rules: []

PC114: a key is written twice in one mapping, and YAML would drop the first.

Bad:
    match: {model: "*opus*", model: "*sonnet*"}
Good:
    match: {model: ["*opus*", "*sonnet*"]}

PC115: a key is not text.

Bad:
    match: {metadata: {404: "yes"}}
Good:
    match: {metadata: {"404": "yes"}}

PC116: a number has more than 18 digits, or is out of range.

Bad:
    match: {metadata: {tenant: 12345678901234567890}}
Good:
    match: {metadata: {tenant: "12345678901234567890"}}

PC118: a bare yes, no, on or off, which older YAML reads as true or false, is text here.

Bad:
    match: {metadata: {beta: yes}}
Good:
    match: {metadata: {beta: "yes"}}
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias, Union

import yaml

from policy_cache.diagnostics import Diagnostic, Fix, Label, Path, Region
from policy_cache.errors import PolicyError
from policy_cache.policy.text.positions import Positions, split_lines
from policy_cache.policy.text.scalars import TAGS, NumberRangeError, Scalar, old_boolean, resolve, resolve_as
from policy_cache.policy.text.syntax import syntax_error
from policy_cache.text.words import quoted

Data: TypeAlias = Union[Scalar, "list[Data]", "dict[str, Data]"]

MAX_DEPTH = 32
MAX_NODES = 20_000

_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_COLLECTIONS = {"map": "a mapping", "seq": "a list"}


@dataclass(slots=True)
class Composed:
    """Data and the places it came from.

    Attributes:
        data: Dicts, lists and scalars.
        values: The span of each value, by path.
        keys: The span of each key, by the path of its value.
        holes: Paths whose value could not be told; nothing further is said about them.
        diagnostics: What was wrong without being fatal.
    """

    data: Data = None
    values: dict[Path, Region] = field(default_factory=dict)
    keys: dict[Path, Region] = field(default_factory=dict)
    holes: set[Path] = field(default_factory=set)
    diagnostics: list[Diagnostic] = field(default_factory=list)


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not been read."""

    value: list[Data] | dict[str, Data]
    path: Path
    start: int
    end: int
    flow: bool
    key: str | None = None


def compose(text: str, name: str) -> Composed:
    """Read a text as one YAML document.

    Raises:
        PolicyError: It is not YAML, or too large or deep to be a policy.
    """
    try:
        return _Composer(text, name).run(_LOADER)
    except _NestingError:
        return _Composer(text, name).run(yaml.SafeLoader)


class _NestingError(Exception):
    """libyaml has its own limit, and runs into it before it says where ours is passed."""


def _extent(event: yaml.Event) -> tuple[int, int]:
    """The offsets of an event: both loaders give every event its marks."""
    assert event.start_mark is not None
    assert event.end_mark is not None
    return event.start_mark.index, event.end_mark.index


class _Composer:
    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._name = name
        self._positions = Positions(text)
        self._result = Composed()
        self._stack: list[_Open] = []
        self._anchors: dict[str, Region] = {}
        self._aliases: list[tuple[str, Region]] = []
        self._nodes = 0
        self._documents = 0

    def run(self, loader: type[yaml.SafeLoader | yaml.CSafeLoader]) -> Composed:
        try:
            for event in yaml.parse(self._text, Loader=loader):
                self._take(event)
        except yaml.YAMLError as error:
            if isinstance(error, yaml.MarkedYAMLError) and "nesting depth" in (error.problem or ""):
                raise _NestingError from None
            diagnostic = syntax_error(error, self._text, self._positions, self._name)
            self._result.diagnostics.append(diagnostic)
            self._stop()
        self._report_aliases()
        return self._result

    def _take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                start, _ = _extent(event)
                self._fatal(
                    "PC113", "a second document begins here", start, start + 3, "one file, one policy"
                )
        elif isinstance(event, yaml.NodeEvent):
            self._node(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close(_extent(event)[1])

    def _node(self, event: yaml.NodeEvent) -> None:
        self._nodes += 1
        start, end = _extent(event)
        if self._nodes > MAX_NODES:
            self._fatal("PC111", f"a policy may have {MAX_NODES:,} values", start, end)
        if isinstance(event, yaml.AliasEvent):
            self._alias(event, start, end)
            return
        if event.anchor:
            at = self._text.find("&" + event.anchor, start)
            self._anchors[event.anchor] = self._positions.span(at, at + len(event.anchor) + 1)
        if isinstance(event, yaml.ScalarEvent):
            end = start + len(self._text[start:end].rstrip())
            if self._key_is_next():
                self._key(event, start, end)
            else:
                path = self._path()
                if event.anchor and not event.value:
                    self._result.holes.add(path)
                self._place(path, self._scalar(event, path, start, end), start, end)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._open(event, start, end)

    def _alias(self, event: yaml.AliasEvent, start: int, end: int) -> None:
        self._aliases.append((event.anchor or "", self._positions.span(start, end)))
        if self._key_is_next():
            self._set_key(self._text[start:end], start, end, hole=True)
        else:
            path = self._path()
            self._result.holes.add(path)
            self._place(path, None, start, end)

    def _key_is_next(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1].value, dict) and self._stack[-1].key is None

    def _path(self) -> Path:
        if not self._stack:
            return ()
        parent = self._stack[-1]
        if isinstance(parent.value, list):
            return (*parent.path, len(parent.value))
        assert parent.key is not None
        return (*parent.path, parent.key)

    def _place(self, path: Path, value: Data, start: int, end: int) -> None:
        self._result.values[path] = self._positions.span(start, end)
        if not self._stack:
            self._result.data = value
            return
        parent = self._stack[-1]
        parent.end = max(parent.end, end)
        if isinstance(parent.value, list):
            parent.value.append(value)
        elif parent.key is not None:
            parent.value[parent.key] = value
            parent.key = None

    def _open(self, event: yaml.CollectionStartEvent, start: int, end: int) -> None:
        kind = "map" if isinstance(event, yaml.MappingStartEvent) else "seq"
        if len(self._stack) >= MAX_DEPTH:
            self._fatal("PC110", f"a policy may nest {MAX_DEPTH} levels", start, start + 1)
        if self._key_is_next():
            fix = "a text that begins with `{` or `[` must be quoted"
            self._fatal("PC115", f"a key must be text, found {_COLLECTIONS[kind]}", start, start + 1, fix)
        path = self._path()
        if event.tag and event.tag != "!" and TAGS.get(event.tag) != kind:
            self._tag(event.tag, path, start, end)
        value: list[Data] | dict[str, Data] = {} if kind == "map" else []
        self._place(path, value, start, start)
        self._stack.append(_Open(value, path, start, start, flow=bool(event.flow_style)))

    def _close(self, event_end: int) -> None:
        closed = self._stack.pop()
        end = event_end if closed.flow else closed.end
        self._result.values[closed.path] = self._positions.span(closed.start, end)
        if self._stack:
            self._stack[-1].end = max(self._stack[-1].end, end)

    def _key(self, event: yaml.ScalarEvent, start: int, end: int) -> None:
        word = event.value
        plain = not event.style and event.tag is None
        if plain and word == "<<":
            self._error("PC109", "`<<` merges mappings in YAML, and policies have no merge keys", start, end)
            self._set_key(word, start, end, hole=True)
            return
        text = not plain
        if plain:
            try:
                text = isinstance(resolve(word), str)
            except NumberRangeError:
                text = False
        if not text:
            shown = quoted(word) if word else "nothing"
            fix = f'quote it: "{word}"' if word else "write a name before `:`"
            self._error("PC115", f"a key must be text, found {shown}", start, end, fix)
        self._set_key(word, start, end, hole=not text)

    def _set_key(self, key: str, start: int, end: int, *, hole: bool) -> None:
        parent = self._stack[-1]
        path = (*parent.path, key)
        span = self._positions.span(start, end)
        assert isinstance(parent.value, dict)
        if key in parent.value and not hole:
            first = Label(self._result.keys[path], "first written here")
            again = Label(span, "and again here")
            message = f"{quoted(key)} is written twice, on lines {first.span.line} and {span.line}"
            self._add("PC114", message, span, "keep one of them", (first, again))
        if hole:
            self._result.holes.add(path)
        parent.key = key
        parent.end = max(parent.end, end)
        self._result.keys[path] = span

    def _scalar(self, event: yaml.ScalarEvent, path: Path, start: int, end: int) -> Scalar:
        word = event.value
        try:
            if event.tag and event.tag != "!":
                return self._tagged(event.tag, word, path, start, end)
            if event.style or event.tag == "!":
                return word
            if (meant := old_boolean(word)) is not None:
                self._warn_old_boolean(word, path, start, end, meant=meant)
            return resolve(word)
        except NumberRangeError:
            self._result.holes.add(path)
            fix = "quote it when it is text" if len(word) > 40 else f'quote it when it is text: "{word}"'
            self._error("PC116", f"the number {quoted(word)} is out of range", start, end, fix)
            return None

    def _tagged(self, tag: str, word: str, path: Path, start: int, end: int) -> Scalar:
        kind = TAGS.get(tag)
        if kind is None or kind in _COLLECTIONS:
            self._tag(tag, path, start, end)
            return None
        try:
            return resolve_as(kind, word)
        except TypeError:
            message = f"{quoted(word)} is not of the type that `!!{kind}` says"
            self._error("PC112", message, start, end, "remove the tag")
            self._result.holes.add(path)
            return None

    def _tag(self, tag: str, path: Path, start: int, end: int) -> None:
        self._result.holes.add(path)
        short = tag.replace("tag:yaml.org,2002:", "!!")
        fix = "remove the tag" if tag.startswith("tag:") else "remove the tag, or quote the text"
        self._error("PC112", f"the tag {quoted(short)} is not used in policies", start, end, fix)

    def _warn_old_boolean(self, word: str, path: Path, start: int, end: int, *, meant: bool) -> None:
        self._result.diagnostics.append(
            Diagnostic(
                "PC118",
                "warning",
                f"{quoted(word)} is a string here, not {str(meant).lower()}",
                span=self._positions.span(start, end),
                path=path,
                help=f'write `{str(meant).lower()}`, or quote it: "{word}"',
                file=self._name,
            )
        )

    def _report_aliases(self) -> None:
        used = {anchor for anchor, _ in self._aliases}
        for anchor, span in self._aliases:
            if anchor in self._anchors:
                message = f"{quoted('*' + anchor)} is an alias, and policies have none"
                labels: tuple[Label, ...] = (Label(self._anchors[anchor], "what it stands for"),)
                fix = "write the value again"
            else:
                message = f"{quoted('*' + anchor)} begins with `*`, which means an alias in YAML"
                labels, fix = (), f'quote it: "*{anchor}"'
            certain = None if labels else Fix(span, f'"*{anchor}"')
            self._add("PC108", message, span, fix, labels, certain)
        for anchor, span in self._anchors.items():
            if anchor not in used:
                message = f"{quoted('&' + anchor)} begins with `&`, which means an anchor in YAML"
                self._add("PC108", message, span, f'remove it, or quote it: "&{anchor}"')

    def _error(self, code: str, message: str, start: int, end: int, fix: str | None = None) -> None:
        self._add(code, message, self._positions.span(start, end), fix)

    def _add(
        self,
        code: str,
        message: str,
        span: Region,
        help: str | None,
        labels: tuple[Label, ...] = (),
        fix: Fix | None = None,
    ) -> None:
        self._result.diagnostics.append(
            Diagnostic(code, "error", message, span=span, labels=labels, help=help, file=self._name, fix=fix)
        )

    def _fatal(self, code: str, message: str, start: int, end: int, fix: str | None = None) -> None:
        self._error(code, message, start, end, fix)
        self._stop()

    def _stop(self) -> None:
        self._report_aliases()
        raise PolicyError(self._result.diagnostics, lines=split_lines(self._text)) from None
