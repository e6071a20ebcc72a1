"""The studio in a browser: mistakes in place, without a mouse, light and dark, closed to other sites."""

from __future__ import annotations

import json

import pytest
from selenium.webdriver import Keys
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.support.ui import WebDriverWait
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from policy_cache.emulator.server import serve
from policy_cache.studio.offers import Offers
from tests.studio.conftest import POLICY, studio_of

SCREENS = [(scheme, width) for scheme in ("light", "dark") for width in (390, 1280)]
HOSTILE = '<img src=x onerror="window.ran = 1"><script>window.ran = 1</script>&lt;b&gt;'
REQUEST = json.dumps(
    {
        "model": "anthropic/claude-sonnet-4-5",
        "tools": [
            {
                "type": "function",
                "function": {"name": "<b>t</b>", "description": "x" * 9_000, "parameters": {}},
            }
        ],
        "messages": [
            {"role": "system", "content": HOSTILE + "y" * 9_000},
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": "two"},
            {"role": "user", "content": HOSTILE},
        ],
    },
    indent=2,
)
WRONG = POLICY.replace("targets", "tragets").replace("name: team", "name: <i>team</i>\nmode: observ")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("studio").resolve()


@pytest.fixture(scope="module")
def studio(root):
    (root / "policies").mkdir()
    (root / "policy.yaml").write_text(POLICY, encoding="utf-8")
    offers = Offers(("<i>request</i>.json", REQUEST))
    with studio_of(offers=offers, file=root / "policy.yaml", folder=root / "policies") as found:
        yield found


@pytest.fixture(scope="module")
def wrong():
    with studio_of(text=WRONG, offers=Offers(("request.json", REQUEST))) as found:
        yield found


def opened(browser, studio, **screen):
    browser.open(studio.url, **screen)
    until(browser, "return document.body.dataset.evaluated")


def until(browser, script, *arguments):
    return WebDriverWait(browser.driver, 20).until(lambda _: browser.run(script, *arguments))


def text(browser, name):
    return browser.run("return document.getElementById(arguments[0]).textContent", name)


def shows(browser, name, words):
    until(
        browser,
        "return document.getElementById(arguments[0]).textContent.includes(arguments[1])",
        name,
        words,
    )


def press(browser, *keys):
    ActionChains(browser.driver).send_keys(*keys).perform()


def control(browser, key):
    ActionChains(browser.driver).key_down(Keys.CONTROL).send_keys(key).key_up(Keys.CONTROL).perform()


def policy(browser):
    lines = "[...document.querySelectorAll('#policy .cm-line')].map((line) => line.textContent)"
    return browser.run(f"return {lines}.join('\\n')")


def focused(browser):
    return browser.run(
        "return document.activeElement.getAttribute('aria-label') || document.activeElement.id"
    )


def tab_to(browser, name):
    for _ in range(20):
        if focused(browser) == name:
            return
        press(browser, Keys.TAB)
    raise AssertionError(f"Tab does not lead to {name}: {focused(browser)}")


def at_the_end_of_line(browser, number):
    tab_to(browser, "Policy, YAML")
    control(browser, Keys.HOME)
    press(browser, *[Keys.ARROW_DOWN] * (number - 1), Keys.END)


@pytest.mark.parametrize(("scheme", "width"), SCREENS)
@pytest.mark.parametrize("state", ["studio", "wrong"])
def test_it_fits_and_everyone_can_use_it(browser, request, state, scheme, width):
    studio = request.getfixturevalue(state)
    opened(browser, studio, scheme=scheme, width=width)
    assert [url for url in browser.requests() if not url.startswith((studio.url + "/", "data:"))] == []
    assert browser.console() == []
    assert browser.run("return document.documentElement.scrollWidth") <= width
    assert browser.outside(".scrolls, .output, .editor, select, [hidden]") == []
    assert browser.violations() == []


