"""`policy-cache switches`: what it prints, and how it exits."""

from __future__ import annotations

import json

import pytest

SECRET = "xyzzy"
SONNET, HAIKU = "anthropic/claude-sonnet-4-5", "anthropic/claude-haiku-4-5"


def trace(*models, usage=None):
    messages = [
        {"role": "system", "content": f"{SECRET} " + "word " * 3_000},
        {"role": "user", "content": "q"},
    ]
    for number, model in enumerate(models):
        messages = [*messages, {"role": "assistant", "content": "a"}, {"role": "user", "content": "r"}]
        request = {"model": model, "messages": messages}
        line = {"ts": 10.0 * number, "session": "s", "request": request}
        yield json.dumps(line | ({"usage": usage} if usage else {})) + "\n"


FULL = """\
trace.jsonl: 1 switch of model in 3 requests

switch                                                     number  cost against staying
anthropic/claude-sonnet-4-5 to anthropic/claude-haiku-4-5       1               $0.0073

trace.jsonl:3: anthropic/claude-sonnet-4-5 to anthropic/claude-haiku-4-5: paid $0.0086, $0.0073 \
against staying, session s

router                                      cost  tokens read  switches
as recorded                              $0.0357        4,303         1
each session stays with its first model  $0.0285        8,614         0
always the cheapest by the token         $0.0095        8,614         0
follows the quotes                       $0.0095        8,614         0
Costs are modelled by the rules of each cache, or, as recorded, those of the usage that the trace has; \
replies are included where it has them, and every model is taken to answer alike.
"""


@pytest.fixture
def switched(run, save):
    """A run of the command on a conversation that changes its model."""
    save("trace.jsonl", "".join(trace(SONNET, SONNET, HAIKU)))
    return lambda *options: run("switches", "trace.jsonl", *options)


def test_everything_for_a_person(switched):
    ran = switched()
    assert (ran.code, ran.out, ran.err) == (0, FULL, "")


def test_a_session_that_comes_to_a_model_without_a_name(run, save):
    save("trace.jsonl", "".join(trace(SONNET, "", SONNET)))
    ran = run("switches", "trace.jsonl")
    assert (ran.code, ran.err) == (0, "")
    first, second = (
        line for line in ran.out.splitlines() if line.startswith("trace.jsonl:") and "paid" in line
    )
    unknown = "against staying: unknown, session s"
    assert first == f"trace.jsonl:2: {SONNET} to (none): paid unknown, {unknown}"
    assert second == f"trace.jsonl:3: (none) to {SONNET}: paid $0.0014, {unknown}"
    assert run("report", "trace.jsonl", "-o", "page.html").code == 0


def test_everything_for_a_program(switched):
    ran = switched("--output-format", "json", "--limit", "0")
    found = json.loads(ran.out)
    assert (found["requests"], found["compared_requests"], found["switches"]) == (3, 3, [])
    [pair] = found["pairs"]
    assert (pair["source"], pair["target"], pair["switches"], pair["unknown"]) == (SONNET, HAIKU, 1, 0)
    assert [router["switches"] for router in found["routers"].values()] == [1, 0, 0, 0]
    assert SECRET not in ran.out


def test_one_model_leaves_no_choice(run, save):
    save("trace.jsonl", "".join(trace(SONNET, SONNET)))
    ran = run("switches", "trace.jsonl")
    assert ran.out == (
        "trace.jsonl: 0 switches of model in 2 requests\none model alone: no other router has a choice\n"
    )


@pytest.mark.parametrize("among", ["", "nope"])
def test_a_model_of_nobody_is_refused(switched, among):
    ran = switched("--among", among)
    assert ran.code == 2
    assert f"--among: whose model is {among!r}?" in ran.err


@pytest.mark.parametrize(
    ("premium", "why"),
    [
        ("nan", "nan is not a finite number."),
        ("inf", "inf is not a finite number."),
        ("-0.1", "-0.1 is not in the range x>=0."),
        ("-nan", "-nan is not a finite number."),
        ("much", "'much' is not a valid float"),
    ],
)
def test_a_premium_that_can_be_none_is_refused(switched, premium, why):
    ran = switched("--max-premium", premium)
    assert ran.code == 2
    assert "--max-premium" in ran.err
    assert why in ran.err


