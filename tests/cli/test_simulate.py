"""`policy-cache simulate` and `policy-cache tune`: what they print, and how they fail."""

import json
import os
import threading

import pytest

from policy_cache import Engine
from policy_cache.policy.load import load, loads
from tests.forecast.test_compare import agent

RECORDS = [
    {"ts": 100.0 + 20 * number + minute, "request": request, "session": f"s{minute}"}
    for minute in (0, 1)
    for number, request in enumerate(agent(4))
]

FULL = """\
trace.jsonl: 8 requests in 2 sessions, 1 model, over 0:01:01
sizes are estimates by characters; no usage was recorded to fit them to

                cold hits  warm hits    read  written 5m  written 1h  uncached     cost  saved  x optimum
no caching             0%         0%       0           0           0    47,580  $0.1427              4.01
default policy        50%       100%  41,406         415       5,735        24  $0.0485    66%       1.36
optimum                                                                         $0.0356    75%       1.00
"""

KEPT_WARM = """\
                    cold hits  warm hits     read  written 5m  written 1h  uncached     cost  saved  x optimum
no caching                 0%         0%        0           0           0   142,740  $0.4282              1.71
t.yaml                     0%         0%        0     142,668           0        72  $0.5352   -25%       2.14
t.yaml, kept warm          0%        94%  100,029      42,639           0        72  $0.2333    46%       0.93
optimum                                                                              $0.2506    41%       1.00
optimum with pings                                                                   $0.2011    53%       0.80

kept warm  pings     read  written  cost of pings  saved by them
t.yaml        24  143,079        0        $0.0431        $0.3020
"""


@pytest.fixture
def trace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(records=RECORDS, name="trace.jsonl"):
        lines = [one if isinstance(one, str) else json.dumps(one) for one in records]
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return name

    return write


