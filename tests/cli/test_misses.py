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

FULL = """\
trace.jsonl: 2 of 3 requests in 1 session did not read all that they could

cause                      requests  tokens     cost
the system prompt changed         1   3,440  $0.0157
no breakpoint there               1   2,292  $0.0118
A cost is what the tokens were billed beyond the price of reading them: what mending its cause saves is \
an estimate.

trace.jsonl:3: miss[system_changed]: first differing block $['system'] changed at character 6,001: \
looks like a clock
  1 request of session a: 3,440 tokens, $0.0157
  mend: move what changes behind the system prompt, or `split_text` before it and mark `system`
trace.jsonl:2: miss[no_breakpoint]: $['messages'][0]['content']: the request before had no breakpoint \
up to here
  1 request of session a: 2,292 tokens, $0.0118
  mend: a target there
"""


def test_everything_for_a_person(run, save):
    save("trace.jsonl", jsonl(*conversation()))
    ran = run("misses", "trace.jsonl")
    assert (ran.code, ran.out, ran.err) == (1, FULL, "")


def test_a_line_for_each_miss(run, save):
    save("trace.jsonl", jsonl(*conversation()))
    ran = run("misses", "--output-format", "concise", "trace.jsonl")
    assert (ran.code, ran.out, ran.err) == (1, CONCISE, "")


FIVE_MINUTES = """\
version: 1
name: five
rules:
  - name: conversation
    targets: [system, messages.previous_turn, messages.last]
    action: {add_cache_control: {}}
"""


def pauses(*gaps, session="a"):
    """A conversation of as many turns as pauses, and one."""
    said, at, found = [text(60)], 0.0, []
    for gap in (0.0, *gaps):
        at += gap
        found.append(record(at, *said, session=session, clock=session))
        said += [text(60), text(60)]
    return found


def test_many_misses_of_one_cause_are_one_entry(run, save):
    save("five.yaml", FIVE_MINUTES)
    save("trace.jsonl", jsonl(*pauses(*[310] * 79, 4000)))
    ran = run("misses", "--policy", "five.yaml", "trace.jsonl")
    assert len(ran.out.splitlines()) == 9
    assert ran.out.endswith(
        "\ntrace.jsonl:2: miss[expired]: $['messages'][0]['content']: the 5m entry that ends here had "
        "expired 10 s before; 1h would have kept it\n"
        "  80 requests of session a: 700,560 tokens, $2.4169\n"
        "  mend: `ttl: 1h` on `conversation`: 79 of 80, saves about $2.29\n"
    )
    ran = run("misses", "--policy", "five.yaml", "--output-format", "json", "trace.jsonl")
    (group,) = json.loads(ran.out)["groups"]
    assert (group["requests"], group["change"]) == (80, "`ttl: 1h` on `conversation`")
    assert (group["mended_requests"], round(group["saved_usd"], 2)) == (79, 2.29)
    ran = run("misses", "--policy", "five.yaml", "--output-format", "concise", "--limit", "80", "trace.jsonl")
    assert len(ran.out.splitlines()) == 80


def test_further_groups_are_added_up(run, save):
    save("five.yaml", FIVE_MINUTES)
    sent = [*pauses(310, 310), *pauses(310, session="b"), *pauses(310, session="c")]
    save("trace.jsonl", jsonl(*sorted(sent, key=lambda one: one["ts"])))
    ran = run("misses", "--policy", "five.yaml", "--limit", "1", "trace.jsonl")
    assert ran.out.splitlines()[-1].startswith("and 2 more: 2 requests, ")


def test_the_markers_of_the_client_are_named_as_sent(run, save):
    save("trace.jsonl", jsonl(*map(marked, pauses(310, 310))))
    ran = run("misses", "--as-sent", "trace.jsonl")
    assert "  mend: `ttl: 1h` on the client's markers: 2 of 2, saves about $" in ran.out


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
        "counted", "causes", "misses", "groups", "warnings", "note",
    ]  # fmt: skip
    assert (found["requests"], found["sessions"], found["missed_requests"]) == (3, 1, 2)
    (miss,) = found["misses"]
    assert list(miss) == ["where", "session", "cause", "location", "detail", "tokens", "cost_usd"]
    assert (miss["where"], miss["session"], miss["cause"]) == ("trace.jsonl:3", "a", "system_changed")
    (group,) = found["groups"]
    assert list(group) == [
        "session", "cause", "title", "requests", "tokens", "cost_usd", "where", "location", "detail",
        "change", "mended_requests", "saved_usd",
    ]  # fmt: skip
    assert (group["where"], group["requests"], group["tokens"]) == ("trace.jsonl:3", 1, 3440)
    assert (group["mended_requests"], group["saved_usd"]) == (None, None)
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