def test_light_and_dark_differ(browser, studio):
    seen = []
    for scheme in ("light", "dark"):
        opened(browser, studio, scheme=scheme)
        colours = """const one = getComputedStyle(document.querySelector(arguments[0]));
        return [one.color, one.backgroundColor]"""
        seen.append([browser.run(colours, part) for part in ("body", "#policy", "#diff", "#save")])
    assert all(one != other for one, other in zip(*seen, strict=True))


def test_a_mistake_is_shown_in_place_as_it_is_typed_and_its_mending_changes_the_diff(browser, studio):
    opened(browser, studio)
    before = text(browser, "diff")
    assert "breakpoint" in before
    at_the_end_of_line(browser, 2)
    press(browser, Keys.ENTER, "mode: observ", Keys.ESCAPE)
    shows(browser, "verdict", "1 error.")
    assert browser.run("return document.querySelector('#policy .cm-lintRange-error').textContent") == "observ"
    shows(browser, "problems", "PC123, line 3")
    shows(browser, "stale", "What is below is from before")
    assert text(browser, "diff") == before
    press(browser, "e", Keys.ESCAPE)
    shows(browser, "verdict", "Valid.")
    shows(browser, "diff", "(observed only: the request is sent unchanged)")
    assert text(browser, "problems") == text(browser, "stale") == ""
    assert browser.run("return document.querySelectorAll('#policy .cm-lintRange').length") == 0


def test_a_mistake_is_explained_where_the_mouse_points(browser, wrong):
    opened(browser, wrong)
    place = browser.driver.find_element("css selector", "#policy .cm-lintRange-error")
    ActionChains(browser.driver).move_to_element(place).perform()
    said = until(browser, "return document.querySelector('.cm-tooltip .told')?.textContent")
    assert said.startswith("PC123 ")


def test_a_certain_fix_is_one_key(browser, wrong):
    opened(browser, wrong)
    shows(browser, "problems", "PC120")
    browser.run(
        """[...document.querySelectorAll("#problems button")]
        .find((one) => one.textContent === "Fix: write targets").focus()"""
    )
    press(browser, Keys.ENTER)
    until(browser, "return !document.getElementById('problems').textContent.includes('PC120')")
    assert "    targets: [system]" in policy(browser)
    assert focused(browser) == "Policy, YAML"


def options(browser):
    until(browser, "return document.querySelector('.cm-tooltip-autocomplete li')")
    return browser.run(
        """return [...document.querySelectorAll(".cm-tooltip-autocomplete .cm-completionLabel")]
        .map((one) => one.textContent)"""
    )


@pytest.mark.parametrize(
    ("line", "typed", "offered"),
    [
        (2, (Keys.ENTER,), ["name", "rules", "version", "client_markers", "enabled", "injection", "mode"]),
        (2, (Keys.ENTER, "mode: "), ["enforce", "observe"]),
        (4, (Keys.ENTER, "match: {messages: {"), ["max", "min"]),
        (4, (Keys.ENTER, "match:", Keys.ENTER, Keys.TAB, "shape: "), ["chat", "messages", "responses"]),
        (4, (Keys.ENTER, "stop: "), ["false", "true"]),
        (6, (Keys.ENTER, Keys.BACK_SPACE, Keys.BACK_SPACE, "- "), None),
    ],
)
def test_the_schema_completes(browser, studio, line, typed, offered):
    opened(browser, studio)
    at_the_end_of_line(browser, line)
    for key in typed:
        press(browser, key, *([Keys.ESCAPE] if key == typed[-1] and len(key) > 1 else []))
    control(browser, Keys.SPACE)
    found = options(browser)
    if offered is None:
        assert {"name", "targets", "action", "match"} <= set(found)
    else:
        assert sorted(found) == sorted(offered)


def test_a_completion_is_taken_by_the_keyboard(browser, studio):
    opened(browser, studio)
    at_the_end_of_line(browser, 2)
    press(browser, Keys.ENTER, "mod")
    assert options(browser) == ["mode"]
    # What has just appeared is not taken at once, lest a key that was on its way takes it.
    ActionChains(browser.driver).pause(0.2).send_keys(Keys.ENTER).perform()
    assert policy(browser).splitlines()[2] == "mode: "


