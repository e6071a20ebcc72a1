"""`policy-cache stats`: what a trace adds up to, and what it makes of lines that are no records."""

from __future__ import annotations

import json

import pytest

from policy_cache import TraceRecorder
from policy_cache.usage.ledger import Ledger
from policy_cache.usage.stats import stats


def usage(uncached, read=0, written=0):
    return {
        "input_tokens": uncached,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
        "output_tokens": 5,
    }


def trace(path, *more):
    request = {"messages": [{"role": "user", "content": "SECRET"}]}
    claude, unknown = "anthropic/claude-sonnet-4-5", "acme/large"
    with TraceRecorder(path) as recorder:
        recorder.record({**request, "model": claude}, usage=usage(100, written=1_000_000))
        recorder.record({**request, "model": claude}, usage=usage(100, read=1_000_000))
        recorder.record({**request, "model": unknown}, usage=usage(10))
        recorder.record({**request, "model": claude})
    with path.open("ab") as file:
        file.writelines(more)
    return path


TABLE = """\
model                        requests  hits       read    written  uncached  read share    saved
acme/large                          1     0          0          0        10          0%  unknown
anthropic/claude-sonnet-4-5         2     1  1,000,000  1,000,000       200         50%    $1.95
  cold                              1     0          0  1,000,000       100          0%   -$0.75
  warm                              1     1  1,000,000          0       100        100%    $2.70
read because of what is not recorded: 100%
1 request came without usage
"""


def test_the_table(run, folder):
    ran = run("stats", trace(folder / "trace.jsonl"))
    assert (ran.code, ran.out, ran.err) == (0, TABLE, "")


def test_lines_that_are_no_records(run, folder):
    broken = [b'{"v": 1, "ts": 3, "requ\n', b"\n", b"[]\n", b'{"request": 3}\n', b"\xff\n"]
    ran = run("stats", trace(folder / "trace.jsonl", *broken))
    assert (ran.code, ran.out) == (0, TABLE)
    assert ran.err == "policy-cache: 4 lines are no records: 5, 7, 8, 9\n"


def test_as_json(run, folder):
    found = json.loads(run("stats", "--output-format", "json", trace(folder / "trace.jsonl")).out)
    cold = {
        "requests": 1,
        "hits": 0,
        "read": 0,
        "written": 1_000_000,
        "write_5m": 1_000_000,
        "write_1h": 0,
        "uncached": 100,
        "output": 5,
        "saved_usd": -0.75,
        "unpriced": 0,
    }
    warm = cold | {"hits": 1, "read": 1_000_000, "written": 0, "write_5m": 0, "saved_usd": 2.7}
    whole = cold | {"requests": 2, "hits": 1, "read": 1_000_000, "uncached": 200, "output": 10}
    assert found["models"]["anthropic/claude-sonnet-4-5"] == {
        **whole,
        "saved_usd": 1.95,
        "cold": cold,
        "warm": warm,
    }
    assert found["models"]["acme/large"]["saved_usd"] is None
    assert (found["without_usage"], found["broken_lines"]) == (1, [])


COPIES = "2 lines left out as a copy of an earlier one"


def copied(folder):
    """A trace whose first two lines come twice, the last of them without its end."""
    content = trace(folder / "trace.jsonl").read_bytes()
    first, second, *_ = content.splitlines(keepends=True)
    (folder / "copied.jsonl").write_bytes(content + first + second.rstrip())
    return "copied.jsonl"


def test_a_copy_of_a_line_is_left_out(run, folder):
    """As `misses` and `simulate` do."""
    path = copied(folder)
    ran = run("stats", path)
    assert (ran.code, ran.out, ran.err) == (0, TABLE, f"policy-cache: {COPIES}\n")
    found = json.loads(run("stats", "--output-format", "json", path).out)
    assert (found["duplicate_lines"], found["broken_lines"]) == (2, [])
    assert found["models"]["anthropic/claude-sonnet-4-5"]["requests"] == 2
    for command in ("misses", "simulate"):
        assert COPIES in run(command, path).out.splitlines()


