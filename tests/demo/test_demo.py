"""The demo: what it measures, and what it prints."""

import importlib.util
import logging
import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from decimal import Decimal
from itertools import pairwise

import pytest

from policy_cache import Engine
from policy_cache.cache.cost import cost
from policy_cache.cli.main import main
from policy_cache.demo import DemoError, DemoResult, Step, report, run_demo
from policy_cache.demo.conversation import reply, requests
from policy_cache.providers.prices import list_prices
from policy_cache.text.styled import ansi, plain

# Building litellm's types warns, the first time that a response is read.
pytestmark = pytest.mark.filterwarnings("ignore:Item '.*' on TypedDict class:UserWarning")

DISABLED = """
version: 1
name: nothing
enabled: false
rules: [{name: r, targets: [system], action: {add_cache_control: {}}}]
"""
ONE_HOUR = """
version: 1
name: hour
rules: [{name: r, targets: [system], action: {add_cache_control: {ttl: 1h}}}]
"""


@pytest.fixture(scope="module")
def result():
    return run_demo()


def test_the_conversation_is_the_same_every_time():
    assert list(requests()) == list(requests())


def test_each_request_is_the_one_before_with_a_turn_added():
    conversation = list(requests())
    assert len(conversation) == 8
    for before, after in pairwise(conversation):
        assert after["messages"][:-2] == before["messages"]
        assert {**after, "messages": None} == {**before, "messages": None}
        assert [message["role"] for message in after["messages"][-2:]] == ["assistant", "tool"]


def test_the_provider_answers_what_the_next_request_carries():
    for before, after in pairwise(requests()):
        text, call = reply(before)
        carried = after["messages"][-2]
        assert (carried["content"], carried["tool_calls"][0]["id"]) == (text["text"], call["id"])


def test_only_the_first_request_reads_nothing(result):
    reads = [one.rewritten.prompt.read for one in result.requests]
    assert reads[0] == 0
    assert all(earlier < later for earlier, later in pairwise(reads))


def test_each_request_reads_all_that_was_read_or_written_before(result):
    prompts = [one.rewritten.prompt for one in result.requests]
    for before, after in pairwise(prompts):
        assert after.read == before.read + before.write_5m + before.write_1h


def test_nothing_is_cached_without_the_policy(result):
    assert all(one.without.prompt.uncached == one.without.prompt.total for one in result.requests)


def test_no_token_is_lost(result):
    for one in (*result.requests, result.total):
        assert one.rewritten.prompt.total == one.without.prompt.total
        assert one.rewritten.output == one.without.output > 0


def test_the_saving(result):
    total = result.total
    assert float(total.without.cost) == pytest.approx(1.34, rel=0.03)
    assert float(total.rewritten.cost) == pytest.approx(0.46, rel=0.05)
    assert result.saving >= Decimal("0.65")


def test_the_total_is_what_its_tokens_cost(result):
    prices = list_prices("claude-sonnet-4-5")
    for usage in (result.total.without, result.total.rewritten):
        assert cost(usage.prompt, prices.for_prompt(usage.prompt.total), usage.output) == usage.cost


def test_the_plan_is_of_the_first_request(result):
    assert result.plan.original == next(requests())
    assert [edit.location for edit in result.plan.edits] == [
        ("tools", 8),
        ("messages", 0, "content"),
        ("messages", 1, "content"),
    ]


def test_what_is_printed(result):
    text = plain(report(result))
    assert text.startswith("8 requests of one agent, about 56,000 tokens each, ")
    assert result.plan.diff() in text
    header, *rows, total, empty, verdict = text[text.index("request    tokens") :].splitlines()
    assert header == "request    tokens   uncached    written      read   uncached    without      with"
    assert [row.split()[0] for row in rows] == list("12345678")
    assert total.split()[0] == "total"
    assert {len(row) for row in (*rows, total)} == {len(header)}
    assert (empty, verdict) == ("", "saved 66 %: $1.34 without the policy, $0.46 with it")


def test_a_row_adds_up(result):
    line = next(line for line in plain(report(result)).splitlines() if line.startswith("      8 "))
    tokens, without, written, read, uncached = (int(cell.replace(",", "")) for cell in line.split()[1:6])
    assert tokens == without == written + read + uncached