class TestSimulate:
    def test_the_table(self, run, trace):
        ran = run("simulate", trace())
        assert (ran.code, ran.err) == (0, "")
        assert ran.out == FULL

    def test_a_clients_markers_without_effect_are_told(self, run, trace):
        marker = {"cache_control": {"type": "ephemeral"}}
        [first] = agent(1)
        bedrock = "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0"
        [elsewhere] = agent(1, bedrock)
        elsewhere["messages"][0] |= marker
        records = [
            {"ts": 1.0, "request": first | marker},
            {"ts": 2.0, "request": elsewhere | marker},
            {
                "ts": 3.0,
                "request": elsewhere | marker | {"messages": [{"role": "user", "content": ""} | marker]},
            },
        ]
        ran = run("simulate", trace(records))
        assert ran.out.splitlines()[2] == (
            f"{bedrock}: 3 markers of clients take no effect there; `policy-cache explain` says why"
        )
        assert "anthropic/claude-sonnet-4-5: " not in ran.out

    def test_json_has_every_figure(self, run, trace):
        ran = run("simulate", trace(), "--output-format", "json", "--by", "session")
        found = json.loads(ran.out)
        assert (found["format_version"], found["requests"], found["sessions"]) == (1, 8, 2)
        none, policy = found["rows"]
        assert (none["name"], policy["name"]) == ("no caching", "default policy")
        assert none["total"]["cost_usd"] > policy["total"]["cost_usd"] > found["optimum_usd"] > 0
        assert set(policy["groups"]) == {"s0", "s1"}
        assert policy["cold"]["requests"] + policy["warm"]["requests"] == 8

    @pytest.mark.parametrize("by", ["session", "model", "rule", "metadata.team"])
    def test_groups(self, run, trace, by):
        ran = run("simulate", trace(), "--by", by)
        assert ran.code == 0
        assert f"\n{by} " in ran.out

    def test_a_group_that_is_none(self, run, trace):
        ran = run("simulate", trace(), "--by", "moon")
        assert ran.code == 2
        assert "expected session, model, rule, or metadata. and a name" in ran.err

    def test_several_policies_by_their_files(self, run, trace, tmp_path):
        (tmp_path / "none.yaml").write_text("version: 1\nname: none\nrules: []\n")
        (tmp_path / "tail.yaml").write_text(
            "version: 1\nname: tail\nrules:\n"
            "  - {name: t, targets: [messages.last], action: {add_cache_control: {}}}\n"
        )
        ran = run("simulate", trace(), "--policy", "none.yaml", "--policy", "tail.yaml")
        rows = [line.split()[0] for line in ran.out.splitlines()[3:]]
        assert rows == ["cold", "no", "none.yaml", "tail.yaml", "optimum"]

    def test_kept_warm(self, run, trace, tmp_path):
        (tmp_path / "t.yaml").write_text(
            "version: 1\nname: short\nrules:\n"
            "  - {name: t, targets: [messages.last], action: {add_cache_control: {ttl: 5m}}}\n"
        )
        records = [
            {"ts": 8_000.0 * talk + 400 * number, "request": request, "session": f"s{talk}"}
            for talk in range(6)
            for number, request in enumerate(agent(4, system=f"{talk} " + "word " * 4_000))
        ]
        ran = run("simulate", trace(records), "--policy", "t.yaml", "--keep-warm")
        assert ran.out.split("\n\n", 1)[1] == KEPT_WARM
        ran = run("simulate", trace(records), "--policy", "t.yaml", "--keep-warm", "--output-format", "json")
        found = json.loads(ran.out)
        assert [row["name"] for row in found["rows"]][1:] == ["t.yaml", "t.yaml, kept warm"]
        assert found["rows"][2]["pings"]["requests"] > 0
        assert found["optimum_with_pings_usd"] <= found["optimum_usd"]

    def test_a_policy_with_a_mistake(self, run, trace, tmp_path):
        (tmp_path / "bad.yaml").write_text("version: 1\nname: bad\nrulez: []\n")
        ran = run("simulate", trace(), "--policy", "bad.yaml")
        assert (ran.code, ran.out) == (2, "")
        assert "did you mean `rules`?" in ran.err

    def test_standard_input(self, run):
        lines = "".join(json.dumps(record) + "\n" for record in RECORDS)
        ran = run("simulate", "-", stdin=lines)
        assert ran.code == 0
        assert ran.out.splitlines()[1:] == FULL.splitlines()[1:]
        assert ran.out.startswith("<stdin>: 8 requests ")

    def test_a_pipe(self, run, trace, tmp_path):
        trace()
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        lines = "".join(json.dumps(record) + "\n" for record in RECORDS)
        writer = threading.Thread(target=lambda: pipe.write_text(lines))
        writer.start()
        ran = run("simulate", pipe)
        writer.join()
        assert ran.out.splitlines()[1:] == FULL.splitlines()[1:]

    @pytest.mark.parametrize("gap", ["nan", "inf", "-1", "1e15"])
    def test_a_gap_that_is_none(self, run, trace, gap):
        ran = run("simulate", trace(), "--gap", gap)
        assert ran.code == 2
        assert "expected 0 to 10,000,000 seconds" in ran.err

    def test_a_recorded_run_that_began_warm_is_told(self, run, trace):
        warm = {"input_tokens": 3, "cache_read_input_tokens": 5_900}
        ran = run("simulate", trace([record | {"usage": warm} for record in RECORDS]))
        assert "what was recorded costs less than the optimum: caches were warm before" in ran.out

    def test_broken_lines_are_named_and_passed_over(self, run, trace):
        name = trace([*RECORDS, "{", "[]"])
        ran = run("simulate", name)
        assert ran.code == 0
        assert "2 lines left out as no record: trace.jsonl:9: not valid JSON: Input data was trunc" in ran.out
        ran = run("simulate", name, "--broken", "fail")
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith("policy-cache: trace.jsonl:9: not valid JSON: ")

    @pytest.mark.parametrize(
        ("records", "said"),
        [
            ([], "policy-cache: trace.jsonl: nothing to evaluate: it is empty\n"),
            (
                ["{}x", "x"],
                (
                    "policy-cache: trace.jsonl: nothing to evaluate: trace.jsonl:1: not valid JSON: "
                    "JSON is malformed: trailing characters (byte 3)\n"
                ),
            ),
        ],
    )
    def test_nothing_to_evaluate(self, run, trace, records, said):
        ran = run("simulate", trace(records))
        assert (ran.code, ran.out, ran.err) == (2, "", said)

    @pytest.mark.parametrize("command", ["simulate", "misses", "tune", "stats"])
    def test_odd_values_are_no_internal_error(self, run, trace, command):
        request = RECORDS[0]["request"]
        odd = [
            '{"ts": NaN, "request": {}}',
            *({"ts": at, "request": request} for at in ("inf", "nan", 1e300, -1e300, 1_760_000_000_000)),
            *(
                request | {name: value}
                for name in ("tools", "messages", "metadata", "thinking", "tool_choice", "reasoning_effort")
                for value in (7, "x", [1], {"a": [1]}, [[]])
            ),
            *({"ts": 1, "request": request, "usage": usage} for usage in ([1], "x", {"input_tokens": -1})),
            request,
        ]
        ran = run(command, trace(odd))
        assert ran.code in {0, 1}
        assert "internal error" not in ran.err

    def test_milliseconds_are_no_seconds(self, run, trace):
        ran = run("simulate", trace([{"ts": 1_760_000_000_000, "request": RECORDS[0]["request"]}]))
        assert ran.refused() == (
            "trace.jsonl: nothing to evaluate: trace.jsonl:1: expected a time for `ts` in seconds since "
            "1970: this one is out of range"
        )

    def test_a_byte_order_mark(self, run, trace, tmp_path):
        path = tmp_path / trace()
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
        assert run("simulate", "trace.jsonl").out == FULL

    def test_what_cannot_be_read(self, run, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        ran = run("simulate", "none.jsonl")
        assert (ran.code, ran.err) == (2, "policy-cache: none.jsonl: No such file or directory\n")
        (tmp_path / "folder").mkdir()
        ran = run("simulate", "folder")
        assert ran.err == (
            "policy-cache: folder: expected a file, found a directory; name its files: folder/*.jsonl\n"
        )
        assert ran.code == 2

    def test_one_request(self, run, trace):
        ran = run("simulate", trace(RECORDS[:1]))
        assert ran.code == 0
        assert ran.out.startswith("trace.jsonl: 1 request in 1 session, 1 model, over 0:00:00\n")

    def test_no_text_of_a_prompt_is_printed(self, run, trace):
        records = [{"ts": 1.0, "request": request} for request in agent(2, system="SECRET " * 3_000)]
        for by in ("session", "model", "rule"):
            ran = run("simulate", trace(records), "--by", by)
            assert "SECRET" not in ran.out + ran.err


class TestTune:
    def test_it_writes_a_policy_that_is_valid_and_says_why(self, run, trace, tmp_path):
        ran = run("tune", trace(), "-o", "tuned.yaml")
        assert (ran.code, ran.out, ran.err) == (0, "", "wrote tuned.yaml\n")
        text = (tmp_path / "tuned.yaml").read_text()
        assert text.startswith("# Proposed by `policy-cache tune` from trace.jsonl.\n")
        assert "of the 6 that follow another one,\n  # 100% do within five minutes" in text
        assert "The trace is too small to hold a part of it back" in text
        assert run("validate", "tuned.yaml").code == 0
        assert Engine.from_text(text).plan(RECORDS[0]["request"]).changed

    def test_a_models_name_writes_no_rule(self, run, trace, tmp_path):
        name = "x\n  - name: evil\n    match: {}\n    action: {remove_cache_control: {}}\n# "
        other = {"model": name, "messages": [{"role": "user", "content": "hi"}]}
        assert run("tune", trace([*RECORDS, {"ts": 1.0, "request": other}]), "-o", "tuned.yaml").code == 0
        with_it = (tmp_path / "tuned.yaml").read_text()
        assert run("tune", trace(), "-o", "tuned.yaml", "--force").code == 0
        assert loads(with_it).policy == load(tmp_path / "tuned.yaml").policy

    def test_it_prints_the_policy_without_a_file(self, run, trace):
        ran = run("tune", trace())
        assert ran.code == 0
        assert Engine.from_text(ran.out)

    def test_where_it_cannot_write(self, run, trace):
        assert run("tune", trace(), "-o", "none/tuned.yaml").refused() == (
            "none/tuned.yaml: No such file or directory"
        )

    def test_it_writes_over_nothing(self, run, trace, tmp_path):
        (tmp_path / "tuned.yaml").write_text("mine")
        ran = run("tune", trace(), "-o", "tuned.yaml")
        assert ran.code == 2
        assert "tuned.yaml exists; --force writes over it" in ran.err
        assert (tmp_path / "tuned.yaml").read_text() == "mine"
        assert run("tune", trace(), "-o", "tuned.yaml", "--force").code == 0

    def test_long_pauses_ask_for_an_hour(self, run, trace):
        slow = [{"ts": 600.0 * n, "request": request, "session": "s"} for n, request in enumerate(agent(8))]
        assert "ttl: 1h" in run("tune", trace(slow)).out
        quick = [{"ts": 6.0 * n, "request": request, "session": "s"} for n, request in enumerate(agent(8))]
        assert "ttl: 1h" not in run("tune", trace(quick)).out

    def test_requests_that_nothing_follows_get_no_markers(self, run, trace):
        alone = [
            {"ts": 7_200.0 * n, "request": request, "session": f"s{n}"}
            for n, request in enumerate(next(agent(1, system=f"{n} " + "word " * 4_000)) for n in range(6))
        ]
        ran = run("tune", trace(alone))
        assert "rules: []" in ran.out
        assert "# anthropic/claude-sonnet-4-5: no markers." in ran.out
        assert run("tune", trace(alone), "-o", "none.yaml").code == 0
        assert run("validate", "none.yaml").code == 0

    def test_a_later_part_is_held_back(self, run, trace):
        records = [
            {"ts": 30.0 * n + 1_000 * s, "request": request, "session": f"s{s}"}
            for s in range(6)
            for n, request in enumerate(agent(5))
        ]
        ran = run("tune", trace(records))
        assert "# Held back: its first requests alone lead to the same choice, which saves " in ran.out


def test_many_models_are_not_told_one_by_one(run, save):
    """A client may name any number of them; those that were met most often are told."""
    asked = [f"odd-{number:02}" for number in range(30)] + ["odd-29", "odd-28"]
    lines = [{"model": model, "messages": [{"role": "user", "content": "hi"}]} for model in asked]
    save("t.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    out = run("simulate", "t.jsonl").out.splitlines()
    told = [line for line in out if "is not modelled" in line]
    names = [*(f"odd-{number:02}" for number in range(6)), "odd-28", "odd-29"]
    assert [line.split("the cache of ")[1].split()[0] for line in told] == names
    assert [line.startswith("2 requests") for line in told] == [False] * 6 + [True] * 2
    assert out[out.index(told[-1]) + 1] == "and 22 more of this kind"
    [prices] = [line for line in out if line.startswith("no price is known for ")]
    assert prices.endswith(", odd-06 and 23 more: no cost is theirs")
