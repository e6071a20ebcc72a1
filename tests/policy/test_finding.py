"""Where a file has a finding, and what a fix replaces there."""

from policy_cache.diagnostics import Fix, Label, Region
from policy_cache.policy.check.examine import examine_content
from policy_cache.policy.check.finding import Finding, Mark
from policy_cache.policy.text.source import parse
from policy_cache.policy.write.mend import mend

SOURCE = parse("mode:\n  Observe\nname: team\n", "t.yaml")


def test_it_points_at_the_value_and_at_its_key_where_the_value_is_below():
    mode = Finding("PC000", "m", ("mode",), write="observe").located(SOURCE, "error")
    assert mode.span == Region(1, 1, 1, 5)
    assert mode.fix == Fix(Region(2, 3, 2, 10), "observe")
    name = Finding("PC000", "m", ("name",)).located(SOURCE, "warning")
    assert (name.span, name.fix, name.severity) == (Region(3, 7, 3, 11), None, "warning")


def test_it_points_at_the_key_that_is_meant():
    diagnostic = Finding("PC000", "m", ("name",), key=True, hint="h", write="title").located(SOURCE, "error")
    key = Region(3, 1, 3, 5)
    assert (diagnostic.span, diagnostic.labels) == (key, (Label(key, "h"),))
    assert diagnostic.fix == Fix(key, "title")


def test_it_points_at_a_part_of_a_text():
    assert Finding("PC000", "m", ("name",), part=(1, 3)).located(SOURCE, "error").span == Region(3, 8, 3, 10)


def test_it_may_point_elsewhere_than_at_what_it_is_about():
    diagnostic = Finding("PC000", "m", (), key=True, at=("name",)).located(SOURCE, "error")
    assert (diagnostic.path, diagnostic.span) == ((), Region(3, 1, 3, 5))


def test_a_mark_without_a_place_is_left_out():
    marks = (Mark(("name",), "a"), Mark(("rules",), "b"))
    diagnostic = Finding("PC000", "m", ("mode",), marks=marks).located(SOURCE, "error")
    assert diagnostic.labels == (Label(Region(3, 7, 3, 11), "a"),)


def test_a_word_on_a_line_below_its_key_is_mended_and_not_the_key():
    text = "version: 1\nname: t\nmode:\n  Observe\nrules: []\n"
    mended = mend(text.encode(), lambda content: examine_content(content, "t.yaml").diagnostics)
    assert mended.content.decode() == text.replace("Observe", "observe")