TEXT = json.dumps({"ts": 11, "request": {"model": HAIKU, "messages": "a text"}}) + "\n"
LEFT_OUT = "1 request left out: $['messages']: expected a list of messages, found a text"


@pytest.mark.parametrize(("command", "code"), [("switches", 0), ("simulate", 0), ("misses", 1)])
def test_a_request_that_cannot_be_read_is_left_out_with_a_word(run, save, command, code):
    first, *rest = trace(SONNET, SONNET, HAIKU)
    ran = run(command, save("trace.jsonl", "".join([first, TEXT, *rest])))
    assert (ran.code, ran.err) == (code, "")
    assert LEFT_OUT in ran.out.splitlines()
    assert "3 requests" in ran.out.splitlines()[0]


def test_a_report_leaves_it_out_too(run, save, folder):
    lines = [*trace(SONNET, SONNET, HAIKU)]
    ran = run("report", save("trace.jsonl", "".join([*lines, TEXT])), "-o", "page.html")
    assert (ran.code, ran.out, ran.err) == (0, "", "wrote page.html\n")
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert LEFT_OUT.replace("'", "&#x27;") in page
    assert "Switches of model" in page


@pytest.mark.parametrize("command", ["switches", "simulate"])
def test_a_request_that_is_too_large_is_left_out_with_the_same_word(run, save, command):
    content = [{"type": "text", "text": "a", "x": [1] * 200_001}]
    request = {"model": HAIKU, "messages": [{"role": "user", "content": content}]}
    lines = [*trace(SONNET, HAIKU), json.dumps({"ts": 11, "request": request})]
    ran = run(command, save("trace.jsonl", "".join(lines)))
    assert (ran.code, ran.err) == (0, "")
    said = "1 request left out: $: expected a request, found over 200,000 values, or a cycle"
    assert said in ran.out.splitlines()
    assert "2 requests" in ran.out.splitlines()[0]


def test_where_no_request_can_be_read_it_is_said_why(run, save):
    refused = run("switches", save("trace.jsonl", TEXT)).refused()
    assert refused == (
        "trace.jsonl: nothing to evaluate: $['messages']: expected a list of messages, found a text"
    )


def test_nothing_to_evaluate(run, save):
    save("trace.jsonl", "")
    assert run("switches", "trace.jsonl").code == 2


def test_stats_counts_recorded_switches(run, save):
    usage = {"prompt_tokens": 10}
    lines = [json.loads(line) for line in trace(SONNET, HAIKU, usage=usage)]
    lines[1]["policy"] = {"switch": {"from": SONNET, "cost_usd": 0.25}}
    save("trace.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    assert "1 switch of model cost $0.2500 against staying\n" in run("stats", "trace.jsonl").out
    found = json.loads(run("stats", "trace.jsonl", "--output-format", "json").out)
    assert (found["model_switches"], found["model_switch_cost_usd"]) == (1, 0.25)


@pytest.mark.parametrize(
    "cost", ["true", "false", '"0.25"', "[]", "{}", "null", "1e308", "-1e308", "NaN", "1" * 400]
)
def test_a_recorded_cost_that_is_none_costs_no_more_than_itself(run, save, cost):
    said = '"policy": {"switch": {"from": "m", "cost_usd": %s}}'
    lines = [
        f'{{"ts": {at}, "request": {{"model": "{HAIKU}"}}, "usage": {{"prompt_tokens": 10}}, {said % one}}}\n'
        for at, one in enumerate([cost, cost, "0.25"])
    ]
    save("trace.jsonl", "".join(lines))
    found = json.loads(run("stats", "trace.jsonl", "--output-format", "json").out)
    assert (found["model_switches"], found["model_switch_cost_usd"]) == (3, 0.25)
    assert found["models"][HAIKU]["requests"] == 3
    live = json.loads(run("live", "trace.jsonl", "--output-format", "json").out)
    assert (live["whole"]["requests"], live["broken_lines"]) == (3, 0)


def test_a_recorded_time_that_is_none_is_not_known(run, save):
    line = {"ts": True, "request": {"model": HAIKU, "messages": []}, "usage": {"prompt_tokens": 10}}
    save("t.jsonl", json.dumps(line) + "\n")
    found = json.loads(run("live", "t.jsonl", "--output-format", "json").out)
    assert (found["whole"]["requests"], found["since"]) == (1, None)