@pytest.mark.parametrize(("ts", "copies"), [(1, 1), (0, 1), ("2026-01-01T00:00:00", 1), (None, 0), (True, 0)])
def test_only_a_line_with_a_time_is_a_copy(run, save, ts, copies):
    request = {"model": "acme/large", "messages": [{"role": "user", "content": "SECRET"}]}
    line = json.dumps({"ts": ts, "request": request, "usage": usage(10)}) + "\n"
    found = json.loads(run("stats", "--output-format", "json", save("t.jsonl", line * 2)).out)
    assert (found["models"]["acme/large"]["requests"], found["duplicate_lines"]) == (2 - copies, copies)
    said = f"{copies} line left out as a copy of an earlier one" in run("simulate", "t.jsonl").out
    assert said is bool(copies)


# What a plug-in records beside the request

CLAUDE = "anthropic/claude-sonnet-4-5"


def share(source, rule=None, **figures):
    return {"source": source} | ({"rule": rule} if rule else {}) | figures


def attributed(path, text="plain"):
    """Two sessions, of two revisions, and a line whose shares do not add up."""
    talk = {"model": CLAUDE, "messages": [{"role": "user", "content": "SECRET"}]}
    turns = [
        ("s", "r1", usage(0, written=100_000), [share("policy", "prefix", write_5m=100_000)]),
        (
            "s",
            "r1",
            usage(0, read=100_000, written=10_000),
            [share("policy", "prefix", read=90_000), share("client", read=10_000, write_5m=10_000)],
        ),
        ("t", "r2", usage(0, read=300_000), [share("policy", "talk", read=300_000)]),
        ("t", "r2", usage(0, read=7), [share("policy", "prefix", read=8)]),
    ]
    with TraceRecorder(path, text=text) as recorder:
        for session, revision, used, shares in turns:
            policy = {"revision": revision, "route": "anthropic", "rules": ["prefix"], "shares": shares}
            recorder.record(talk, usage=used, session=session, policy=policy)
    return path


BY = {
    "rule": """\
rule          requests  hits     read  written     saved
(client)             1     1   10,000   10,000   $0.0195
(unrecorded)         1     1        7        0   $0.0000
prefix               2     1   90,000  100,000   $0.1680
  cold               1     0        0  100,000  -$0.0750
  warm               1     1   90,000        0   $0.2430
talk                 1     1  300,000        0   $0.8100
""",
    "revision": """\
revision  requests  hits     read  written  uncached  read share     saved
r1               2     1  100,000  110,000         0         48%   $0.1875
  cold           1     0        0  100,000         0          0%  -$0.0750
  warm           1     1  100,000   10,000         0         91%   $0.2625
r2               2     2  300,007        0         0        100%   $0.8100
  cold           1     1  300,000        0         0        100%   $0.8100
  warm           1     1        7        0         0        100%   $0.0000
""",
}
CAUSED = "read because of policy-cache: 97%, the client's markers: 2%, what is not recorded: 0%\n"


@pytest.mark.parametrize("text", ["plain", "hashed"])
@pytest.mark.parametrize("by", BY)
def test_by_rule_and_by_revision(run, folder, by, text):
    ran = run("stats", "--by", by, attributed(folder / "trace.jsonl", text))
    assert (ran.code, ran.out, ran.err) == (0, BY[by] + CAUSED, "")


def test_every_dimension_of_the_json_adds_up(run, folder):
    found = json.loads(run("stats", "--output-format", "json", attributed(folder / "trace.jsonl")).out)
    names = ("models", "routes", "rules", "revisions", "sources")
    sums = [
        [sum(one[kind] for one in found[name].values()) for kind in ("read", "written")] for name in names
    ]
    assert sums == [[400_007, 110_000]] * 5
    assert list(found["routes"]) == ["anthropic"]
    assert list(found["sources"]) == ["client", "policy", "unrecorded"]


@pytest.mark.parametrize(
    "policy", [None, 3, {}, {"shares": 3}, {"shares": [3]}, {"shares": [{"source": [], "read": "many"}]}]
)
def test_what_a_line_says_wrongly_is_not_recorded(run, save, policy):
    request = {"model": CLAUDE, "messages": 3}
    line = {"request": request, "usage": usage(1, read=9), "ts": "x", "policy": policy}
    found = json.loads(run("stats", "--output-format", "json", save("t.jsonl", json.dumps(line))).out)
    assert {name: one["read"] for name, one in found["rules"].items()} == {"(unrecorded)": 9}
    assert list(found["revisions"]) == ["(unrecorded)"]


