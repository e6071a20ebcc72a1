"""The live page in a browser: light and dark, on a phone and on a desk, and it keeps itself up to date."""

from __future__ import annotations

import pytest
from selenium.webdriver.support.ui import WebDriverWait
from starlette.applications import Starlette
from starlette.routing import Mount

from policy_cache import Engine
from policy_cache.emulator.server import serve
from policy_cache.integrations.asgi import Live, live_page
from tests.clock import Clock
from tests.usage.test_live import NOON, account

SCREENS = [(scheme, width) for scheme in ("light", "dark") for width in (390, 1280)]
PLAN = Engine.default().plan({"model": "gpt-5", "messages": [{"role": "user", "content": "q"}]})
HOSTILE = '<img src=x onerror="window.ran = 1"><script>window.ran = 1</script>&lt;b&gt;'


def turn(live, number, system):
    """A turn of a session whose client marks the system prompt."""
    said = [{"role": ("user", "assistant")[turn % 2], "content": str(turn)} for turn in range(number)]
    marked = {"role": "system", "content": system, "cache_control": {"type": "ephemeral"}}
    plan = Engine.default().plan({"model": "anthropic/claude-sonnet-4-5", "messages": [marked, *said]})
    live.answered(plan, account("claude", written=5_000), session="one")


@pytest.fixture
def page():
    clock = Clock(NOON)
    live = Live(clock=clock)
    for minute in range(59):
        clock.now = NOON + 60 * minute
        live.answered(PLAN, account("claude", "prefix", read=10_000 + 1_000 * minute, uncached=5_000))
        # Writing costs more than it saves.
        live.answered(PLAN, account(HOSTILE, f"{HOSTILE}{'x' * 150}", written=40_000 * (minute % 7)))
    live.answered(PLAN, account("acme/large", read=3, rates=None))
    with serve(Starlette(routes=[Mount("/caches", live_page(live))])) as url:
        yield live, f"{url}/caches/"


def until(browser, script, *arguments):
    return WebDriverWait(browser.driver, 20).until(lambda _: browser.run(script, *arguments))


def opened(browser, url, **screen):
    browser.open(url, **screen)
    until(browser, "return document.querySelectorAll('#models tr').length")


def rows(browser, table):
    return browser.run(
        """return [...document.querySelectorAll(`#${arguments[0]} tr`)]
        .map((row) => [...row.cells].map((cell) => cell.textContent))""",
        table,
    )


@pytest.mark.parametrize(("scheme", "width"), SCREENS)
def test_it_fits_everyone_can_use_it_and_it_asks_nobody_else(browser, page, scheme, width):
    _, url = page
    opened(browser, url, scheme=scheme, width=width)
    assert browser.run("return document.documentElement.scrollWidth") <= width
    assert browser.outside(".scrolls, svg") == []
    assert browser.violations() == []
    assert browser.console() == []
    assert {one.removeprefix(url) for one in browser.requests() if not one.startswith("data:")} == {
        "",
        "live.json",
    }


def test_it_brings_itself_up_to_date(browser, page):
    live, url = page
    opened(browser, url)
    [before] = [row for row in rows(browser, "models") if row[0] == "claude"]
    assert before[1] == "59"
    for _ in range(3):
        live.answered(PLAN, account("claude", read=1_000_000))
    live.answered(PLAN, account("new", read=1))
    until(
        browser,
        "return [...document.querySelectorAll('#models th')].some((one) => one.textContent === 'new')",
    )
    [after] = [row for row in rows(browser, "models") if row[0] == "claude"]
    assert (after[1], after[4]) == ("62", "62")
    assert browser.run("return document.getElementById('hour').textContent").startswith(
        "In the last hour: 123 requests, "
    )


def test_misses_are_shown_as_they_happen_the_newest_first(browser, page):
    live, url = page
    opened(browser, url)
    assert not browser.run("return document.getElementById('causes').checkVisibility()")
    turn(live, 1, "word " * 5_000)
    turn(live, 3, "word " * 5_000 + "09:41")
    until(browser, "return document.querySelectorAll('#causes tr').length === 1")
    [[title, _, *figures]] = rows(browser, "causes")
    assert (title, figures[:2]) == ("the system prompt changed", ["1", "1"])
    live._clock.now += 600
    turn(live, 5, "word " * 5_000 + "09:41")
    until(browser, "return document.querySelectorAll('#causes tr').length === 2")
    assert [row[0] for row in rows(browser, "causes")] == [
        "the entry had expired",
        "the system prompt changed",
    ]
    assert browser.run("return document.getElementById('missed').textContent") == (
        "2 of 3 requests did not read all that they could."
    )
    assert browser.run("return document.getElementById('left-out').textContent").startswith("59 requests ")


def test_all_money_has_as_many_digits(browser, page):
    _, url = page
    opened(browser, url)
    shown = browser.run("return document.body.innerText.match(/\\$[\\d,.]*\\d/g)")
    assert {len(amount.partition(".")[2]) for amount in shown} == {2}


def test_the_charts_show_the_minutes(browser, page):
    live, url = page
    opened(browser, url)
    found = live.snapshot()
    heights = browser.run(
        """return ['saved', 'share'].map((id) => [...document.querySelectorAll(`#${id} rect`)]
        .map((bar) => [bar.getAttribute('class'), Number(bar.getAttribute('height'))]))"""
    )
    saved = [float(minute.totals.known_saved) for minute in found.minutes]
    whole = max(0, *saved) - min(0, *saved)
    assert [kind for kind, _ in heights[0]] == ["loss" if value < 0 else "gain" for value in saved]
    assert {"loss", "gain"} == {kind for kind, _ in heights[0]}
    assert [height for _, height in heights[0]] == pytest.approx(
        [100 * abs(value) / whole for value in saved]
    )
    shares = [minute.totals.read / (minute.totals.prompt or 1) for minute in found.minutes]
    assert [height for _, height in heights[1]] == pytest.approx([100 * value for value in shares])


def test_names_are_shown_as_they_are_and_never_run(browser, page):
    _, url = page
    opened(browser, url)
    assert HOSTILE in [row[0] for row in rows(browser, "models")]
    assert any(row[0].startswith(HOSTILE) for row in rows(browser, "rules"))
    assert browser.run(
        "return [window.ran, document.querySelectorAll('table img, table script').length]"
    ) == [
        None,
        0,
    ]


def test_unknown_money_is_not_zero(browser, page):
    _, url = page
    opened(browser, url)
    [row] = [row for row in rows(browser, "models") if row[0] == "acme/large"]
    assert (row[3], row[7], row[8]) == ("unknown", "unknown", "unknown")


def test_it_says_when_nobody_answers_any_more(browser):
    live = Live()
    live.answered(PLAN, account("claude", read=1))
    with serve(live_page(live)) as url:
        opened(browser, f"{url}/")
    until(browser, "return document.getElementById('state').textContent.startsWith('No new figures: ')")
    assert rows(browser, "models")[0][0] == "claude"
    browser.driver.get("about:blank")
