"""What the server answers: figures, problems, refusals, and never a traceback."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice

import pytest

from policy_cache.forecast.compare import PolicyText, TraceOptions, compare
from policy_cache.live.engine import Engine
from policy_cache.packaged import packaged
from policy_cache.report.plan.explain import explain
from policy_cache.studio.app import MOST_BYTES
from policy_cache.studio.conversation import MOST_TURNS, turns
from policy_cache.studio.offers import Offers
from policy_cache.text.styled import plain
from tests.studio.conftest import AGENT, POLICY, studio_of

DEFAULT = packaged("policies", "default.yaml").read_text(encoding="utf-8")


def said(spans):
    return "".join(text for text, _ in spans)


def test_it_opens_with_the_policy_its_schema_and_requests(asking):
    found = asking.post("start").json()
    assert (found["name"], found["policy"], found["seen"]) == ("policy.yaml", POLICY, None)
    assert (found["file"], found["folder"]) == (False, None)
    assert found["requests"] == ["example: agent.json", "example: messages.json"]
    assert found["schema"] == json.loads(packaged("schema", "policy.schema.json").read_text())
    assert asking.post("request", {"number": 0}).json() == {"text": AGENT}


@pytest.mark.parametrize("number", [-1, 2, 10**9])
def test_a_request_that_is_not_offered(asking, number):
    assert asking.post("request", {"number": number}).status_code == 404


def test_what_is_shown_is_what_the_commands_say(asking):
    shown = asking.evaluate(DEFAULT).json()["shown"]
    engine = Engine.from_text(DEFAULT, "policy.yaml")
    request = json.loads(AGENT)
    plan = engine.plan(request)
    assert said(shown["diff"]) == plan.diff()
    assert said(shown["explanation"]) == plain(explain(engine.rules, engine.facts(request), plan))
    marks = [piece for piece in shown["prefix"]["pieces"] if piece["kind"] == "breakpoint"]
    assert [mark["slot"] for mark in marks] == [1, 2, 3, 4]
    assert {mark["by"].split(" / ")[0] for mark in marks} == {"agent-prefix", "conversation"}


@pytest.mark.parametrize("pause", [15.0, 400.0])
def test_the_saving_is_that_of_a_trace_of_the_turns(asking, tmp_path, pause):
    shown = asking.evaluate(DEFAULT, pause=pause).json()["shown"]["saving"]
    request = json.loads(AGENT)
    asked = [{**request, "messages": request["messages"][:end]} for end in (2, 4, 8)]
    trace = tmp_path / "trace.jsonl"
    lines = [json.dumps({"ts": pause * n, "session": "one", "request": one}) for n, one in enumerate(asked)]
    trace.write_text("\n".join(lines) + "\n", encoding="utf-8")
    found, _ = compare(TraceOptions((str(trace),)), [PolicyText("policy.yaml", DEFAULT)])
    tokens = found.policies[0].total.tokens
    assert [turn["messages"] for turn in shown["turns"]] == [2, 4, 8]
    for name, total in (
        ("read", tokens.read),
        ("written_5m", tokens.write_5m),
        ("uncached", tokens.uncached),
    ):
        assert sum(turn[name] for turn in shown["turns"]) == total
    assert tokens.read > 0
    assert [row[0] for row in shown["rows"]] == ["no caching", "policy.yaml", "optimum"]


def test_turns_are_the_prefixes_before_each_reply():
    roles = ["system", "assistant", "user", "assistant", "assistant", "tool", "assistant", "user"]
    request = {"model": "m", "messages": [{"role": role, "content": "x"} for role in roles]}
    assert [len(turn["messages"]) for turn in turns(request)] == [3, 6, 8]
    assert turns(request)[-1] is request
    assert turns({"model": "m"}) == [{"model": "m"}]


def test_a_long_conversation_is_cut_and_that_is_said(asking):
    messages = [
        {"role": role, "content": "x"} for _ in range(MOST_TURNS + 5) for role in ("user", "assistant")
    ]
    request = json.dumps({"model": "anthropic/claude-sonnet-4-5", "messages": messages})
    found = asking.evaluate(request=request).json()["shown"]["saving"]
    assert len(found["turns"]) == MOST_TURNS
    assert f"the first {MOST_TURNS} of {MOST_TURNS + 6} turns are shown" in found["notes"]


def test_a_mistake_in_the_policy_has_its_place_and_fix(asking):
    found = asking.evaluate(POLICY.replace("targets", "tragets")).json()
    first = found["diagnostics"][0]
    assert (first["code"], first["line"], first["column"]) == ("PC120", 5, 5)
    assert first["fix"]["text"] == "targets"
    assert found["shown"] is None


def test_warnings_keep_nothing_from_being_shown(asking):
    found = asking.evaluate(POLICY.replace("[system]", '["$..content"]')).json()
    assert {one["severity"] for one in found["diagnostics"]} == {"warning"}
    assert found["shown"] is not None


@pytest.mark.parametrize(
    ("request_", "refused"),
    [
        ("", "request:1:1: not JSON: Expecting value"),
        ("{", "request:1:2: not JSON"),
        ("[]", "request: expected a request"),
        ("[" * 100_000, "request: nested too deeply"),
        ('{"messages": []}', "$['model']: expected the model's name"),
        ('{"model": "claude-sonnet-4-5", "messages": 3}', "$['messages']: expected"),
        ('{"model": "claude-sonnet-4-5", "messages": [3]}', "$['messages'][0]: expected"),
    ],
    ids=range(7),
)
def test_a_request_that_cannot_be_planned_says_why(asking, request_, refused):
    answer = asking.evaluate(request=request_)
    assert answer.status_code == 200
    found = answer.json()
    assert found["refused"].startswith(refused)
    assert (found["shown"], found["diagnostics"]) == (None, [])


@pytest.mark.parametrize("policy", ["", "\0", "a: [", "- " * 5_000, "x" * 300_000, "&a [*a]", "version: 1"])
def test_any_text_is_a_policy_with_problems(asking, policy):
    answer = asking.evaluate(policy)
    assert answer.status_code == 200
    assert answer.json()["diagnostics"]


@pytest.mark.parametrize("field", ["policy", "request"])
def test_half_a_surrogate_pair_is_told_where_it_stands(asking, field):
    answer = asking.evaluate(**{field: "version: 1 # \ud83d"})
    assert answer.status_code == 200
    found = answer.json()
    said = "request: half of a surrogate pair, which has no UTF-8"
    assert found["refused"] == (said if field == "request" else None)
    assert [one["code"] for one in found["diagnostics"]] == (["PC106"] if field == "policy" else [])


def test_half_a_surrogate_pair_comes_back(asking):
    request = '{"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "\\ud83d"}]}'
    assert asking.evaluate(request=request).json()["shown"]["changed"] is False


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        {"policy": 1, "request": "", "pause": 1},
        {"policy": "", "request": ""},
        {"policy": "", "request": "", "pause": -1},
        {"policy": "", "request": "", "pause": 1e300},
        {"policy": "", "request": "", "pause": 1, "path": "/etc/passwd"},
        b'{"policy": "", "request": "", "pause": NaN}',
    ],
    ids=range(12),
)
def test_what_is_no_question_is_refused(asking, body):
    answer = asking.post("evaluate", body)
    assert answer.status_code == 400
    assert "Traceback" not in answer.text


def test_a_form_cannot_ask(asking):
    for kind in ("text/plain", "application/x-www-form-urlencoded", None):
        assert asking.post("start", **{"content-type": kind}).status_code == 415


def test_a_question_that_is_too_large_is_given_up(asking):
    assert asking.evaluate(request="x" * MOST_BYTES).status_code == 413
    assert asking.post("start").status_code == 200


def test_what_takes_too_long_is_stopped_and_the_server_lives_on():
    with studio_of(seconds=1.0) as asking:
        answer = asking.evaluate(*endless())
        assert (answer.status_code, answer.json()) == (
            422,
            {"error": "not evaluated: stopped after 1 seconds"},
        )
        assert asking.post("start").status_code == 200
        assert asking.evaluate().json()["shown"] is not None


def endless():
    """Three thousand walks over a large request."""
    paths = ", ".join(f'"$..x{number}"' for number in range(100))
    rule = f"match: {{exists: [{paths}]}}, targets: [system], action: {{add_cache_control: {{}}}}"
    rules = [f"  - {{name: r{number}, {rule}}}\n" for number in range(30)]
    policy = "version: 1\nname: p\nrules:\n" + "".join(rules)
    message = {"role": "user", "content": [{"type": "text", "text": "x"}] * 20_000}
    return policy, json.dumps({"model": "claude-opus-4-5", "messages": [message]})


def test_what_waits_is_bounded_and_keeps_no_other_question_waiting():
    with studio_of(seconds=60.0) as asking, ThreadPoolExecutor(50) as pool:
        answers = [pool.submit(asking.evaluate, *endless()) for _ in range(50)]
        refused = list(islice(as_completed(answers), 46))
        assert asking.post("start").status_code == 200
        asking.studio.close()
        ended = [answer for answer in answers if answer not in refused]
        assert {answer.result().json()["error"] for answer in refused} == {
            "not evaluated: too much is waiting to be evaluated"
        }
        assert {answer.result().json()["error"] for answer in ended} == {
            "not evaluated: the process that evaluates has ended"
        }


def test_a_body_that_is_no_utf8(asking):
    answer = asking.post("evaluate", b'{"policy": "\xff", "request": "", "pause": 1}')
    assert answer.status_code == 400


def test_requests_come_from_a_file_the_examples_and_a_trace(tmp_path):
    trace = tmp_path / "trace.jsonl"
    lines = [{"model": "m", "messages": [{"role": "user", "content": text}]} for text in ("one", "<b>two")]
    trace.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    offers = Offers(("mine.json", '{"model": 1}'), TraceOptions((str(trace),)), "trace.jsonl")
    assert offers.names[:3] == ("mine.json", "example: agent.json", "example: messages.json")
    assert offers.names[3:] == ("trace.jsonl:1: m, 1 message", "trace.jsonl:2: m, 1 message")
    assert offers.text(0) == '{"model": 1}'
    assert offers.text(1) == AGENT
    assert [json.loads(offers.text(number)) for number in (3, 4)] == lines
    with pytest.raises(LookupError):
        offers.text(5)