def test_each_line_is_summed_up_before_the_next_is_read():
    def lines():
        for number in range(3):
            assert sum(entry.total.requests for entry in ledger.by["model"].values()) == number
            yield json.dumps({"request": {"model": "m"}, "usage": usage(1)}).encode()

    ledger = Ledger()
    assert stats(lines(), ledger).ledger.by["model"]["m"].total.requests == 3


def test_a_trace_from_standard_input_and_one_that_is_not_there(run, folder):
    content = trace(folder / "trace.jsonl").read_bytes()
    assert run("stats", "-", stdin=content).out == TABLE
    assert run("stats", "nowhere.jsonl").refused() == "nowhere.jsonl: No such file or directory"
    assert run("stats", folder).refused().endswith("Is a directory")


def test_an_empty_trace(run, save):
    assert run("stats", save("trace.jsonl", "")).out.splitlines()[0].startswith("model  requests")


def trial(path, sessions, *, dearer=1.0, arms=("control", "variant"), model="anthropic/claude-sonnet-4-5"):
    with TraceRecorder(path) as recorder:
        for session in range(sessions):
            arm = arms[session % len(arms)]
            size = 10_000 + 100 * (session // 2 % 7)
            uncached = round(size * (dearer if arm == "variant" else 1.0))
            recorder.record(
                {"model": model, "messages": [{"role": "user", "content": f"SECRET {session}"}]},
                usage=usage(uncached, read=1_000),
                session=f"{session}",
                policy={"arm": arm, "revision": "r", "route": "anthropic", "rules": [], "shares": []},
            )
    return path


EXPERIMENT = """\
policy   sessions  requests  cost a request  read share
control       100       100         $0.0312        8.9%
variant       100       100         $0.0374        7.5%

cost a request: +$0.0062, between +$0.0060 and +$0.0064, +19.8% (95 %, by session)
read share: -1.4 points, between -1.4 points and -1.3 points (95 %, by session)
Stop: the variant costs more, and the difference is known to 0.6 %.
"""


class TestExperiment:
    def test_what_the_two_policies_cost(self, run, folder):
        ran = run("stats", "--experiment", trial(folder / "trace.jsonl", 200, dearer=1.2))
        assert (ran.code, ran.out, ran.err) == (0, EXPERIMENT, "")

    def test_for_a_program(self, run, folder):
        path = trial(folder / "trace.jsonl", 200, dearer=1.2)
        found = json.loads(run("stats", "--experiment", "--output-format", "json", path).out)
        assert found["arms"]["variant"]["sessions"] == 100
        assert found["cost_usd_per_request"]["certain"] is True
        assert (found["within"], found["sessions_missing"]) == (0.05, 0)

    def test_of_few_sessions_nothing_is_said(self, run, folder):
        out = run("stats", "--experiment", trial(folder / "trace.jsonl", 10)).out
        assert out.splitlines()[-1] == (
            "It is not known yet which costs less: each policy needs 10 sessions with known costs."
        )

    def test_it_says_how_much_longer(self, run, folder):
        path = trial(folder / "trace.jsonl", 40)
        out = run("stats", "--experiment", "--within", "0.1", path).out
        assert out.splitlines()[-1].startswith("Go on: the difference is known to ")

    def test_unknown_prices(self, run, folder):
        out = run("stats", "--experiment", trial(folder / "trace.jsonl", 40, model="acme/large")).out
        assert "unknown" in out
        assert "read share: " in out
        assert out.splitlines()[-1] == "40 requests of unknown price left out of costs"

    @pytest.mark.parametrize(
        ("arms", "message"),
        [
            (("control",), "no request of it is of the variant: there is nothing to compare"),
            (("variant",), "no request of it is of the control: there is nothing to compare"),
            (("other",), "no request of it is of an experiment"),
            (([],), "no request of it is of an experiment"),
        ],
    )
    def test_an_empty_arm(self, run, folder, arms, message):
        refused = run("stats", "--experiment", trial(folder / "trace.jsonl", 4, arms=arms)).refused()
        assert refused.endswith(f"trace.jsonl: {message}")


def test_a_file_without_a_record(run, save):
    refused = run("stats", save("x.jsonl", '{"a": 1}\n')).refused()
    assert refused == "x.jsonl: nothing to sum up: 1 line, of which none is a record of a TraceRecorder"
