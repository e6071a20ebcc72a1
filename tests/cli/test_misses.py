"""`policy-cache misses`: what it prints, and how it exits."""

from __future__ import annotations

import json

SECRET = "xyzzy"
MODEL = "anthropic/claude-sonnet-4-5"


def text(size=400):
    return f"{SECRET} " + "word " * (size - 2)


def record(at, *messages, clock="09:41", session="a", **more):
    system = f"{text(1200)}{clock}"
    turns = [{"role": ("user", "assistant")[n % 2], "content": said} for n, said in enumerate(messages)]
    request = {"model": MODEL, "max_tokens": 9, "system": system, "messages": turns, **more}
    return {"ts": at, "session": session, "request": request}


def marked(sent):
    sent["request"]["cache_control"] = {"type": "ephemeral"}
    return sent


def jsonl(*records):
    return "".join(json.dumps(one) + "\n" for one in records)


def conversation(*, clocks=("09:41", "09:41", "09:42"), gap=10.0):
    turns = [text(), text(), text(), text(), text()]
    return [record(gap * n, *turns[: 2 * n + 1], clock=clock) for n, clock in enumerate(clocks)]


CONCISE = """\
trace.jsonl:3: miss[system_changed]: first differing block $['system'] changed at character 6,001: \
looks like a clock (3,440 tokens, $0.0157, session a)
trace.jsonl:2: miss[no_breakpoint]: $['messages'][0]['content']: the request before had no breakpoint \
up to here (2,292 tokens, $0.0118, session a)
"""

FULL = f"""\
trace.jsonl: 2 of 3 requests in 1 session did not read all that they could

cause                      requests  tokens     cost
the system prompt changed         1   3,440  $0.0157
no breakpoint there               1   2,292  $0.0118
A cost is what the tokens were billed beyond the price of reading them: what mending its cause saves is \
an estimate.

{CONCISE}"""


def test_everything_for_a_person(run, save):
    save("trace.jsonl", jsonl(*conversation()))
    ran = run("misses", "trace.jsonl")
    assert (ran.code, ran.out, ran.err) == (1, FULL, "")


def test_a_line_for_each_miss(run, save):
    save("trace.jsonl", jsonl(*conversation()))
    ran = run("misses", "--output-format", "concise", "trace.jsonl")
    assert (ran.code, ran.out, ran.err) == (1, CONCISE, "")


def test_the_dearest_only(run, save):
    save("trace.jsonl", jsonl(*conversation()))
    ran = run("misses", "--output-format", "concise", "--limit", "1", "trace.jsonl")
    assert ran.out == CONCISE.splitlines(keepends=True)[0]


def test_as_json(run, save):
    save("trace.jsonl", jsonl(*conversation()))
    ran = run("misses", "--output-format", "json", "--limit", "1", "trace.jsonl")
    found = json.loads(ran.out)
    assert ran.code == 1
    assert list(found) == [
        "format_version", "requests", "sessions", "missed_requests", "prompt_tokens",
        "causes", "misses", "warnings", "note",
    ]  # fmt: skip
    assert (found["requests"], found["sessions"], found["missed_requests"]) == (3, 1, 2)
    (miss,) = found["misses"]
    assert list(miss) == ["where", "session", "cause", "location", "detail", "tokens", "cost_usd"]
    assert (miss["where"], miss["session"], miss["cause"]) == ("trace.jsonl:3", "a", "system_changed")
    assert list(found["causes"][0]) == ["cause", "title", "requests", "tokens", "cost_usd"]
    assert SECRET not in ran.out


def test_nothing_was_missed(run, save):
    clocks = ("09:41", "09:41")
    save("trace.jsonl", jsonl(*map(marked, conversation(clocks=clocks))))
    ran = run("misses", "trace.jsonl")
    assert ran.code == 0
    assert ran.out == "trace.jsonl: 0 of 2 requests in 1 session did not read all that they could\n"


def test_it_may_exit_with_0(run, save):
    save("trace.jsonl", jsonl(*conversation()))
    assert run("misses", "--exit-zero", "trace.jsonl").code == 0


def test_as_sent_believes_what_was_reported(run, save):
    sent = [marked(one) for one in conversation(clocks=("09:41", "09:41"))]
    sent[0]["usage"] = {"input_tokens": 5, "cache_creation_input_tokens": 2300}
    sent[1]["usage"] = {"input_tokens": 5, "cache_creation_input_tokens": 3450}
    save("trace.jsonl", jsonl(*sent))
    ran = run("misses", "--as-sent", "--output-format", "concise", "trace.jsonl")
    assert ran.out.startswith("trace.jsonl:2: miss[unexplained]: ")
    assert run("misses", "trace.jsonl").code == 0


def test_a_policy_that_marks_nothing(run, save):
    save("none.yaml", "version: 1\nname: none\nrules: []\n")
    save("trace.jsonl", jsonl(*conversation(clocks=("09:41", "09:41"))))
    ran = run("misses", "--policy", "none.yaml", "--output-format", "concise", "trace.jsonl")
    assert ran.out.startswith("trace.jsonl:2: miss[no_breakpoint]: ")


def test_one_session(run, save):
    save("trace.jsonl", jsonl(*conversation(), record(99, text(), session="b")))
    assert run("misses", "--session", "b", "trace.jsonl").code == 0
    ran = run("misses", "--session", "c", "trace.jsonl")
    assert ran.refused() == "trace.jsonl: nothing to evaluate: no request is of that session"


def test_a_trace_without_times(run, save):
    sent = [{name: value for name, value in one.items() if name != "ts"} for one in conversation()]
    save("trace.jsonl", jsonl(*sent))
    ran = run("misses", "--gap", "400", "--output-format", "concise", "trace.jsonl")
    assert "miss[" in ran.out


def test_from_standard_input(run):
    assert run("misses", "-", stdin=jsonl(*conversation())).code == 1


class TestItCannot:
    def test_do_both(self, run, save):
        save("trace.jsonl", jsonl(*conversation()))
        ran = run("misses", "--as-sent", "--policy", "a.yaml", "trace.jsonl")
        assert ran.code == 2
        assert "--policy and --as-sent exclude each other" in ran.err

    def test_look_at_nothing(self, run, save):
        save("trace.jsonl", "")
        assert run("misses", "trace.jsonl").refused() == "trace.jsonl: nothing to evaluate: it is empty"

    def test_look_at_other_caches(self, run, save):
        save("trace.jsonl", jsonl(record(0, "hi", model="deepseek/deepseek-chat")))
        assert run("misses", "trace.jsonl").refused() == (
            "trace.jsonl: nothing to evaluate: "
            "1 request to deepseek/deepseek-chat left out: its cache does not take cache_control"
        )

    def test_read_a_broken_line(self, run, save):
        save("trace.jsonl", jsonl(*conversation()) + "[]\n")
        assert run("misses", "--broken", "fail", "trace.jsonl").refused().startswith("trace.jsonl:4: ")
        assert "1 line left out as no record: trace.jsonl:4: " in run("misses", "trace.jsonl").out

    def test_find_the_file(self, run):
        assert run("misses", "none.jsonl").refused() == "none.jsonl: No such file or directory"
