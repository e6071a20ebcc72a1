"""Whatever the text: a policy, or diagnostics that point into it."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from policy_cache.errors import PolicyError
from policy_cache.packaged import packaged_data
from policy_cache.policy.check.examine import examine_content, reviewed
from policy_cache.policy.check.reach.routes import Routes
from policy_cache.policy.check.shape.schema import POLICY, validator
from policy_cache.policy.check.table import TABLE
from policy_cache.policy.language.model import Policy
from policy_cache.policy.language.words import NAMED_TARGETS
from policy_cache.policy.load import LoadedPolicy, loads
from policy_cache.policy.write.mend import mend
from policy_cache.report.diagnostics.ci import annotation
from policy_cache.report.diagnostics.render import as_json, full
from policy_cache.text.styled import plain

pytestmark = pytest.mark.property

ROUTES = Routes(packaged_data())
CASES = Path(__file__).parent.parent / "cases"
TEXTS = [path.read_bytes().decode(errors="replace") for path in sorted(CASES.glob("*/*.yaml"))]
SEEDS = [path.read_text(encoding="utf-8") for path in sorted((CASES / "valid").glob("*.yaml"))]

PIECES = [
    *"[]{}:,-#&*!|>'\"%@`?$.=~\n\t ",
    "\n  ",
    "\r\n",
    "- ",
    ": ",
    "<<: ",
    "---\n",
    "yes",
    "null",
    "1e999",
]
PIECES += [
    "é",
    "日本",
    "\u2028",
    "\x85",
    "\ufeff",
    "\0",
    "$.tools[",
    "[?@.a=='b']",
    "$..x",
    "re:(",
    "{alias}",
]


@st.composite
def mutated(draw):
    """A policy with a few stretches cut, doubled or replaced."""
    text = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 12)))
        piece = draw(st.sampled_from(PIECES) | st.text(max_size=5) | st.just(text[start:end] * 2))
        text = text[:start] + piece + text[end:]
    return text


def outcome(text):
    try:
        loaded = loads(text)
    except PolicyError as error:
        return error.diagnostics, error.lines
    assert isinstance(loaded, LoadedPolicy)
    assert all(warning.severity == "warning" for warning in loaded.warnings)
    return loaded.warnings, loaded.source.lines


def reported(text):
    """What `validate` says, which reviews what has no errors."""
    try:
        return reviewed(examine_content(text, "<policy>"), ROUTES)
    except PolicyError as error:
        return error.diagnostics


def check(text):
    loaded, lines = outcome(text)
    diagnostics = reported(text)
    assert set(loaded) <= set(diagnostics)
    assert len(set(diagnostics)) == len(diagnostics)
    for diagnostic in diagnostics:
        assert diagnostic.code in TABLE
        for span in (diagnostic.span, *(label.span for label in diagnostic.labels)):
            if span is not None:
                assert 1 <= span.line <= span.end_line <= len(lines)
                assert 1 <= span.column <= len(lines[span.line - 1]) + 1
                assert 1 <= span.end_column <= len(lines[span.end_line - 1]) + 1
                assert (span.line, span.column) <= (span.end_line, span.end_column)
        assert plain(full(diagnostic, lines)).replace("\n", "").isprintable()
        assert annotation(diagnostic).count("\n") == 1
    as_json(diagnostics)
    content = text.encode(errors="surrogatepass")
    mended = mend(content, lambda data: reported(data.decode(errors="surrogatepass")))
    assert (mended.fixes == 0) is (mended.content == content)


@given(st.text() | st.text(st.characters(codec="utf-8")) | st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_text(text):
    check(text)


@given(mutated())
def test_any_change_to_a_policy(text):
    check(text)


SCALARS = st.sampled_from(
    [*NAMED_TARGETS, "$.tools[-1]", "$", "a", "", "re:[", "5m", "1h", "chat", "{alias}", "alias", "first"]
) | st.sampled_from([None, True, False, -1, 0, 1, 2.0, 2.5, 100])


def nearly(schema, root):
    """Data that mostly follows a schema, with any scalar where it is free."""
    schema = {**root["$defs"][schema["$ref"].rsplit("/", 1)[1]], **schema} if "$ref" in schema else schema
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    options = [SCALARS] if {"string", "integer", "number", "boolean"} & set(kinds) else []
    if "enum" in schema or "const" in schema:
        options = [st.sampled_from(schema.get("enum") or [schema["const"]])]
    if "array" in kinds:
        options.append(st.lists(st.deferred(lambda: nearly(schema["items"], root)), max_size=2))
    if "object" in kinds and "properties" in schema:
        properties = {
            name: st.deferred(lambda part=part: nearly(part, root))
            for name, part in schema["properties"].items()
        }
        required = {name: properties.pop(name) for name in schema.get("required", ())}
        options.append(st.fixed_dictionaries(required, optional=properties))
    elif "object" in kinds:
        inner = schema["additionalProperties"]
        options.append(st.dictionaries(st.sampled_from(["a", "b.c"]), nearly(inner, root), max_size=2))
    if "null" in kinds:
        options.append(st.none())
    return st.one_of(options)


ROOT = validator(POLICY).schema


@given(nearly(ROOT, ROOT))
def test_schema_and_model_agree(data):
    """What the schema accepts builds a model, or a check says why not; the model's own net stays unused."""
    text = yaml.safe_dump(data, sort_keys=False)
    check(text)
    diagnostics, _ = outcome(text)
    assert "PC129" not in {diagnostic.code for diagnostic in diagnostics}
    if not any(diagnostic.severity == "error" for diagnostic in diagnostics):
        assert Policy.model_validate(data) == loads(text).policy


@pytest.mark.parametrize("text", TEXTS)
def test_the_cases_too(text):
    check(text)
