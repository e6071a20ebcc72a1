"""`--update` writes what was found, and nothing else."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from policy_cache.testing import update as updating
from policy_cache.testing.layout import spell
from policy_cache.testing.load import load_suite, loads_suite
from policy_cache.testing.run import Runner
from policy_cache.testing.update import UpdateError, update, updated
from tests.testing.files import CHAT, CLAUDE, LAST, OPENAI, POLICY, SYSTEM, case, suite

RUNNER = Runner(lambda: None)


def outcomes(loaded):
    return [RUNNER.run(loaded, number) for number in range(len(loaded.cases))]


def after(text, folder):
    """A test file's text after an update; it then passes, and another update changes nothing."""
    name = str(folder / "p.test.yaml")
    loaded = loads_suite(text, name)
    failed = [one for one in outcomes(loaded) if one.status == "failed"]
    new = updated(loaded, failed)
    again = outcomes(loads_suite(new, name))
    assert {one.status for one in again} <= {"passed"}
    return new


@pytest.fixture
def here(folder):
    (folder / "p.yaml").write_text(POLICY)
    return folder


WRITTEN = suite(
    "  # the first\n"
    "  - name: a   # why\n"
    f"    request: {CHAT}\n"
    "    expect:    # what\n"
    "      breakpoints:   # in order\n"
    "        # the system prompt\n"
    f"        - {SYSTEM}   # stays\n"
    "        # the end\n"
    "        - {at: \"$['messages'][1]\", rule: tail}   # moves\n"
    "      # reasons\n"
    "      reasons:\n"
    "        prefix: [applied]   # one\n"
    "        tail: [applied]     # two\n"
    "\n"
    "  - name: b\n"
    f"    request: {OPENAI}\n"
    "    expect: {unchanged: true}  # passes\n"
)


def test_comments_and_layout_stay(here):
    text = after(WRITTEN, here)
    wanted = WRITTEN.replace("{at: \"$['messages'][1]\", rule: tail}", LAST).replace(
        "prefix: [applied]", "prefix: [no_target, applied]"
    )
    assert text == wanted


def test_line_ends_and_a_byte_order_mark_stay(here):
    file = here / "p.test.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + WRITTEN.replace("\n", "\r\n").encode())
    file.chmod(0o640)
    loaded = load_suite(file)
    assert update(loaded, outcomes(loaded)) == 1
    content = file.read_bytes()
    assert content.startswith(b"\xef\xbb\xbfversion: 1\r\n")
    assert content.count(b"\n") == content.count(b"\r\n") == WRITTEN.count("\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert sorted(path.name for path in here.iterdir()) == ["p.test.yaml", "p.yaml"]


COMMENTED = {
    "a flow list over several lines": (
        "breakpoints: [   # list\n"
        "        # one\n"
        "        {at: \"$['messages'][1]\", rule: tail},  # it's here\n"
        "        # gone\n"
        "        ]\n"
    ),
    "an item over several lines": (
        "breakpoints:\n"
        "        - at: \"$['messages'][1]['# no comment']\"   # old place\n"
        "          # about the rule\n"
        "          rule: tail   # 'whose\n"
    ),
    "a list behind its key": (
        "breakpoints: # b\n"
        f"        - {SYSTEM}\n"
        f"        - {LAST}\n"
        "      reasons:\n"
        "        prefix:   # rp\n"
        "          - applied   # ap\n"
        "          # more\n"
        "          - moved\n"
    ),
}


@pytest.mark.parametrize("expect", COMMENTED.values(), ids=COMMENTED)
def test_a_comment_inside_what_is_written_anew_goes_above_it(here, expect):
    text = suite(f"  - name: a\n    request: {CHAT}\n    expect:\n      {expect}")
    said = re.findall(r"(?m)(?:^|\s)(#[^\"\n]*)$", text)
    assert len(said) == text.count("#") - text.count("'# no comment")
    assert re.findall(r"(?m)(?:^|\s)(#.*)$", after(text, here)) == said


def test_what_stands_alone_ends_as_the_other_lines_do(here):
    text = after(WRITTEN.replace("\n", "\r"), here)
    assert "\n" not in text
    assert text.replace("\r", "\n") == after(WRITTEN, here)


STYLES = {
    "no expectation": (case("a", CLAUDE), f"    expect:\n      breakpoints:\n        - {SYSTEM}\n"),
    "an empty one": (case("a", CLAUDE, "{}"), f"    expect:\n      breakpoints:\n        - {SYSTEM}\n"),
    "unchanged in flow style": (
        case("a", CLAUDE, "{unchanged: true}"),
        f"    expect:\n      breakpoints:\n        - {SYSTEM}\n",
    ),
    "unchanged in block style": (
        case("a", CLAUDE, "\n      unchanged: true  # not so"),
        f"    expect: \n      breakpoints:\n        - {SYSTEM}  # not so\n",
    ),
    "an empty list": (
        case("a", CLAUDE, "\n      breakpoints: []"),
        f"    expect: \n      breakpoints:\n        - {SYSTEM}\n",
    ),
    "a surplus": (case("a", OPENAI, f"\n      breakpoints:\n        - {SYSTEM}"), "      breakpoints: []\n"),
    "no change": (case("a", OPENAI, "{unchanged: false}"), "    expect:\n      unchanged: true\n"),
    "nothing changes": (case("a", OPENAI), "    expect:\n      unchanged: true\n"),
    "a test in flow style": (
        f"  - {{name: a, request: {CLAUDE}}}\n",
        f", expect: {{breakpoints: [{SYSTEM}]}}}}\n",
    ),
    "an expectation in a test in flow style": (
        f"  - {{expect: {{unchanged: true}}, name: a, request: {CLAUDE}}}\n",
        f"  - {{expect: {{breakpoints: [{SYSTEM}]}}, name: a, ",
    ),
    "parameters": (
        case("a", OPENAI, "\n      parameters: {}", {"metadata": {"tenant": "no"}}),
        '      parameters: {prompt_cache_key: "no"}\n',
    ),
    "a changed parameter": (
        case("a", OPENAI, "{unchanged: true}", {"metadata": {"tenant": "1.10"}}),
        '      breakpoints: []\n      parameters: {prompt_cache_key: "1.10"}\n',
    ),
    "reasons in flow style": (
        case("a", CLAUDE, "\n      reasons: {prefix: [], tail: [moved]}"),
        "      reasons: {prefix: [no_target, applied], tail: []}\n",
    ),
    "a list at its key's column": (
        case("a", CHAT, f"\n      breakpoints:\n      -  {LAST}"),
        f"      breakpoints:\n      - {SYSTEM}\n      -  {LAST}\n",
    ),
}


@pytest.mark.parametrize(("written", "wanted"), STYLES.values(), ids=STYLES)
def test_every_style(here, written, wanted):
    text = after(suite(written), here)
    assert wanted in text


def test_no_line_end_at_the_end(here):
    text = after(suite(case("a", CLAUDE)).rstrip("\n"), here)
    assert text.endswith(f"\n    expect:\n      breakpoints:\n        - {SYSTEM}")


PLACES = st.sampled_from(["$['system'][0]", "$['messages'][2]['content'][0]", "$", "$.tools[0]"])
BREAKPOINT = st.fixed_dictionaries(
    {"at": PLACES},
    optional={"ttl": st.sampled_from(["5m", "1h"]), "rule": st.sampled_from(["prefix", "tail", "(client)"])},
)
REASONS = st.lists(st.sampled_from(["applied", "moved", "no_target"]), max_size=3)
TEXT = st.text(st.characters(codec="utf-8"))
SHORT = st.text(st.characters(codec="utf-8"), max_size=3)
EXPECT = st.fixed_dictionaries(
    {},
    optional={
        "breakpoints": st.lists(BREAKPOINT, max_size=4),
        "unchanged": st.booleans(),
        "parameters": st.dictionaries(SHORT, st.integers(-99, 99), max_size=2),
        "reasons": st.dictionaries(st.sampled_from(["prefix", "tail", "key"]), REASONS, max_size=3),
    },
)
TENANT = st.text(st.characters(codec="utf-8", exclude_characters="\x7f"), max_size=6)
CASE = st.tuples(st.sampled_from([CLAUDE, CHAT, OPENAI]), EXPECT, TENANT)


def written(draw_flow, cases):
    """Tests as PyYAML writes them, in one of its styles."""
    tests = [
        {
            "name": f"test {number}",
            "request": yaml.safe_load(request),
            "context": {"metadata": {"tenant": tenant}},
            **({"expect": expect} if expect or number % 2 else {}),
        }
        for number, (request, expect, tenant) in enumerate(cases)
    ]
    data = {"version": 1, "policy": "p.yaml", "tests": tests}
    return yaml.dump(data, default_flow_style=draw_flow, sort_keys=False, Dumper=_Plain, width=4_000)


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, _):
        return True


