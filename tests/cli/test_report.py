"""`policy-cache report`: what it writes, what it refuses, and how it exits."""

from __future__ import annotations

import pytest

from tests.cli.test_misses import SECRET, conversation, jsonl


@pytest.fixture
def trace(save):
    return save("trace.jsonl", jsonl(*conversation()))


def files(folder):
    return sorted(file.name for file in folder.iterdir())


def test_it_says_where_the_page_is(run, trace, folder):
    ran = run("report", trace, "-o", "report.html")
    assert (ran.code, ran.out, ran.err) == (0, "", "wrote report.html\n")
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert html.startswith("<!DOCTYPE html>")
    assert html.endswith("</html>\n")
    assert SECRET not in html
    assert files(folder) == ["report.html", "trace.jsonl"]


def test_texts_only_where_they_are_asked_for(run, trace, folder):
    run("report", trace, "-o", "report.html", "--text")
    assert SECRET in (folder / "report.html").read_text(encoding="utf-8")


def test_several_policies(run, save, trace, folder):
    for name in ("one.yaml", "two.yaml"):
        save(name, f"version: 1\nname: {name}\nrules: []\n")
    assert run("report", trace, "-o", "r.html", "--policy", "one.yaml", "--policy", "two.yaml").code == 0
    html = (folder / "r.html").read_text(encoding="utf-8")
    assert "<h3>one.yaml</h3>" in html
    assert "<h3>two.yaml</h3>" in html


def test_standard_input_can_be_the_trace(run, folder):
    assert run("report", "-", "-o", "r.html", stdin=jsonl(*conversation())).code == 0
    assert "<title>What prompt caching would save on &lt;stdin&gt;</title>" in (folder / "r.html").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize(
    ("files", "named"),
    [
        (["logs/a.jsonl"], "a.jsonl"),
        (["logs/a.jsonl", "logs/b.jsonl"], "a.jsonl and b.jsonl"),
        (["one/a.jsonl", "two/a.jsonl", "two/b.jsonl"], "one/a.jsonl, two/a.jsonl and b.jsonl"),
        ([f"logs/{name}.jsonl" for name in "abcdef"], "a.jsonl, b.jsonl and 4 more"),
    ],
)
def test_the_files_of_a_trace_are_named(run, folder, files, named):
    for file in files:
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_text(jsonl(*conversation()))
    assert run("report", *files, "-o", "r.html").code == 0
    html = (folder / "r.html").read_text(encoding="utf-8")
    assert f"<title>What prompt caching would save on {named}</title>" in html


def test_an_existing_file_is_kept_unless_forced(run, save, trace, folder):
    save("report.html", "mine")
    ran = run("report", trace, "-o", "report.html")
    assert ran.code == 2
    assert "Error: report.html exists; --force writes over it" in ran.err
    assert (folder / "report.html").read_text() == "mine"
    assert run("report", trace, "-o", "report.html", "--force").code == 0
    assert (folder / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_nothing_to_evaluate(run, save, folder):
    save("empty.jsonl", "")
    assert run("report", "empty.jsonl", "-o", "r.html").refused() == (
        "empty.jsonl: nothing to evaluate: it is empty"
    )
    assert files(folder) == ["empty.jsonl"]


def test_a_broken_line_leaves_no_page_where_it_shall_fail(run, save, folder):
    save("trace.jsonl", jsonl(*conversation()) + "{}\n")
    said = run("report", "trace.jsonl", "-o", "r.html", "--broken", "fail").refused()
    assert said.startswith("trace.jsonl:4: ")
    assert files(folder) == ["trace.jsonl"]


def test_a_page_that_cannot_be_written(run, trace):
    assert run("report", trace, "-o", "absent/r.html").refused() == "absent/r.html: No such file or directory"
