"""Whatever JSON is given as a request, a command answers, or says in one line why it cannot."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import unicodedata

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from policy_cache.cli.main import main
from tests.policies import policies
from tests.prompts import broken_requests, requests

HALF = settings(max_examples=settings.default.max_examples // 2)
"""Every example runs five commands."""

COMMANDS = [
    ["diff"],
    ["diff", "--unified"],
    ["diff", "--json-patch"],
    ["explain"],
    ["explain", "--output-format", "json"],
    ["rewrite"],
]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["model", "messages", "tools", "system", "role", "content", "cache_control"])
            | st.text(max_size=4),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


def ran(arguments, content):
    """A command's exit code, output and errors; its input is a file's bytes."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    given_, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(content), encoding="utf-8")
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main([*arguments, "-"])
    except SystemExit as exit_:
        code = exit_.code or 0
    finally:
        sys.stdin = given_
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())
    return code, *texts


def check(request, *options):
    for arguments in COMMANDS:
        code, out, err = ran([*arguments, *options], json.dumps(request).encode())
        assert code in {0, 1, 2}
        assert "internal error" not in err
        assert not [c for c in out + err if unicodedata.category(c) in {"Cc", "Cs"} and c != "\n"]
        if code == 2:
            assert out == ""
            assert err.startswith("policy-cache: <stdin>: ")
            assert len(err.splitlines()) == 1
        else:
            assert err == ""
            assert code == 0 or arguments[0] == "diff"
    return code, out


@pytest.mark.property
@HALF
@given(ANYTHING)
@example({"model": "claude-sonnet-4-5", "messages": [], "\x1b": "\ud800"})
def test_anything(request_):
    check(request_)


@pytest.mark.property
@HALF
@given(policies(splitting=True), st.sampled_from(["enforce", "observe"]), broken_requests() | requests(3))
def test_any_policy(tmp_path_factory, policy, mode, request_):
    file = tmp_path_factory.mktemp("policy") / "p.yaml"
    file.write_text(yaml.safe_dump({**policy, "mode": mode}), encoding="utf-8")
    content = json.dumps(request_, default=lambda value: value.model_dump()).encode()
    check(json.loads(content), "--policy", str(file))


@pytest.mark.property
@given(st.binary(max_size=40) | st.text().map(str.encode))
def test_any_bytes(content):
    code, out, err = ran(["rewrite"], content)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