def test_the_keyboard_alone_suffices(browser, studio, root):
    opened(browser, studio)
    stops = []
    press(browser, Keys.TAB)
    while focused(browser) != "Policy, YAML":
        stops.append(focused(browser))
        press(browser, Keys.TAB)
    assert stops == ["name", "save"]
    control(browser, Keys.HOME)
    press(browser, "# mine", Keys.ENTER, Keys.TAB)
    assert policy(browser).startswith("# mine\n  version: 1")
    press(browser, Keys.BACK_SPACE)
    assert policy(browser).startswith("# mine\nversion: 1")
    press(browser, Keys.ESCAPE, Keys.TAB)
    assert focused(browser) != "Policy, YAML"
    tab_to(browser, "requests")
    press(browser, Keys.ARROW_DOWN)
    shows(browser, "diff", "maintenance engineer")
    press(browser, Keys.TAB)
    assert focused(browser) == "Request, JSON"
    press(browser, Keys.ESCAPE, Keys.TAB)
    tab_to(browser, "pause")
    read = "return document.querySelector('#turns tbody tr:last-child td:nth-child(4)').textContent"
    assert browser.run(read) != "0"
    control(browser, "a")
    press(browser, "4000")
    until(browser, read + " === '0'")
    browser.run("document.querySelector('#policy .cm-content').focus()")
    control(browser, "s")
    shows(browser, "saved", "Saved policy.yaml.")
    saved = (root / "policy.yaml").read_text(encoding="utf-8")
    assert "# mine\n" in saved
    assert saved.replace("# mine\n", "", 1) == POLICY


def test_where_nothing_may_be_saved_there_is_no_button(browser, wrong):
    opened(browser, wrong)
    assert not browser.driver.find_element("id", "save").is_displayed()
    assert not browser.driver.find_element("id", "name").is_displayed()


def test_a_name_in_the_folder_is_asked_for(browser, tmp_path):
    folder = tmp_path.resolve()
    with studio_of(folder=folder) as studio:
        opened(browser, studio)
        tab_to(browser, "save")
        press(browser, Keys.ENTER)
        assert focused(browser) == "name"
        press(browser, "mine.yaml", Keys.ENTER)
        shows(browser, "saved", "Saved mine.yaml.")
        assert (folder / "mine.yaml").read_text(encoding="utf-8") == POLICY
        press(browser, Keys.BACK_SPACE * 9, "../up.yaml", Keys.ENTER)
        shows(browser, "saved", "Not saved: expected a name such as policy.yaml")


@pytest.mark.parametrize("content", [b"a: 1\r\nb: 2\n", b"\xef\xbb\xbfa: 1\rb: 2\r", b"a: 1\r\n"])
def test_what_was_not_edited_is_saved_as_it_was(browser, tmp_path, content):
    file = tmp_path.resolve() / "policy.yaml"
    file.write_bytes(content)
    with studio_of(text=content.decode("utf-8-sig"), file=file) as studio:
        opened(browser, studio)
        tab_to(browser, "save")
        press(browser, Keys.ENTER, Keys.ENTER, Keys.ENTER)
        shows(browser, "saved", "Saved policy.yaml.")
    assert file.read_bytes() == content


def test_saving_over_what_someone_else_wrote_is_asked_first(browser, tmp_path):
    file = tmp_path.resolve() / "policy.yaml"
    file.write_bytes(POLICY.replace("\n", "\r\n").encode())
    with studio_of(text=POLICY.replace("\n", "\r\n"), file=file) as studio:
        opened(browser, studio)
        file.write_text("# theirs\n", encoding="utf-8")
        tab_to(browser, "save")
        press(browser, Keys.ENTER)
        shows(browser, "saved", "Not saved: policy.yaml has changed since it was read.")
        assert file.read_text(encoding="utf-8") == "# theirs\n"
        press(browser, Keys.TAB)
        assert focused(browser) == "replace"
        press(browser, Keys.ENTER)
        shows(browser, "saved", "Saved policy.yaml.")
        assert file.read_bytes() == POLICY.replace("\n", "\r\n").encode()


