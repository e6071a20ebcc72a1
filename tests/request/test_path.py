"""Paths: what they find, checked against two other implementations, and which are refused."""

from __future__ import annotations

import itertools

import jsonpath_rfc9535
import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st
from jsonpath_ng import Fields, Index, Root, This
from jsonpath_ng.ext import parse

from policy_cache.errors import PathError
from policy_cache.request.path import LONGEST, CompiledPath, compile_path

NAMES = ["a", "b", "role", "_x1"]
QUOTED = ["x y", "a.b", "é", "it's", "back\\slash", "$", "*", "tools[0]", "-"]
TEXTS = st.sampled_from(["", "user", "tool_1", "tool_12", "x", "é", "it's"])
NUMBERS = st.one_of(st.integers(-3, 3), st.sampled_from([1.5, -0.5, 2.0]))
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(NAMES + QUOTED), inner, max_size=4)
    ),
    max_leaves=16,
)
ROOTS = st.dictionaries(st.sampled_from(NAMES + QUOTED), DOCUMENTS, min_size=1, max_size=4)
COMPARISONS = ["==", "!=", "<", "<=", ">", ">="]
PATTERNS = ["^tool_1", "user|x", "[0-9]+$", "."]


def quoted(text, quote="'"):
    return quote + text.replace("\\", "\\\\").replace(quote, "\\" + quote) + quote


def literal(value):
    if isinstance(value, str):
        return quoted(value)
    return (
        {True: "true", False: "false", None: "null"}[value]
        if value is None or isinstance(value, bool)
        else repr(value)
    )


@st.composite
def name_segments(draw, name):
    if name in NAMES and draw(st.booleans()):
        return f".{name}"
    quote = draw(st.sampled_from(['"', "'"]))
    return f"[{quoted(name, quote)}]"


@st.composite
def slices(draw):
    bound = st.one_of(st.just(""), st.integers(-4, 4).map(str))
    step = draw(st.sampled_from(["", ":", ":1", ":2", ":-1", ":-2"]))
    return f"[{draw(bound)}:{draw(bound)}{step}]"


@st.composite
def segments(draw, value):
    """One segment that often matches in a value, and one of the values that it leads to."""
    if not isinstance(value, (dict, list)) or not value or draw(st.integers(0, 9)) == 0:
        missing = [
            draw(name_segments(draw(st.sampled_from(NAMES + QUOTED)))),
            f"[{draw(st.integers(-3, 3))}]",
            "[*]",
        ]
        return draw(st.sampled_from(missing)), None
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = draw(st.sampled_from(keys))
    kind = draw(st.sampled_from(["single", "single", "wildcard", "filter", "filter", "slice"]))
    if kind == "single" or (kind == "slice" and isinstance(value, dict)):
        if isinstance(key, str):
            return draw(name_segments(key)), value[key]
        return f"[{draw(st.sampled_from([key, key - len(value)]))}]", value[key]
    if kind == "wildcard":
        return draw(st.sampled_from(["[*]", ".*"])), value[key]
    if kind == "slice":
        return draw(slices()), value[key]
    return f"[?{draw(filters(value[key]))}]", value[key]


@st.composite
def predicates(draw, value, depth):
    """One test of a filter, and often one that a value passes."""
    path, inside = "@", value
    for _ in range(draw(st.integers(0 if depth else 1, 2))):
        if isinstance(inside, dict) and inside:
            name = draw(st.sampled_from(list(inside)))
            path, inside = path + draw(name_segments(name)), inside[name]
        elif isinstance(inside, list) and inside:
            index = draw(st.integers(-len(inside), len(inside) - 1))
            path, inside = f"{path}[{index}]", inside[index]
        else:
            path, inside = path + draw(name_segments(draw(st.sampled_from(NAMES)))), None
    # The second oracle takes a bare `@` for the truth of its value.
    kind = (
        "compare"
        if path == "@"
        else draw(st.sampled_from(["exists", "absent", "compare", "compare", "match", "nested"]))
    )
    if kind == "compare":
        scalar = inside if not isinstance(inside, (dict, list)) and draw(st.booleans()) else draw(SCALARS)
        return f"{path}{draw(SPACES)}{draw(st.sampled_from(COMPARISONS))}{draw(SPACES)}{literal(scalar)}"
    if kind == "match":
        return f"{path} =~ {quoted(draw(st.sampled_from(PATTERNS)))}"
    if kind == "nested" and depth and isinstance(inside, (dict, list)) and inside:
        children = list(inside.values()) if isinstance(inside, dict) else inside
        return f"{path}[?{draw(filters(draw(st.sampled_from(children)), depth - 1))}]"
    return f"!{path}" if kind == "absent" else path


