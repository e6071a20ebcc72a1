"""The page of a trace in a browser: offline, light and dark, on a phone and on a desk, without a mouse."""

from __future__ import annotations

import json

import pytest
from selenium.webdriver import Keys
from selenium.webdriver.common.action_chains import ActionChains

from policy_cache.forecast.compare import PolicyText, TraceOptions
from policy_cache.report.page.collect import collect
from policy_cache.report.page.document import document
from policy_cache.text.amounts import usd
from tests.report.test_page import HOSTILE, HOUR, NONE, SECRET, USAGE, conversation

# As long as a name can be: the others end alike.
LONG = f"{'long/' * 30}hour.yaml"
POLICIES = [PolicyText(f"<i>{LONG}", HOUR), PolicyText("none.yaml", NONE), PolicyText(LONG, HOUR)]
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


def bars(browser):
    """What is said of each bar of the costs, and how long it is."""
    return browser.run(
        """return [...document.querySelectorAll(".bars li")]
        .map((one) => [one.textContent, one.querySelector("rect").getBoundingClientRect().width]);"""
    )


def columns(browser):
    """The parts of each request that is drawn: how high they are, and their colours."""
    return browser.run(
        """return [...document.querySelectorAll("#tokens .column")].map((column) =>
        [...column.querySelectorAll(".block")].map((part) =>
        [part.className, part.getBoundingClientRect().height, getComputedStyle(part).backgroundColor]));"""
    )


def heights(turns, way, high):
    """How high the parts of each request are to be, where so many pixels stand for the largest of them."""
    kinds = (("r", "read"), ("h", "write_1h"), ("m", "write_5m"), ("u", "uncached"))
    outcomes = [turn.ways[way].outcome for turn in turns]
    most = max(outcome.total for outcome in outcomes)
    return [
        {
            f"block {letter}": high * size / most
            for letter, field in kinds
            if (size := getattr(outcome, field))
        }
        for outcome in outcomes
    ]


def assert_drawn(browser, turns, way):
    high = browser.run("return document.querySelector('#tokens .columns').clientHeight")
    found = [{kind: height for kind, height, _ in parts} for parts in columns(browser)]
    for drawn, expected in zip(found, heights(turns, way, high), strict=True):
        assert drawn == pytest.approx(expected, abs=1)


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
    simulation = shown.simulation
    costs = [column.cost for column in (simulation.uncached, simulation.recorded, *simulation.policies)]
    drawn = bars(browser)
    assert [said.rsplit("$", 1)[1][:6] for said, _ in drawn] == [
        usd(cost)[1:] for cost in (*costs, simulation.optimum)
    ]
    lengths = [length for _, length in drawn]
    assert lengths == pytest.approx(
        [float(cost / max(costs)) * max(lengths) for cost in (*costs, simulation.optimum)], abs=1
    )
    assert_drawn(browser, shown.sessions[0].turns, 0)


def test_charts_follow_light_and_dark(browser, page):
    _, file = page
    colours = []
    for scheme in ("light", "dark"):
        browser.open(file, scheme=scheme)
        colours.append({colour for parts in columns(browser) for *_, colour in parts})
    assert colours[0].isdisjoint(colours[1])


def test_the_chart_tells_of_a_request_without_a_mouse_and_with_one(browser, page):
    shown, file = page
    browser.open(file)
    first, second = (turn.ways[0].outcome for turn in shown.sessions[0].turns[:2])
    # The table of the costs, and what selects the session and the policy, come before.
    press(browser, *[Keys.TAB] * 4)
    assert focused(browser).startswith(f"request 1: {first.read:,} tokens read, ")
    press(browser, Keys.ARROW_RIGHT)
    said = focused(browser)
    assert said.startswith(f"request 2: {second.read:,} tokens read, ")
    assert browser.run("return document.getElementById('request').textContent") == said
    column = browser.run("return document.querySelectorAll('#tokens .column')[0]")
    assert column.get_attribute("title").startswith("request 1: ")
    ActionChains(browser.driver).move_to_element(column).perform()
    assert browser.run("return document.getElementById('request').textContent").startswith("request 1: ")
    press(browser, Keys.TAB)
    assert not browser.run("return document.getElementById('tokens').contains(document.activeElement)")


@pytest.mark.parametrize("width", [390, 1280])
def test_the_costs_of_six_policies_fit_a_desk(browser, tmp_path, width):
    records = [*conversation(number=2, usage=USAGE)]
    trace = tmp_path / "trace.jsonl"
    trace.write_text("".join(json.dumps(record) + "\n" for record in records))
    names = ("anthropic-automatic", "default", "hermes", "interactive", "litellm-automatic", "pydantic-ai")
    policies = [PolicyText(f"policies/strategies/{name}.yaml", HOUR) for name in names]
    shown = collect(TraceOptions((str(trace),)), policies, "trace.jsonl")
    for column in (shown.simulation.uncached, shown.simulation.recorded, *shown.simulation.policies):
        for totals in (column.cold, column.warm):
            for field in ("read", "write_5m", "write_1h", "uncached", "paid"):
                setattr(totals, field, getattr(totals, field) * 100_000)
    file = tmp_path / "page.html"
    file.write_text(document(shown), encoding="utf-8")
    browser.open(file, width=width)
    table, box, whole = browser.run(
        """const table = document.querySelector("section table");
        return [table.scrollWidth, table.parentNode.clientWidth, document.documentElement.scrollWidth];"""
    )
    assert whole <= width
    if width == 1280:
        assert table <= box
    else:
        assert browser.run(
            """const box = document.querySelector("section table").parentNode;
            box.scrollLeft = 10_000;
            return box.scrollLeft;"""
        ) == table - box  # fmt: skip


def test_names_are_shown_as_they_are(browser, page):
    _, file = page
    browser.open(file)
    assert browser.run("return document.title") == f"What prompt caching would save on {HOSTILE}"
    assert browser.run("return document.querySelectorAll('.bars i, .bars a, h1 b, h1 img').length") == 0
    assert any(said.startswith("<i>long/") for said, _ in bars(browser))
    names = browser.run("return [...document.getElementById('which').options].map((one) => one.text)")
    assert any(HOSTILE[:20] in name for name in names)


def test_the_keyboard_selects_another_session_and_policy(browser, page):
    shown, file = page
    browser.open(file)
    press(browser, Keys.TAB, Keys.TAB)
    assert focused(browser) == "which"
    press(browser, Keys.ARROW_DOWN)
    assert_drawn(browser, shown.sessions[1].turns, 0)
    press(browser, Keys.TAB, Keys.ARROW_DOWN)
    assert_drawn(browser, shown.sessions[1].turns, 1)
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
