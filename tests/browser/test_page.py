"""The page of a trace in a browser: offline, light and dark, on a phone and on a desk, without a mouse."""

from __future__ import annotations

import json

import pytest
from selenium.webdriver import Keys
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.support.ui import WebDriverWait

from policy_cache.forecast.compare import PolicyText, TraceOptions
from policy_cache.report.page.collect import collect
from policy_cache.report.page.document import document
from tests.report.test_page import HOSTILE, HOUR, NONE, SECRET, USAGE, conversation

POLICIES = [PolicyText(f"<i>{'long/' * 30}hour.yaml", HOUR), PolicyText("none.yaml", NONE)]
SCREENS = [(scheme, width) for scheme in ("light", "dark") for width in (390, 1280)]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """What is shown of a trace, and the file that shows it."""
    folder = tmp_path_factory.mktemp("page")
    records = [
        *conversation("first", number=6, clocks=["09:41"] * 3 + ["09:42"] * 3, usage=USAGE),
        *conversation(f"<b>{HOSTILE}", start=1.0, usage=USAGE),
    ]
    trace = folder / "trace.jsonl"
    trace.write_text("".join(json.dumps(record) + "\n" for record in records))
    found = collect(TraceOptions((str(trace),)), POLICIES, HOSTILE, text=True)
    file = folder / "page.html"
    file.write_text(document(found), encoding="utf-8")
    return found, file


def chart(browser, name):
    """The traces that a chart shows, and how many bars are drawn of each."""
    return browser.run(
        """const drawn = document.getElementById(arguments[0]);
        return drawn.data.map((trace, n) => [
          trace.name, trace.x, trace.y, trace.marker.color,
          drawn.querySelectorAll(".trace.bars")[n].querySelectorAll(".point path").length]);""",
        name,
    )


def focused(browser):
    return browser.run(
        "return document.activeElement.getAttribute('aria-label') || document.activeElement.id"
    )


def press(browser, *keys):
    ActionChains(browser.driver).send_keys(*keys).perform()


@pytest.mark.parametrize(("scheme", "width"), SCREENS)
def test_it_opens_from_disk_alone_and_fits(browser, page, scheme, width):
    _, file = page
    browser.open(file, scheme=scheme, width=width)
    assert browser.requests() == [file.as_uri()]
    assert browser.console() == []
    assert browser.run("return document.documentElement.scrollWidth") <= width
    assert browser.outside(".scrolls, svg, select, details") == []


@pytest.mark.parametrize(("scheme", "width"), SCREENS)
def test_everyone_can_use_it(browser, page, scheme, width):
    _, file = page
    browser.open(file, scheme=scheme, width=width)
    browser.run("document.querySelector('details').open = true")
    assert browser.violations() == []


def test_the_charts_show_the_figures(browser, page):
    shown, file = page
    browser.open(file)
    drawn = chart(browser, "costs")
    assert [x[0] for _, x, *_ in drawn] == pytest.approx([
        float(cost)
        for cost in (
            shown.simulation.uncached.total.cost,
            shown.simulation.recorded.total.cost,
            *(column.total.cost for column in shown.simulation.policies),
            shown.simulation.optimum,
        )
    ])  # fmt: skip
    assert all(bars == 1 for *_, bars in drawn)
    stacked = chart(browser, "tokens")
    outcomes = [turn.ways[0].outcome for turn in shown.sessions[0].turns]
    assert [(name, y) for name, _, y, *_ in stacked] == [
        ("read", [one.read for one in outcomes]),
        ("written 1h", [one.write_1h for one in outcomes]),
        ("written 5m", [one.write_5m for one in outcomes]),
        ("uncached", [one.uncached for one in outcomes]),
    ]
    assert len({colour for *_, colour, _ in stacked}) == 4


def test_charts_follow_light_and_dark(browser, page):
    _, file = page
    browser.open(file)
    light = chart(browser, "tokens")
    browser.tell("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    # The browser tells the page of it in its own time.
    before = {colour for *_, colour, _ in light}
    WebDriverWait(browser.driver, 10).until(
        lambda _: before.isdisjoint(colour for *_, colour, _ in chart(browser, "tokens"))
    )


def test_names_are_shown_as_they_are(browser, page):
    _, file = page
    browser.open(file)
    assert browser.run("return document.title") == f"Prompt caching on {HOSTILE}"
    assert browser.run("return document.querySelectorAll('.chart b, .chart i, .chart a').length") == 0
    notes = browser.run(
        "return [...document.querySelectorAll('#costs .annotation-text')].map((n) => n.textContent)"
    )
    assert any("long/hour.yaml" in note for note in notes)
    names = browser.run("return [...document.getElementById('which').options].map((one) => one.text)")
    assert any(HOSTILE[:20] in name for name in names)


def test_the_keyboard_selects_another_session_and_policy(browser, page):
    shown, file = page
    browser.open(file)
    press(browser, Keys.TAB, Keys.TAB)
    assert focused(browser) == "which"
    press(browser, Keys.ARROW_DOWN)
    assert [len(x) for _, x, *_ in chart(browser, "tokens")] == [len(shown.sessions[1].turns)] * 4
    press(browser, Keys.TAB, Keys.ARROW_DOWN)
    plain = [turn.ways[1].outcome.uncached for turn in shown.sessions[1].turns]
    assert chart(browser, "tokens")[3][2] == plain
    assert browser.run("return document.querySelectorAll('#blocks .block:not(.u)').length") == 0


def test_the_keyboard_walks_over_the_blocks(browser, page):
    shown, file = page
    browser.open(file)
    # How many stops come before depends on which tables are wide enough to scroll.
    for _ in range(8):
        press(browser, Keys.TAB)
        if focused(browser).startswith("$['tools'][0], tool, "):
            break
    assert focused(browser).startswith("$['tools'][0], tool, ")
    press(browser, Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
    assert focused(browser).startswith("$['system'], text, ")
    assert "not as the request before had it" in focused(browser)
    told = browser.run("return document.getElementById('detail').textContent")
    assert told.startswith("$['system']request 4, ")
    assert SECRET in told
    press(browser, Keys.END)
    last = shown.sessions[0].turns[3].ways[0]
    assert focused(browser).startswith(shown.sessions[0].blocks[last.blocks[-1]].location + ",")
    press(browser, Keys.TAB)
    assert not browser.run("return document.getElementById('blocks').contains(document.activeElement)")


def test_every_request_is_a_row_of_its_blocks(browser, page):
    shown, file = page
    browser.open(file)
    counts = browser.run(
        """return [...document.querySelectorAll("#blocks .row")]
        .map((row) => row.querySelectorAll(".block").length)"""
    )
    session = shown.sessions[0]
    assert counts == [len(turn.ways[0].blocks) for turn in session.turns]
    marks = browser.run("return document.querySelectorAll('#blocks .mark').length")
    assert marks == sum(len(turn.ways[0].breakpoints) for turn in session.turns)
    widths = browser.run(
        """return [...document.querySelectorAll("#blocks .row:last-child .block")]
        .map((block) => block.getBoundingClientRect().width)"""
    )
    tokens = [session.blocks[index].tokens for index in session.turns[-1].ways[0].blocks]
    assert widths == pytest.approx([size * sum(widths) / sum(tokens) for size in tokens], rel=0.1, abs=4)