SPACES = st.sampled_from(["", " "])


@st.composite
def filters(draw, value, depth=1):
    parts = [draw(predicates(value, depth)) for _ in range(draw(st.sampled_from([1, 1, 2, 3])))]
    text = parts[0]
    for part in parts[1:]:
        text += f" {draw(st.sampled_from(['&&', '||']))} {part}"
    return text


@st.composite
def searches(draw):
    """A document, and a path made from it, so that most find something."""
    document = draw(ROOTS)
    text, value = "$", document
    for _ in range(draw(st.integers(1, 4))):
        segment, inside = draw(segments(value))
        if draw(st.integers(0, 5)) == 0:
            segment = f".{segment}" if segment.startswith(".") else f"..{segment}"
        text, value = text + segment, inside
    return document, text


def compiled(text):
    """The compiled path, or None for a slice that is always empty: those are refused."""
    try:
        return compile_path(text)
    except PathError as error:
        if "always empty" in error.message or error.message.startswith("a path may have"):
            return None
        raise


def keys_of(path, above):
    """The keys of one step of a match, indexes counted from the start."""
    if isinstance(path, Fields):
        return list(path.fields)
    if isinstance(path, Index):
        return [index % len(above) for index in path.indices]
    assert isinstance(path, (Root, This))
    return []


def location(match):
    keys = []
    while match.context is not None:
        keys = keys_of(match.path, match.context.value) + keys
        match = match.context
    return tuple(keys)


@pytest.mark.property
@given(searches())
@example(({"a": [{"x": 1}, {"x": 2}]}, "$..[?@.x > 1]"))
@example(({"a": {"a": {"a": 1}}}, "$..a..a"))
@example(({"a": [False, None, 0]}, "$.a[?@]"))
@example(({"a": [{"b": [{"c": 1}]}]}, "$..[*].b[?@.c]..c"))
def test_finds_what_jsonpath_ng_finds_in_its_order(search):
    document, text = search
    path = compiled(text)
    if path is None:
        return
    found = path.find(document)
    event("hits" if found else "no hits")
    assert found == [location(match) for match in parse(text).find(document)]


@pytest.mark.property
@given(searches().filter(lambda search: "=~" not in search[1]))
@example(({"a": [{"x": 1, "y": 2}, {"z": 3}, {"x": 1, "z": 3}]}, "$.a[?@.z==3 || @.x==1 && @.y==5]"))
@example(({"a": [1, 2, 3, 4]}, "$.a[-1:-3:-1]"))
@example(({"a": [{"x": None}, {"x": False}, {"x": 0}, {"x": ""}, {}]}, "$.a[?@.x==null]"))
@example(({"a": [{"x": 1}, {"x": True}, {"x": 1.0}]}, "$.a[?@.x==1]"))
def test_finds_what_rfc_9535_finds(search):
    document, text = search
    path = compiled(text)
    if path is None:
        return
    found = path.find(document)
    expected = [tuple(node.location) for node in jsonpath_rfc9535.find(text, document)]
    if ".." in text:
        found, expected = sorted(found, key=repr), sorted(expected, key=repr)
    assert found == expected


@pytest.mark.property
def test_most_generated_paths_find_something():
    hits = total = 0

    @given(searches())
    @settings(max_examples=200, database=None, derandomize=True)
    def count(search):
        nonlocal hits, total
        path = compiled(search[1])
        total += 1
        hits += bool(path and path.find(search[0]))

    count()
    assert hits > total / 3


BOUNDS = [None, *range(-3, 4)]


@pytest.mark.parametrize("step", [None, 1, 2, -1, -2])
def test_exactly_the_slices_that_are_always_empty_are_refused(step):
    for start, end in itertools.product(BOUNDS, BOUNDS):
        cut = ":".join("" if number is None else str(number) for number in (start, end, step))
        matches = any(range(length)[start:end:step] for length in range(12))
        expected = None if matches else ("PC202", 3, "this slice is always empty")
        assert refusal(f"$.a[{cut}]") == expected, cut