def test_the_verdict_stands_out(result):
    assert "\x1b[1msaved 66 %\x1b[0m: " in ansi(report(result))


def test_a_policy_that_does_nothing_saves_nothing():
    result = run_demo(Engine.from_text(DISABLED))
    assert result.saving == 0
    assert not result.plan.changed
    assert "saved 0 %" in plain(report(result))


@pytest.fixture(scope="module")
def hour():
    return run_demo(Engine.from_text(ONE_HOUR))


def test_an_hour_is_billed_as_an_hour(hour):
    first = hour.requests[0]
    assert first.rewritten.prompt.write_5m == 0 < first.rewritten.prompt.write_1h
    assert first.rewritten.cost > Decimal("1.9") * first.without.cost


def test_what_costs_more_says_so(hour):
    only_first = DemoResult(hour.requests[:1], hour.plan)
    assert only_first.saving < 0
    assert "\ncosts 100 % more: $0.17 without the policy, $0.33 with it\n" in plain(report(only_first))


def test_litellm_is_silent_and_left_as_it_was(capfd):
    import litellm

    before = litellm.suppress_debug_info
    run_demo()
    assert capfd.readouterr() == ("", "")
    assert litellm.suppress_debug_info is before
    assert not logging.getLogger("LiteLLM").disabled


def test_a_proxy_in_the_environment_is_not_asked(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert run_demo(Engine.from_text(DISABLED)).saving == 0


STEPS = """\
starting a provider on this machine
importing litellm, which takes some seconds
sending 8 requests without the policy
sending 8 requests with the policy
"""


def test_what_is_being_done_is_told():
    told = []
    run_demo(tell=told.append)
    counted = [
        Step(f"sending 8 requests {how} the policy", number, 8)
        for how in ("without", "with")
        for number in range(9)
    ]
    assert told == [Step(line) for line in STEPS.splitlines()[:2]] + counted


def test_the_command_says_what_it_does_on_standard_error(capsys, result):
    with pytest.raises(SystemExit) as left:
        main(["demo"])
    out, err = capsys.readouterr()
    assert (left.value.code, err) == (0, STEPS)
    assert out == plain(report(result))


def test_on_a_terminal_the_requests_are_counted():
    """As a user sees it: everything is drawn on standard error, and redrawn, and nothing of it elsewhere."""
    screen, terminal = pty.openpty()
    program = subprocess.Popen(
        [sys.executable, "-m", "policy_cache", "demo"],
        stdout=subprocess.PIPE,
        stderr=terminal,
        env=os.environ | {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(terminal)
    drawn = b""
    with suppress(OSError):  # a terminal that nobody writes to any more
        while read := os.read(screen, 65_536):
            drawn += read
    os.close(screen)
    out, _ = program.communicate(timeout=60)
    assert program.returncode == 0
    assert out.startswith(b"8 requests of one agent, ")
    assert b"\x1b[" not in out
    seen = drawn.decode()
    assert re.search(r"importing litellm, which takes some seconds\S* \S*0:00:0[1-9]", seen)
    for how in ("without", "with"):
        assert f"sending 8 requests {how} the policy: 8 of 8" in seen


def test_importing_the_demo_imports_nothing_it_needs():
    code = "import sys, policy_cache.demo; print({'litellm', 'mcp', 'starlette', 'uvicorn'} & {*sys.modules})"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"


@pytest.mark.parametrize("missing", ["litellm", "mcp", "starlette", "uvicorn"])
def test_what_is_missing_is_named(missing, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "policy_cache.demo.client.find_spec", lambda name: None if name == missing else find(name)
    )
    with pytest.raises(DemoError, match=rf"^{missing} is not .* 'policy-cache\[litellm,emulator\]'$"):
        run_demo()


def test_a_refusal_is_an_error_of_the_demo(monkeypatch):
    def refused(conversation):
        return [{**request, "max_tokens": -1} for request in conversation]

    monkeypatch.setattr("policy_cache.demo.run.requests", lambda: refused(requests()))
    with pytest.raises(DemoError, match="litellm could not send a request: "):
        run_demo()
