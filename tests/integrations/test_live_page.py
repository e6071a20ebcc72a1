"""The page that a router mounts: what it sends, what it forbids, and that a plug-in feeds it."""

from __future__ import annotations

import json
import re
import sys
from base64 import b64encode
from hashlib import sha256

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from policy_cache import Engine
from policy_cache.emulator.server import serve
from policy_cache.integrations.asgi import LivePageError, live_page
from policy_cache.integrations.litellm import PolicyCacheHandler
from policy_cache.usage.live import Live
from tests.integrations.test_metrics import MODEL, answer, request
from tests.usage.test_live import account


@pytest.fixture(scope="module")
def mounted():
    live = Live()
    with serve(Starlette(routes=[Mount("/caches", live_page(live))])) as url:
        yield live, f"{url}/caches"


def test_a_plug_in_feeds_it():
    live = Live()
    handler = PolicyCacheHandler(Engine.default(), ledger=live)
    answer(handler, request())
    answer(handler, request())
    with serve(live_page(live)) as url:
        told = httpx.get(f"{url}/live.json")
    found = told.json()
    assert [(row["name"], row["hour"]["requests"]) for row in found["rows"]] == [(MODEL, 2)]
    assert [row["name"] for row in found["rules"]] == ["agent-prefix"]
    # Twice 5,000 tokens read for a tenth of $3 a million, 100 written for 1.25 of it and 20 for double.
    assert (found["whole"]["read"], found["whole"]["saved_usd"]) == (10_000, pytest.approx(0.02673))
    assert (found["misses"], found["without_usage"], found["faults"]) == (None, None, None)
    assert "SECRET" not in told.text


def test_it_runs_its_own_script_and_asks_its_own_server_alone(mounted):
    _, url = mounted
    page = httpx.get(f"{url}/")
    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["connect-src"] == "'self'"
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        [text] = re.findall(f"<{tag}>(.*?)</{tag}>", page.text, re.DOTALL)
        assert policy[rule] == f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
    assert not re.search(r"\son\w+=|style=|https?://(?!www\.w3\.org)", page.text)


@pytest.mark.parametrize("path", ["/", "/live.json"])
def test_what_browsers_are_told(mounted, path):
    _, url = mounted
    headers = httpx.get(url + path).headers
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert not [name for name in headers if name.startswith("access-control-")]


def test_it_can_only_be_read(mounted):
    _, url = mounted
    assert [
        httpx.request(method, f"{url}/live.json").status_code for method in ("POST", "PUT", "DELETE")
    ] == [405] * 3
    assert httpx.get(f"{url}/live.js").status_code == 404
    assert httpx.get(url, follow_redirects=True).url == f"{url}/"


def test_rows_beyond_fifty_are_left_out():
    live = Live()
    for number in range(60):
        live.add(account(f"m{number}", f"r{number}", read=number))
    with serve(live_page(live)) as url:
        found = httpx.get(f"{url}/live.json").json()
    assert (len(found["rows"]), found["rows_left_out"], found["rules_left_out"]) == (50, 10, 10)
    assert found["rows"][0]["name"] == "m59"


def test_figures_are_added_up_once_a_second_however_many_look(monkeypatch):
    live, asked = Live(), []
    snapshot = live.snapshot
    monkeypatch.setattr(live, "snapshot", lambda: asked.append(1) or snapshot())
    monkeypatch.setattr("policy_cache.integrations.asgi.page._FRESH", 3_600.0)
    with serve(live_page(live)) as url:
        answers = {httpx.get(f"{url}/live.json").text for _ in range(5)}
    assert (len(answers), len(asked)) == (1, 1)
    assert json.loads(answers.pop())["rows"] == []


def test_without_starlette_it_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "starlette"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "starlette", None)
    with pytest.raises(LivePageError, match=r"pip install 'policy-cache\[emulator\]'"):
        live_page(Live())