def refusal(text):
    try:
        compile_path(text)
    except PathError as error:
        return error.code, error.offset, error.message


AGENT = {
    "model": "claude",
    "system": "text",
    "tools": [{"name": "a"}, {"name": "b"}, {"name": "c"}],
    "messages": [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": [{"type": "text", "text": "t"}, {"type": "tool_use", "id": "1"}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1"}]},
    ],
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$", [()]),
        ("$.tools[-1]", [("tools", 2)]),
        ("$.tools[-4]", []),
        ("$.tools[3]", []),
        ("$['tools'][0]['name']", [("tools", 0, "name")]),
        ('$["tools"][0]', [("tools", 0)]),
        ("$.tools[-2:]", [("tools", 1), ("tools", 2)]),
        ("$.tools[::-1]", [("tools", 2), ("tools", 1), ("tools", 0)]),
        ("$.system[-1]", []),
        ("$.system[*]", []),
        ("$.model.x", []),
        ("$.messages[?@.role=='user']", [("messages", 0), ("messages", 2)]),
        ("$.messages[?@.role=='user'].content[-1]", [("messages", 2, "content", 0)]),
        ("$.messages[?(@.role == 'user')][0]", []),
        (
            "$.messages[*].content[?@.type=='tool_use' || @.type=='tool_result']",
            [("messages", 1, "content", 1), ("messages", 2, "content", 0)],
        ),
        ("$.messages[?@.content[?@.type=='tool_use']]", [("messages", 1)]),
        ("$.messages[?!@.content[0].text && @.role!='assistant']", [("messages", 0), ("messages", 2)]),
        ("$.tools[?@.name =~ '^[bc]$']", [("tools", 1), ("tools", 2)]),
        ("$.tools[?@.name > 'a']", [("tools", 1), ("tools", 2)]),
        ("$.*", [("model",), ("system",), ("tools",), ("messages",)]),
        (r"$.tools[?@.name =~ '^\\w$']", [("tools", 0), ("tools", 1), ("tools", 2)]),
        ("$..['content'][*].id", [("messages", 1, "content", 1, "id")]),
        ("$..[0].name", [("tools", 0, "name")]),
        ("$..id", [("messages", 1, "content", 1, "id")]),
        ("$..[?@.name=='b']", [("tools", 1)]),
    ],
)
def test_finds(text, found):
    assert compile_path(text).find(AGENT) == found


@pytest.mark.parametrize(
    ("text", "keys", "written", "descends"),
    [
        ("$", (), [], False),
        ("$.tools[-1]", ("tools", -1), [".tools", "[-1]"], False),
        ("$['a b'].c", ("a b", "c"), ["['a b']", ".c"], False),
        ("$.tools[*].name", None, [".tools", "[*]", ".name"], False),
        ("$..a[0]", None, ["..a", "[0]"], True),
        ("$.a[?@.b['c]']==1][1:]", None, [".a", "[?@.b['c]']==1]", "[1:]"], False),
        ("$['..']", ("..",), ["['..']"], False),
    ],
)
def test_says_how_it_is_made(text, keys, written, descends):
    path = compile_path(text)
    assert (path.text, path.keys, path.descends) == (text, keys, descends)
    assert [segment for segment, _ in path.segments] == written


def test_looks_into_pydantic_objects():
    from litellm.types.utils import Message

    request = {"messages": [Message(role="assistant", content="x")]}
    assert compile_path("$.messages[0].content").find(request) == [("messages", 0, "content")]
    assert compile_path("$.messages[?@.role=='assistant']").find(request) == [("messages", 0)]
    assert compile_path("$.messages[?@.role=='user']").find(request) == []