@pytest.mark.property
@settings(max_examples=min(settings.default.max_examples, 40))
@given(st.sampled_from([None, False, True]), st.lists(CASE, min_size=1, max_size=3))
def test_after_an_update_every_test_passes(tmp_path_factory, flow, cases):
    folder = tmp_path_factory.getbasetemp() / "updates"
    folder.mkdir(exist_ok=True)
    (folder / "p.yaml").write_text(POLICY)
    text = written(flow, cases)
    new = after(text, folder)
    assert after(new, folder) == new
    before, now = yaml.safe_load(text), yaml.safe_load(new)
    for one, other in zip(before["tests"], now["tests"], strict=True):
        assert {**one, "expect": None} == {**other, "expect": None}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**16), 10**16) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.property
@given(JSON)
def test_a_value_is_read_back_as_it_is(value):
    from policy_cache.policy.text.source import parse

    source = parse(f"- {spell(value)}\n", "x")
    assert source.data == [value]
    assert source.diagnostics == ()


def test_a_file_is_never_half_written(here, monkeypatch):
    file = here / "p.test.yaml"
    file.write_text(WRITTEN)
    loaded = load_suite(file)
    failed = outcomes(loaded)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(UpdateError, match=r"p\.test\.yaml: No space left on device"):
        update(loaded, failed)
    assert file.read_text() == WRITTEN
    assert sorted(path.name for path in here.iterdir()) == ["p.test.yaml", "p.yaml"]


def test_what_would_change_more_is_not_written(here, monkeypatch):
    file = here / "p.test.yaml"
    file.write_text(WRITTEN)
    loaded = load_suite(file)
    for other in (WRITTEN.replace("name: b", "name: c"), "version: ["):
        monkeypatch.setattr(updating, "updated", lambda *_, other=other: other)
        with pytest.raises(UpdateError, match="cannot be updated by itself, and is left as it was"):
            update(loaded, outcomes(loaded))
    assert file.read_text() == WRITTEN


def test_the_command(run, here):
    file = here / "p.test.yaml"
    file.write_text(WRITTEN)
    assert run("test", "--update") == (0, "p.test.yaml: 1 updated\n2 passed in 1 file.\n", "")
    written = file.read_bytes()
    assert run("test", "--update") == (0, "2 passed in 1 file.\n", "")
    assert file.read_bytes() == written