@pytest.mark.parametrize("state", ["studio", "wrong"])
def test_html_stays_text(browser, request, state):
    opened(browser, request.getfixturevalue(state))
    made = "img:not(.cm-widgetBuffer), main b, main i, main script"
    assert browser.run("return document.querySelectorAll(arguments[0]).length", made) == 0
    assert browser.run("return window.ran") is None
    if state == "studio":
        assert '<img src=x onerror=\\"window.ran' in text(browser, "diff")
        names = browser.run("return [...document.getElementById('requests').options].map((one) => one.text)")
        assert names[0] == "<i>request</i>.json"


def test_a_request_that_is_pasted_is_nobodys_example(browser, studio):
    opened(browser, studio)
    browser.run("document.querySelector('#request .cm-content').focus()")
    control(browser, "a")
    press(browser, "[1]")
    shows(browser, "refused", "request: expected a request")
    assert (
        browser.run("return document.getElementById('requests').selectedOptions[0].text")
        == "what is written below"
    )


def answered(browser, url, number):
    """The statuses of so many answers of an address; browsers tell of them though pages do not see them."""
    sent, found = set(), []

    def look(_):
        events = [json.loads(entry["message"])["message"] for entry in browser.driver.get_log("performance")]
        for event in events:
            parameters = event["params"]
            if event["method"] == "Network.requestWillBeSent" and parameters["request"]["url"] == url:
                sent.add(parameters["requestId"])
        found.extend(
            event["params"]["statusCode"]
            for event in events
            if event["method"] == "Network.responseReceivedExtraInfo" and event["params"]["requestId"] in sent
        )
        return len(found) >= number

    WebDriverWait(browser.driver, 20).until(look)
    return set(found)


EVIL = """<!DOCTYPE html><title>evil</title><iframe src="%(url)s/"></iframe>
<form id="form" method="post" enctype="text/plain" target="sink" action="%(url)s/api/save">
<input name='%(body)s'></form>
<iframe name="sink"></iframe>"""


def test_another_origin_cannot_ask_even_with_the_token(browser, studio, root):
    body = json.dumps({"text": "# evil\n", "name": "evil.yaml", "seen": None})

    async def page(_):
        return HTMLResponse(EVIL % {"url": studio.url, "body": body.replace("'", "&#39;")})

    with serve(Starlette(routes=[Route("/", page)])) as elsewhere:
        browser.open(elsewhere)
        outcome = browser.driver.execute_async_script(
            """const [url, token, body, done] = arguments;
            const ask = (mode, headers) => fetch(url + "/api/save", {method: "POST", mode, headers, body})
              .then((answer) => `${answer.type} ${answer.status}`, (error) => error.name);
            (async () => done([
              await ask("cors", {"content-type": "application/json", "x-studio-token": token}),
              await ask("cors", {"content-type": "text/plain"}),
              await ask("no-cors", {"content-type": "text/plain"}),
              await fetch(url + "/").then(() => "read", (error) => error.name),
              window.frames[0].length,
            ]))();""",
            studio.url,
            studio.studio.token,
            body,
        )
        # What is sent without asking first arrives, is refused, and its answer is not to be read.
        assert outcome[:2] == ["TypeError", "TypeError"]
        assert outcome[2] in {"opaque 0", "TypeError"}
        assert outcome[3] == "TypeError"
        browser.run("document.getElementById('form').submit()")
        # A preflight, two that need none, and the form.
        assert answered(browser, f"{studio.url}/api/save", 4) == {403}
        assert "frame-ancestors" in " ".join(browser.console())
    assert list((root / "policies").iterdir()) == []