REFUSED = [
    # never match in a request, though jsonpath-ng takes them
    ("$.tools[last]", "PC202", 7, "`[last]` is not an index", "`[-1]` is the last element"),
    ("$.tools[name]", "PC202", 7, "`[name]` is not an index", "a name is written `['name']`"),
    ("$.tools[x-y]", "PC202", 7, "`[x-y]` is not an index", "['x-y']"),
    ("$.tools[01]", "PC202", 7, "`[01]` is not an index", "write `[1]`"),
    ("$.tools[-01]", "PC202", 7, "`[-01]` is not an index", "write `[-1]`"),
    ("$.tools[00]", "PC202", 7, "`[00]` is not an index", "write `[0]`"),
    ("$.tools[-0]", "PC202", 7, "`[-0]` is not an index", "write `[0]`"),
    ("$.tools[ 0]", "PC202", 7, "`[ 0]` is not an index", "write `[0]`"),
    ("$.tools[?@[last]]", "PC202", 10, "`[last]` is not an index", "`[-1]` is the last element"),
    ("$.tools[?@.a[01]==1]", "PC202", 12, "`[01]` is not an index", "write `[1]`"),
    ("$.tools[::0]", "PC202", 7, "step 0", None),
    ("$.tools[0:0]", "PC202", 7, "always empty", "the end of a slice is not in it"),
    ("$.tools[2:1]", "PC202", 7, "always empty", "the end of a slice is not in it"),
    ("$.tools[-1:-2]", "PC202", 7, "always empty", "the end of a slice is not in it"),
    ("$.tools[1:2:-1]", "PC202", 7, "always empty", "the end of a slice is not in it"),
    # not paths
    ("", "PC201", 0, "a path begins with `$`", None),
    ("tools[0]", "PC201", 0, "a path begins with `$`", "did you mean `$.tools[0]`?"),
    ("$.tools.0", "PC201", 8, "an index is written in brackets", "write `[0]`"),
    ("$.a.12.x", "PC201", 4, "an index is written in brackets", "write `[12]`"),
    ("$.a,b", "PC201", 3, "expected `.` or `[`, found `,`", None),
    ("$.a[0,-1]", "PC201", 3, "one index or name to a bracket", "write a target for each"),
    ("$['a','b']", "PC201", 1, "one index or name to a bracket", "write a target for each"),
    ("$.a[0:1,2]", "PC201", 3, "one index or name to a bracket", "write a target for each"),
    ("$.a b", "PC201", 3, "a path has no spaces", None),
    ("$ .a", "PC201", 1, "a path has no spaces", None),
    ("$.a ", "PC201", 3, "a path has no spaces", None),
    ("$.a\n", "PC201", 3, "a path has no spaces", None),
    ("$. a", "PC201", 2, "expected a name, found ` `", None),
    ("$[ 'a' ]", "PC201", 1, "`[ 'a' ]` is not an index", None),
    ("$.a[", "PC201", 4, "expected `]`, found the end", "close the bracket with `]`"),
    ("$.a[0", "PC201", 5, "expected `]`, found the end", "close the bracket with `]`"),
    ("$['a", "PC201", 4, "expected `]`, found the end", "close the bracket with `]`"),
    ("$['a]", "PC201", 1, "`['a]` is not", None),
    ("$[\"a']", "PC201", 1, "is not an index", None),
    ("$.a[?@.x=='y'", "PC201", 13, "expected `]`, found the end", "close the filter with `]`"),
    ("$.a[?@.x=='y", "PC201", 10, "a quote is not closed", None),
    ("$.a[?@.x=='y]", "PC201", 10, "a quote is not closed", None),
    ("$.a[?@.x=='y']x", "PC201", 14, "expected `.` or `[`, found `x`", None),
    ("$.a[]", "PC201", 3, "an empty bracket", "`[*]` is every element"),
    ("$.a['']", "PC201", 3, "`['']` is not", None),
    ("$.a[1.5]", "PC201", 3, "`[1.5]` is not an index", None),
    ("$.a[01:2]", "PC201", 3, "`[01:2]` is not an index", None),
    ("$.", "PC201", 2, "expected a name, found the end", None),
    ("$.a.", "PC201", 4, "expected a name, found the end", None),
    ("$..", "PC201", 3, "expected a name, found the end", None),
    ("$...a", "PC201", 3, "expected a name, found `.`", None),
    ("$.[0]", "PC201", 2, "expected a name, found `[`", None),
    ("$.é", "PC201", 2, "expected a name, found `é`", "['…']"),
    ("$.aé", "PC201", 3, "expected `.` or `[`, found `é`", None),
    ("$.tool-choice", "PC201", 6, "a name with `-` in it needs brackets", "write `['tool-choice']`"),
    ("$.a.`len`", "PC201", 4, "expected a name, found ```", None),
    ("$.`this`", "PC201", 2, "expected a name, found ```", None),
    ("$.a|$.b", "PC201", 3, "expected `.` or `[`, found `|`", None),
    ("$.a|b", "PC201", 3, "expected `.` or `[`, found `|`", None),
    ("$.a&b", "PC201", 3, "expected `.` or `[`, found `&`", None),
    ("$$", "PC201", 1, "expected `.` or `[`, found `$`", None),
    ("$@", "PC201", 1, "expected `.` or `[`, found `@`", None),
    ("$.a[?]", "PC201", 5, "found `]`", None),
    ("$.a[?@.x===1]", "PC201", 10, "found `=`", None),
    ("$.a[?length(@.x)>1]", "PC201", 11, "found `(`", None),
    ("$.a[?@.x==1 and @.y==2]", "PC201", 12, "found `a`", None),
    ("$" + ".a" * 128, "PC201", LONGEST, "a path may have 256 characters, this one has 257", None),
    # outside the subset
    ("$.a[?@.x='y']", "PC203", None, "`=` is not a comparison", "write `==`"),
    ("$.a[?@.x==@.y]", "PC203", None, "compares two paths", "compare a path with a text"),
    ("$.a[?@.x==$.y]", "PC203", None, "compares two paths", "compare a path with a text"),
    ("$.a[?$.x]", "PC203", None, "`$.x` looks outside the element", "begin with `@`"),
    ("$.a[?$.x==1]", "PC203", None, "`$.x` looks outside the element", "begin with `@`"),
    ("$.a[?x=='y']", "PC203", None, "`x` looks outside the element", "begin with `@`"),
    ("$.a[?@.*=='y']", "PC203", None, "may be many values", None),
    ("$.a[?@..x==1]", "PC203", None, "may be many values", None),
    ("$.a[?@.x=~'[']", "PC203", None, "`[` is not a regular expression", None),
    ("$.a[?@.x=~'a{99999999999999}']", "PC203", None, "is not a regular expression", None),
    # jsonpath-ng reads an escape as the letter, RFC 9535 as a control character
    (r"$['a\nb']", "PC201", 4, "escape", None),
    (r"$['\u0041']", "PC201", 3, "escape", None),
    (r"$.a[?@.x=='a\tb']", "PC201", 12, "escape", None),
    (r"$.a[?@.x =~ '^\d+$']", "PC201", 14, r"`\d` is not an escape", r"write `\\d`"),
    # jsonpath-ng takes a bare word for a text
    ("$.a[?@.x==user]", "PC201", 10, "`user` needs quotes", "write `'user'`"),
    ("$.a[?@.x != True]", "PC201", 12, "`True` needs quotes", "write `true`"),
]


@pytest.mark.parametrize(
    ("text", "code", "offset", "message", "fix"), REFUSED, ids=[row[0][:40] for row in REFUSED]
)
def test_refuses(text, code, offset, message, fix):
    with pytest.raises(PathError) as caught:
        compile_path(text)
    error = caught.value
    assert (error.code, error.offset) == (code, offset)
    assert message in error.message
    assert fix is None or fix in (error.help or "")


def test_the_longest_path():
    assert len(compile_path("$" + ".a" * 127).segments) == 127


SIGNS = "$.[]*?@'\"\\()!:,|&`~-=<>09 \n"
WORDS = ["..", "a", "role", "é", "==", "=~", "&&", "||", "true", "null", "where", "in"]
PARTS = ["[?@.a", "[*]", "[[", "(?i)", "{1,99999999999}"]
PIECES = st.lists(st.sampled_from([*SIGNS, *WORDS, *PARTS]), max_size=14).map("".join)
ANY_TEXT = st.one_of(
    st.text(max_size=40), PIECES, PIECES.map("$".__add__), PIECES.map(lambda text: f"$.a[?@.b{text}]")
)


@pytest.mark.property
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@given(ANY_TEXT)
@example("$.a[?@.b=~'[[a]']")
@example("$.a[?@.b=~'a{1,99999999999}']")
@example("$.a[?@.b=~'(?i']")
@example("$[99999999999999999999999999999999999]")
@example("$.where")
@example("$.a[" + "?@[" * 80)
@example("$.a[?" + "(" * 200)
@example("$.a[?" + "(" * 120 + "@.b" + ")" * 120 + "]")
def test_any_text_is_a_path_or_a_path_error(text):
    refused = refusal(text)
    if refused is not None:
        _, offset, message = refused
        assert message
        assert offset is None or 0 <= offset <= len(text)
        return
    path = compile_path(text)
    assert isinstance(path, CompiledPath)
    path.find(AGENT)
    path.find({"a": [{"b": "x"}, {"b": 1}, [0]]})
